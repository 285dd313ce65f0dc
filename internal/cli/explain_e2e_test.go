package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/event"
)

// TestExplain: what becomes of an alert, told by the real program: delivered, counted in a summary,
// silenced, refused by the receiver, not wanted by a sink.
func TestExplain(t *testing.T) {
	receiver := newReceiver(t)
	d := &testDaemon{t: t, dir: t.TempDir(), hook: freePort(t), http: freePort(t)}
	d.config = filepath.Join(d.dir, "config.yaml")
	text := fmt.Sprintf(`
data_dir: %s
http: {listen: %s}
grouping: {interval: 1s, max_interval: 1h}
sources:
  hook: {type: falco_http, listen: %s}
sinks:
  soc: {type: webhook, url: %s, retry: {initial: 50ms, max: 500ms}}
  pager: {type: webhook, url: %[4]s, when: 'hostname startsWith "prod-" && score >= 90'}
`, filepath.Join(d.dir, "data"), d.http, d.hook, receiver.URL)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	lines, _ := alerts(t, 3)
	post := func(line []byte, old, replacement string) (id string) {
		t.Helper()
		line = bytes.Replace(line, []byte(old), []byte(replacement), 1)
		e, err := event.Parse(line, time.Now())
		if err != nil || !d.post(client, line) {
			t.Fatalf("not accepted: %v", err)
		}
		return e.ID()
	}
	state := func(id, sink string) string {
		t.Helper()
		story := decode[app.Story](t, mustRun(t, "explain", id, "-c", d.config, "-o", "json"))
		for _, s := range story.Sinks {
			if s.Sink == sink {
				return s.State
			}
		}
		return ""
	}
	is := func(id, want string) {
		t.Helper()
		waitFor(t, want, func() bool { return state(id, "soc") == want })
	}

	delivered := post(lines[0], "", "")
	is(delivered, "delivered")
	grouped := post(lines[1], "", "")
	is(grouped, "grouped")
	due := mustRun(t, "explain", grouped, "-c", d.config)
	mustRun(t, "silence", "add", `hostname == "lab-7"`, "--reason", "penetration test, ticket 4711", "--author", "ann", "--for", "2h", "-c", d.config)
	silenced := post(lines[2], "node-1", "lab-7")
	is(silenced, "silenced")
	waitFor(t, "the summary", func() bool {
		return strings.Contains(mustRun(t, "explain", grouped, "-c", d.config), "gone out")
	})
	receiver.refuse("this field is too long: output")
	dead := post(lines[2], "4 --n", "curl")
	is(dead, "dead")
	waitFor(t, "the dead letter on the disk", func() bool {
		return strings.Contains(mustRun(t, "explain", dead, "-c", d.config), "answered 400")
	})

	for _, c := range []struct {
		name, id, text string
		says           []string
	}{
		{"delivered", delivered, "", []string{
			"received from source hook at ", "memfd_image", "proc.exepath", "delivered", "group ",
			"not wanted", `when does not want it: hostname startsWith "prod-" && score >= 90`,
		}},
		{"grouped, and not told yet", grouped, due, []string{"counted as a repeat", "the summary is due at ", "counts 1 so far"}},
		{"grouped", grouped, "", []string{"counted as a repeat", "the summary has gone out"}},
		{"silenced", silenced, "", []string{
			"silenced", " of ann until ", "(penetration test, ticket 4711)", "1h0m0s after the first", "filelessd silence expire ",
		}},
		{"dead letter", dead, "", []string{
			"dead letter", `answered 400 Bad Request: "this field is too long: output"`, "filelessd deadletters retry --sink soc --id " + dead,
		}},
	} {
		if c.text == "" {
			c.text = mustRun(t, "explain", c.id[:12], "-c", d.config)
		}
		t.Logf("%s:\n%s", c.name, c.text)
		for _, want := range c.says {
			if !strings.Contains(c.text, want) {
				t.Errorf("%s: no %q", c.name, want)
			}
		}
	}
	p.signal(syscall.SIGTERM)
}
