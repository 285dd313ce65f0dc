package cli

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

const (
	sidekick = "slack:\n  webhookurl: https://hooks.slack.com/services/T0/B0/hush4711\n  channel: soc\nopsgenie:\n  apikey: hush4711\n"
	misspelt = "slak:\n  webhookurl: https://hooks.slack.com/services/T0/B0/hush4711\n"
)

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "falcosidekick.yaml")
	if err := os.WriteFile(file, []byte(sidekick), 0o600); err != nil {
		t.Fatal(err)
	}
	env := filepath.Join(dir, "env")
	if err := os.WriteFile(env, []byte("LOKI_HOSTPORT=http://loki:3100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args           []string
		stdin          string
		code           int
		stdout, stderr string // parts
	}{
		{[]string{file}, "", 0, `url: "${SLACK_WEBHOOKURL}"`, "falcosidekick.yaml:3: slack.channel: dropped"},
		{[]string{"-"}, sidekick, 0, "# from slack (line 1)", "stdin:4: opsgenie: stays"},
		{nil, sidekick, 0, "type: slack", "general: filelessd reports fileless execution and nothing else"},
		{[]string{"--env", env}, "not read", 0, "url: http://loki:3100", "outputs: 1 converted, 0 with"},
		{[]string{"--env", env, file}, "", 0, "type: loki", "outputs: 2 converted, 1 with"},
		{[]string{"--through", "slack", file}, "", 0, "# for slack, opsgenie", "outputs: 0 converted, 2 with"},
		{nil, misspelt, 3, "type: stdout", "stdin:1: slak: unknown"},
		{nil, "slack: 'open\n", 2, "", "filelessd: stdin:1:8: not YAML"},
		{nil, "", 2, "", "filelessd: stdin: empty"},
		{[]string{filepath.Join(dir, "nothing")}, "", 2, "", "no such file"},
		{[]string{"--through", "discord", file}, "", 2, "", "no output that filelessd has a sink for"},
		{[]string{"--rest", file, file}, "", 2, "", "file exists"},
		{[]string{"--rest", filepath.Join(dir, "none"), "--env", env}, "", 0, "type: loki", "no output stays with Falcosidekick, so " + dir},
	} {
		code, stdout, stderr := run(t, c.stdin, append([]string{"convert"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: exit status %d\n%s\n%s", c.args, code, stdout, stderr)
		}
		if code == 2 && stdout != "" {
			t.Errorf("%q: on stdout: %s", c.args, stdout)
		}
		if strings.Contains(stdout+stderr, "hush4711") {
			t.Errorf("%q: a secret in %s%s", c.args, stdout, stderr)
		}
		inert(t, stdout+stderr)
	}
}

func TestConvertJSON(t *testing.T) {
	rest := filepath.Join(t.TempDir(), "rest.yaml")
	code, stdout, stderr := run(t, sidekick, "convert", "-o", "json", "--rest", rest)
	got := decode[conversionJSON](t, stdout)
	if code != 0 || stderr != "" || strings.Contains(stdout, "hush4711") {
		t.Fatalf("exit status %d: %s%s", code, stdout, stderr)
	}
	if !strings.Contains(got.Config, "type: slack") || len(got.Notes) < 5 || len(got.Variables) != 2 || got.Converted[0] != "slack" || got.Stay[0] != "opsgenie" {
		t.Errorf("got %+v", got)
	}
	for _, n := range got.Notes {
		if n.Key == "slack.channel" && (n.Line != 3 || n.Kind != "dropped") {
			t.Errorf("got %+v", n)
		}
	}
	info, err := os.Stat(rest)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if data, err := os.ReadFile(rest); err != nil || !strings.Contains(string(data), "hush4711") || strings.Contains(string(data), "slack") {
		t.Errorf("%v: %s", err, data)
	}
}

// What was converted runs: an alert at Falcosidekick's address becomes a report at its webhook, and an alert at the
// Falcosidekick that stays.
func TestConvertedRuns(t *testing.T) {
	receiver := newReceiver(t)
	var came atomic.Int64
	behind := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && strings.Contains(string(body), `"source":"filelessd"`) {
			came.Add(1)
		}
	}))
	t.Cleanup(behind.Close)
	d := newDaemon(t, receiver.URL, "")
	_, port, err := net.SplitHostPort(d.hook)
	if err != nil {
		t.Fatal(err)
	}
	old := fmt.Sprintf("listenport: %s\nwebhook:\n  address: %s/hook\n  minimumpriority: warning\n  customheaders: {X-Team: soc}\ndiscord:\n  webhookurl: https://discord.example/api/webhooks/1/x\n", port, receiver.URL)
	code, made, notes := run(t, old, "convert")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, notes)
	}
	t.Setenv("WEBHOOK_ADDRESS", receiver.URL+"/hook")
	t.Setenv("WEBHOOK_CUSTOMHEADERS_X_TEAM", "soc")
	t.Setenv("FALCOSIDEKICK_URL", behind.URL)
	own := fmt.Sprintf("data_dir: %s\nhttp: {listen: %s}\n", filepath.Join(d.dir, "data"), d.http)
	if err := os.WriteFile(d.config, []byte(own+made), 0o600); err != nil {
		t.Fatal(err)
	}
	p := d.run()
	lines, ids := alerts(t, 1)
	client := new(http.Client)
	for _, line := range lines {
		if !d.post(client, line) {
			t.Fatal("the alert was not taken")
		}
	}
	waitFor(t, "both deliveries", func() bool { return len(receiver.missing(ids)) == 0 && came.Load() >= 1 })
	p.signal(syscall.SIGTERM)
	client.CloseIdleConnections()
}
