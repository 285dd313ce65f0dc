package cli

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/app"
)

// rewrite replaces a part of the daemon's configuration.
func (d *testDaemon) rewrite(before, after string) {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	changed := strings.Replace(string(text), before, after, 1)
	if changed == string(text) {
		d.t.Fatalf("no %q in the configuration", before)
	}
	if err := os.WriteFile(d.config, []byte(changed), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// TestReload has the real program read its configuration again on each of the four ways.
func TestReload(t *testing.T) {
	one, two := newReceiver(t), newReceiver(t)
	d := newDaemon(t, one.URL, "")
	d.rewrite("http: {", "reload: {watch: false}\nhttp: {reload: true, ")
	p := d.run()
	lines, ids := alerts(t, 4)
	deliver := func(n int, to *receiver) {
		t.Helper()
		if !d.post(http.DefaultClient, lines[n]) {
			t.Fatal("not accepted")
		}
		waitFor(t, "alert at its place", func() bool { return len(to.missing(ids[n:n+1])) == 0 })
	}
	deliver(0, one)

	code, out, errOut := run(t, "", "reload", "-c", d.config)
	if code != 0 || out != "nothing changed\n" {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	d.rewrite(one.URL, two.URL)
	if code, out, errOut = run(t, "", "reload", "-c", d.config); code != 0 || out != "in force: sinks.soc\n" {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	deliver(1, two)

	d.rewrite("type: webhook", "type: webhok")
	code, out, errOut = run(t, "", "reload", "-c", d.config)
	if code != 2 || out != "" || !strings.Contains(errOut, d.config+":10:15") || !strings.Contains(errOut, "webhok") {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	resp, err := http.Post("http://"+d.http+"/-/reload", "", nil) //nolint:noctx // of this test
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a broken configuration by POST: %s", resp.Status)
	}
	if got := d.metric("filelessd_config_last_reload_successful"); got != "0" {
		t.Errorf("successful: %q", got)
	}
	code, out, errOut = run(t, "", "status", "-c", d.config)
	if code != 0 || !strings.Contains(out, "REJECTED") || !strings.Contains(out, "unknown type webhok; did you mean webhook?\n\nSOURCE") {
		t.Errorf("%d %q %q", code, out, errOut)
	}

	d.rewrite("type: webhok", "type: webhook")
	d.rewrite(two.URL, one.URL)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the reload by SIGHUP", func() bool { return d.metric(`filelessd_config_reloads_total{outcome="applied"}`) == "2" })
	deliver(2, one)

	// The last way is a change of the file, which the next configuration allows.
	d.rewrite("watch: false", "watch: true")
	if code, out, errOut = run(t, "", "reload", "-c", d.config, "-o", "json"); code != 0 {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	if did := decode[app.Reloaded](t, out); did.Outcome != "applied" || len(did.Changed) != 1 || did.Changed[0] != "reload" || did.File != d.config {
		t.Errorf("%+v", did)
	}
	d.rewrite(one.URL, two.URL)
	waitFor(t, "the reload by the file", func() bool { return d.metric(`filelessd_config_reloads_total{outcome="applied"}`) == "4" })
	deliver(3, two)
	if got := d.metric("filelessd_config_last_reload_successful"); got != "1" {
		t.Errorf("successful: %q", got)
	}
	if log := p.logged(); strings.Contains(log, "panic") || !strings.Contains(log, `"why":"SIGHUP"`) {
		t.Error(log)
	}
}

// TestReloadOverHTTPIsOff: unless the configuration says so, nobody reloads over HTTP.
func TestReloadOverHTTPIsOff(t *testing.T) {
	d := newDaemon(t, "http://127.0.0.1:1/", "")
	d.run()
	resp, err := http.Post("http://"+d.http+"/-/reload", "", nil) //nolint:noctx // of this test
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}
