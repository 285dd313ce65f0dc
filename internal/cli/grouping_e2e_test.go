package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/report"
)

// ofKind returns how many reports of a kind came, and how many alerts they stand for.
func (r *reader) ofKind(kind report.Kind) (reports, alerts int) {
	for _, one := range r.all() {
		if one.Kind != kind {
			continue
		}
		reports++
		if one.Group != nil {
			alerts += one.Group.Count
		}
	}
	return reports, alerts
}

// newGroupingDaemon has summaries come soon.
func newGroupingDaemon(t *testing.T, url string) *testDaemon {
	t.Helper()
	d := &testDaemon{t: t, dir: t.TempDir(), hook: freePort(t), http: freePort(t)}
	d.config = filepath.Join(d.dir, "config.yaml")
	text := fmt.Sprintf(`
data_dir: %s
http: {listen: %s}
grouping: {interval: 1s, max_interval: 1h}
sources:
  hook: {type: falco_http, listen: %s}
sinks:
  soc: {type: webhook, url: %s, when: severity >= medium, retry: {initial: 50ms, max: 500ms, give_up: 72h}}
`, filepath.Join(d.dir, "data"), d.http, d.hook, url)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestFloodOfRepeats: a flood makes a handful of messages, and each alert is one of them or counted in
// one, also when the daemon is killed in the middle of it.
func TestFloodOfRepeats(t *testing.T) {
	n, kills := 2000, 2
	if soak {
		n, kills = 50_000, 10
	}
	receiver := newReader(t)
	d := newGroupingDaemon(t, receiver.URL)
	lines, ids := alerts(t, n)
	p := d.run()
	for k := range kills + 1 {
		var posters sync.WaitGroup
		work := make(chan []byte)
		for range 16 {
			posters.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for line := range work {
					if !d.post(client, line) {
						t.Error("an alert was not accepted")
					}
				}
			})
		}
		for _, line := range lines[k*n/(kills+1) : (k+1)*n/(kills+1)] {
			work <- line
		}
		close(work)
		posters.Wait()
		if k < kills {
			p.signal(syscall.SIGKILL)
			p = d.run()
		}
	}
	count := func() int {
		alerts, _ := receiver.ofKind(report.KindAlert)
		_, counted := receiver.ofKind(report.KindSummary)
		return alerts + counted
	}
	waitFor(t, "all alerts to be told of", func() bool { return count() >= n })
	alerts, _ := receiver.ofKind(report.KindAlert)
	summaries, counted := receiver.ofKind(report.KindSummary)
	t.Logf("%d alerts, %d kills: %d alert and %d summaries that count %d", n, kills, alerts, summaries, counted)
	if alerts != 1 || alerts+counted != n || summaries > 8 {
		t.Errorf("%d alerts, %d summaries that count %d of %d", alerts, summaries, counted, n)
	}
	if got := d.metric(`filelessd_suppressed_total{reason="grouped",sink="soc"}`); got == "" || got == "0" {
		t.Errorf("filelessd_suppressed_total says %q", got)
	}
	story := decode[app.Story](t, mustRun(t, "explain", ids[n/2], "-c", d.config, "-o", "json"))
	if len(story.Sinks) != 1 || story.Sinks[0].State != "grouped" || story.Sinks[0].Note != "the summary has gone out" {
		t.Errorf("%+v", story.Sinks)
	}
	p.signal(syscall.SIGTERM)
	if p.code() != 0 {
		t.Errorf("exit status %d", p.code())
	}
}

// TestSilenceOfADaemon: an operator silences an attack, and its end is told of to a sink whose when
// wants no more than what is serious.
func TestSilenceOfADaemon(t *testing.T) {
	receiver := newReader(t)
	d := newGroupingDaemon(t, receiver.URL)
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	s := decode[app.Silence](t, mustRun(t, "silence", "add", `hostname == "node-1"`, "--reason", "a drill", "--author", "ann",
		"--for", "2h", "-c", d.config, "-o", "json"))
	lines, ids := alerts(t, 5)
	post := func(lines ...[]byte) {
		t.Helper()
		for _, line := range lines {
			if !d.post(client, line) {
				t.Fatal("not accepted")
			}
		}
	}
	post(lines[:2]...)
	p.signal(syscall.SIGKILL) // it is in force after that
	p = d.run()
	post(lines[2:4]...)
	listed := func() app.Silence {
		t.Helper()
		all := decode[[]app.Silence](t, mustRun(t, "silence", "list", "-c", d.config, "-o", "json"))
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		return all[0]
	}
	waitFor(t, "what is withheld to be counted", func() bool { return listed().Withheld == 4 })
	if one := listed(); one.ID != s.ID || one.Author != "ann" || one.Reason != "a drill" || !one.Active(time.Now()) {
		t.Errorf("%+v", one)
	}
	mustRun(t, "silence", "expire", s.ID[:6], "-c", d.config)
	waitFor(t, "the notice", func() bool { n, withheld := receiver.ofKind(report.KindSuppression); return n == 1 && withheld == 4 })
	post(lines[4])
	waitFor(t, "the next alert", func() bool { n, _ := receiver.ofKind(report.KindAlert); return n == 1 })
	text := mustRun(t, "explain", ids[3], "-c", d.config)
	if !strings.Contains(text, "silenced") || !strings.Contains(text, "silence "+s.ID+" of ann until") || !strings.Contains(text, "(a drill)") {
		t.Error(text)
	}
	p.signal(syscall.SIGTERM)
}
