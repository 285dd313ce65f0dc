package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatchedMetrics follows what is read at each scrape through a sink's outage and the end.
func TestWatchedMetrics(t *testing.T) {
	events := filepath.Join(t.TempDir(), "events.json")
	f := newFixture(t, "  log: {type: file, path: "+events+", from: beginning}")
	for name, want := range map[string]float64{
		"filelessd_ready": 1, "filelessd_store_records": 0, "filelessd_store_max_bytes": 2 << 30,
	} {
		if got := f.counter(name); got != want {
			t.Errorf("at the start %s is %g, want %g", name, got, want)
		}
	}
	for _, name := range []string{"filelessd_sink_oldest_seconds", "filelessd_sink_parked", "filelessd_sink_backlog"} {
		if got := f.counter(name, "sink", "soc"); got != 0 {
			t.Errorf("at the start %s is %g", name, got)
		}
	}
	last := func() float64 { return f.counter("filelessd_source_last_alert_timestamp_seconds", "source", "log") }
	if got := last(); got != 0 {
		t.Errorf("the last alert was at %g, before there was one", got)
	}
	bytes := f.counter("filelessd_store_bytes")
	if bytes <= 0 || f.counter("filelessd_store_free_bytes") > bytes {
		t.Errorf("the log takes %g bytes, of them free %g", bytes, f.counter("filelessd_store_free_bytes"))
	}

	f.mu.Lock()
	f.refuses = true
	f.mu.Unlock()
	before := time.Now()
	line := recordedLines(t, "enriched")[0]
	if err := os.WriteFile(events, append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	f.waitFor("the report waits", func() bool { return f.counter("filelessd_sink_oldest_seconds", "sink", "soc") > 0 })
	f.waitFor("the sink is down", func() bool { return f.counter("filelessd_sink_up", "sink", "soc") == 0 })
	if got := f.counter("filelessd_store_records"); got != 1 {
		t.Errorf("%g records", got)
	}
	if got := last(); got < float64(before.Unix()) || got > float64(time.Now().Unix()+1) {
		t.Errorf("the last alert was at %f, want some time after %d", got, before.Unix())
	}

	f.mu.Lock()
	f.refuses = false
	f.mu.Unlock()
	f.waitFor("the report is delivered", func() bool { return f.counter("filelessd_sink_backlog", "sink", "soc") == 0 })
	f.waitFor("the status", func() bool { return f.counter("filelessd_sink_oldest_seconds", "sink", "soc") == 0 })
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if got := f.counter("filelessd_ready"); got != 0 {
		t.Errorf("ready is %g after the stop", got)
	}
}

func TestAge(t *testing.T) {
	if got := age(time.Time{}); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
	if got := age(time.Now().Add(time.Hour)); got != 0 {
		t.Errorf("of what a clock set back has put into the future: %g", got)
	}
	if got := age(time.Now().Add(-time.Minute)); got < 60 {
		t.Errorf("of a minute: %g", got)
	}
}
