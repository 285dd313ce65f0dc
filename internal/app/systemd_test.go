package app

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/deliver"
)

// watched is what systemd hears of a daemon whose parts are silent from time to time.
type watched struct {
	*systemd
	began time.Time
	pings []time.Duration // since the beginning
	lines []string        // of the status
	quiet func(at time.Duration) bool
}

func newWatched(quiet func(time.Duration) bool) *watched {
	w := &watched{began: time.Now(), quiet: quiet}
	w.systemd = &systemd{
		ping: func(ctx context.Context) []string {
			if !w.quiet(time.Since(w.began)) {
				return nil
			}
			<-ctx.Done()
			return []string{"sink soc"}
		},
		status:   func() string { return "well" },
		watchdog: time.Minute, threads: fstest.MapFS{}, log: zerolog.Nop(),
		notify: func(state string) {
			for line := range strings.SplitSeq(strings.TrimSpace(state), "\n") {
				if line == "WATCHDOG=1" {
					w.pings = append(w.pings, time.Since(w.began))
				} else {
					w.lines = append(w.lines, line)
				}
			}
		},
	}
	return w
}

func (w *watched) during(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	w.run(ctx)
}

// widest is the longest time without a ping.
func (w *watched) widest(end time.Duration) (widest time.Duration) {
	last := time.Duration(0)
	for _, at := range append(slices.Clone(w.pings), end) {
		widest, last = max(widest, at-last), at
	}
	return widest
}

func TestWatchdogIsFedWhileAllAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(time.Duration) bool { return false })
		w.during(t, time.Hour)
		if got := w.widest(time.Hour); got > w.watchdog/2 {
			t.Errorf("%v without a ping, systemd kills after %v", got, w.watchdog)
		}
		if !slices.Equal(w.lines, []string{"STATUS=well"}) { // once: nothing changed
			t.Errorf("told %q", w.lines)
		}
	})
}

func TestWatchdogStarvesAtADeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(at time.Duration) bool { return at > 10*time.Minute })
		w.during(t, time.Hour)
		if last := w.pings[len(w.pings)-1]; last > 10*time.Minute {
			t.Errorf("a ping after %v, when a part had been silent since 10m", last)
		}
	})
}

// TestWatchdogForgives: what answers again in time is no deadlock.
func TestWatchdogForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(at time.Duration) bool { return at > 10*time.Minute && at < 10*time.Minute+15*time.Second })
		w.during(t, time.Hour)
		if got := w.widest(time.Hour); got >= w.watchdog {
			t.Errorf("%v without a ping, systemd kills after %v", got, w.watchdog)
		}
	})
}

// TestWatchdogWaitsForTheDisk: nothing answers because a thread waits for a disk, which a restart does not mend.
func TestWatchdogWaitsForTheDisk(t *testing.T) {
	for state, want := range map[string]bool{"D": true, "S": false, "R": false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(func(time.Duration) bool { return true })
			w.threads = fstest.MapFS{
				"71/stat": {Data: []byte("71 (filelessd) S 1 71 71 0 -1\n")},
				"72/stat": {Data: []byte("72 (a) D (b) " + state + " 1 71 71 0 -1\n")},
			}
			w.during(t, time.Hour)
			if fed := w.widest(time.Hour) < w.watchdog; fed != want {
				t.Errorf("state %s: pings at %v", state, w.pings)
			}
		})
	}
}

// TestWatchdogWaitsForTheDiskInTime: the disk fails between two pings, and systemd gives little time.
func TestWatchdogWaitsForTheDiskInTime(t *testing.T) {
	for _, watchdog := range []time.Duration{2 * time.Second, 20 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(func(at time.Duration) bool { return at > 2*watchdog+1 })
			w.watchdog = watchdog
			w.threads = fstest.MapFS{"72/stat": {Data: []byte("72 (a) D 1 71 71 0 -1\n")}}
			w.during(t, 20*watchdog)
			if got := w.widest(20 * watchdog); got > watchdog*9/10 {
				t.Errorf("%v without a ping, systemd kills after %v", got, watchdog)
			}
		})
	}
}

// TestPingNamesWhatIsSilent: a worker whose goroutine does not run is found, by its name.
func TestPingNamesWhatIsSilent(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: 127.0.0.1:0}")
	f.waitFor("an answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return len(f.app.ping(ctx)) == 0
	})
	w := f.app.workers.all()[0]
	stuck, err := deliver.New(t.Context(), deliver.Options{
		Name: "stuck", Sink: w.Sink, Policy: w.Policy, Log: f.app.store, State: f.app.store, Metrics: w.Metrics, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	other := &App{store: f.app.store}
	other.workers.set([]*worker{w, {name: "stuck", kind: "webhook", Worker: stuck}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if silent := other.ping(ctx); !slices.Equal(silent, []string{"sink stuck"}) {
		t.Errorf("silent: %q", silent)
	}
}

func TestStatusLine(t *testing.T) {
	f := newFixture(t, "  falco: {type: falco_grpc, address: 'unix:///nonexistent/falco.sock'}")
	const want = "1 sources, 1 sinks, 0 reports to deliver: source falco is connecting"
	f.waitFor("the trouble of the source", func() bool { return f.app.statusLine() == want })
}
