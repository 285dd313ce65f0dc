package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// witness is a webhook that counts alerts and keeps what it is told of losses.
type witness struct {
	*httptest.Server
	mu     sync.Mutex
	alerts map[string]bool
	lost   map[string]int // by sink
}

func newWitness(t *testing.T) *witness {
	w := &witness{alerts: map[string]bool{}, lost: map[string]int{}}
	seen := map[string]bool{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var r report.Report
		if err := json.NewDecoder(req.Body).Decode(&r); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if r.Kind == report.KindAlert {
			w.alerts[r.ID] = true
		}
		if r.Kind != report.KindLoss || seen[r.ID] {
			return
		}
		seen[r.ID] = true
		n, sink := 0, ""
		if _, err := fmt.Sscanf(r.Title, "filelessd lost %d reports for sink %s", &n, &sink); err != nil || r.About[0] != sink {
			t.Errorf("%q about %q: %v", r.Title, r.About, err)
		}
		w.lost[sink] += n
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) told(sink string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[sink]
}

func (w *witness) has(ids []string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if w.alerts[id] {
			n++
		}
	}
	return n
}

// smallLog is a daemon with the smallest log, and a second sink.
func smallLog(t *testing.T, onFull, url, second string) *testDaemon {
	t.Helper()
	d := newDaemon(t, url, "\nstore: {max_bytes: 16MiB, on_full: "+onFull+"}\n")
	f, err := os.OpenFile(d.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("  other: {type: webhook, url: " + second + "}\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// longAlerts are alerts with a long text, of which fewer fill a log.
func longAlerts(t *testing.T, n int) (lines [][]byte, ids []string) {
	t.Helper()
	lines, ids = alerts(t, n)
	long := []byte(`"output":"` + strings.Repeat("x", 7000) + `"`)
	for i := range lines {
		lines[i] = bytes.Replace(lines[i], []byte(`"output":"x"`), long, 1)
		e, err := event.Parse(lines[i], time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = e.ID()
	}
	return lines, ids
}

// postUntil posts alerts from several senders until stop, and returns the IDs of those that were accepted
// and of those that were not.
func (d *testDaemon) postUntil(lines [][]byte, ids []string, stop func(refused int) bool) (accepted, refused []string) {
	var mu sync.Mutex
	var posters sync.WaitGroup
	next := 0
	for range 8 {
		posters.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				mu.Lock()
				i := next
				next++
				over := i >= len(lines) || stop(len(refused))
				mu.Unlock()
				if over {
					return
				}
				ok := d.post(client, lines[i])
				mu.Lock()
				if ok {
					accepted = append(accepted, ids[i])
				} else {
					refused = append(refused, ids[i])
				}
				mu.Unlock()
			}
		})
	}
	posters.Wait()
	return accepted, refused
}

// TestFullLogDropsOldest: at store.max_bytes the sink that is down loses its oldest reports, the other one
// none, and is told how many. No other report is missing; of those, what was on its way still comes.
func TestFullLogDropsOldest(t *testing.T) {
	receiver, other := newReceiver(t), newWitness(t)
	receiver.setDown(true)
	d := smallLog(t, "drop_oldest", receiver.URL, other.URL)
	p := d.run()
	lines, ids := longAlerts(t, 4000)
	const window = 256 // so many reports may be on their way
	const more = window + 50
	accepted, refused := d.postUntil(lines, ids, func(int) bool { return other.told("soc") >= more })
	if len(refused) > 0 || other.told("soc") < more {
		t.Fatalf("%d accepted, %d refused, %d lost", len(accepted), len(refused), other.told("soc"))
	}
	if code, body := d.get("/readyz"); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
	receiver.setDown(false)
	waitFor(t, "what is left", func() bool {
		return other.has(accepted) == len(accepted) && d.metric(`filelessd_sink_backlog{sink="soc"}`) == "0"
	})
	missing := receiver.missing(accepted)
	if told := other.told("soc"); len(missing) > told || len(missing) < told-window {
		t.Errorf("%d reports are missing, the other sink was told of %d", len(missing), told)
	}
	oldest := map[string]bool{} // senders overtake each other by a few
	for _, id := range ids[:other.told("soc")+100] {
		oldest[id] = true
	}
	for _, id := range missing {
		if !oldest[id] {
			t.Errorf("%s is missing, which is not among the oldest", id)
		}
	}
	waitFor(t, "the count", func() bool {
		return d.metric(`filelessd_lost_total{reason="store_full"}`) == strconv.Itoa(other.told("soc"))
	})
	if n := other.told("other"); n > 0 {
		t.Errorf("the other sink lost %d", n)
	}
	t.Logf("%d accepted, %d removed before the sink that was down had them, %d of those on their way to it", len(accepted), other.told("soc"), other.told("soc")-len(missing))
	p.signal(syscall.SIGTERM)
	if p.code() != exitOK || !strings.Contains(p.logged(), "reports for sink soc") {
		t.Errorf("exit status %d", p.code())
	}
}

// TestFullLogRefuses: with on_full: refuse no alert is accepted that a sink could not get, and readiness
// says so; once the sink takes reports again, so does the daemon.
func TestFullLogRefuses(t *testing.T) {
	receiver, other := newReceiver(t), newWitness(t)
	receiver.setDown(true)
	d := smallLog(t, "refuse", receiver.URL, other.URL)
	p := d.run()
	lines, ids := longAlerts(t, 4000)
	accepted, refused := d.postUntil(lines, ids, func(refused int) bool { return refused > 50 })
	if len(refused) <= 50 || len(accepted) < 1000 {
		t.Fatalf("%d accepted, %d refused", len(accepted), len(refused))
	}
	if code, body := d.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "max_bytes is reached") {
		t.Errorf("%d %s", code, body)
	}
	receiver.setDown(false)
	waitFor(t, "the sink that was down", func() bool { return len(receiver.missing(accepted)) == 0 })
	waitFor(t, "readiness", func() bool { code, _ := d.get("/readyz"); return code == http.StatusOK })
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	last := len(accepted) + len(refused)
	if !d.post(client, lines[last]) {
		t.Error("not accepted with room again")
	}
	accepted = append(accepted, ids[last])
	waitFor(t, "all", func() bool { return len(receiver.missing(accepted)) == 0 && other.has(accepted) == len(accepted) })
	if other.told("soc")+other.told("other") > 0 || d.metric(`filelessd_lost_total{reason="store_full"}`) != "0" {
		t.Error("something was lost")
	}
	if got := len(refused) - len(receiver.missing(refused)); got > 0 {
		t.Errorf("%d that were answered 503 were delivered", got)
	}
	t.Logf("%d accepted until the log was full", len(accepted)-1)
	p.signal(syscall.SIGTERM)
}
