package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/test/bufconn"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
)

// ears keeps what a watch tells.
type ears struct {
	mu    sync.Mutex
	heard []Absence
	deaf  error
}

func (e *ears) tell(_ context.Context, a Absence) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf == nil {
		e.heard = append(e.heard, a)
	}
	return e.deaf
}

func (e *ears) set(deaf error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = deaf
}

func (e *ears) all() []Absence {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// said returns what was told: reasons, with + behind those that were over.
func (e *ears) said() []string {
	said := []string{}
	for _, a := range e.all() {
		text := a.Reason
		if !a.Until.IsZero() {
			text += "+"
		}
		said = append(said, text)
	}
	return said
}

// watched runs a watch, and its source too, until the returned function is called.
func watched(t *testing.T, w *Watch) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	running.Go(func() {
		if err := w.source.Run(ctx, w.Handle(newTaker().handle)); err != nil {
			t.Error(err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// sometimesFalco is a Falco in memory that can stop and start again.
type sometimesFalco struct {
	*falcosim.Server
	mu sync.Mutex
	l  *bufconn.Listener
}

func (f *sometimesFalco) start(t *testing.T) {
	t.Helper()
	if err := f.Listen(func() (net.Listener, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.l = bufconn.Listen(1 << 20)
		return f.l, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (f *sometimesFalco) dial(ctx context.Context) (net.Conn, error) {
	f.mu.Lock()
	l := f.l
	f.mu.Unlock()
	return l.DialContext(ctx)
}

// TestUnreachable: a Falco that stops is told once, when it was away for long enough, and its return is
// told once. A reload is not told, nor is a Falco that has nothing to say.
func TestUnreachable(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		synctest.Test(t, func(t *testing.T) {
			falco := &sometimesFalco{Server: falcosim.New(falcosim.Options{})}
			falco.start(t)
			defer falco.Abort()
			c := DefaultGRPCConfig()
			c.Mode, c.Poll = mode, 2*time.Second
			g := openGRPC(t, c, testEnv(t))
			g.dial = falco.dial
			var heard ears
			defer watched(t, NewWatch(g, c.Quiet.Rules(), heard.tell))()
			want := func(when string, want ...string) {
				t.Helper()
				synctest.Wait()
				if diff := cmp.Diff(append([]string{}, want...), heard.said()); diff != "" {
					t.Errorf("%s, %s: %s", mode, when, diff)
				}
			}
			time.Sleep(3 * time.Hour)
			want("hours without an alert")
			if err := falco.Reload(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			want("a reload")
			falco.Abort()
			time.Sleep(time.Minute)
			falco.start(t)
			time.Sleep(time.Hour)
			want("a minute without")
			falco.Abort()
			ended := time.Now()
			time.Sleep(c.Quiet.Unreachable - 5*time.Second)
			want("almost")
			time.Sleep(10 * time.Second)
			want("away", Unreachable)
			if since := heard.all()[0].Since; since.Sub(ended) > 2*c.Poll || heard.all()[0].Status.LastError == "" {
				t.Errorf("%s: since %s, ended at %s: %+v", mode, since, ended, heard.all()[0].Status)
			}
			time.Sleep(time.Hour)
			want("still away", Unreachable)
			heard.set(errors.New("no disk"))
			falco.start(t)
			time.Sleep(time.Minute)
			heard.set(nil)
			time.Sleep(time.Minute)
			want("back", Unreachable, Unreachable+"+")
			if a := heard.all()[1]; a.Since != heard.all()[0].Since || a.Until.Sub(a.Since).Round(time.Minute) != time.Hour+2*time.Minute {
				t.Errorf("%s: from %s to %s", mode, a.Since, a.Until)
			}
		})
	}
}

// fixedSource is a source that does as the test says.
type fixedSource struct {
	mu     sync.Mutex
	status Status
}

func (s *fixedSource) Run(ctx context.Context, _ Handle) error { <-ctx.Done(); return nil }

func (s *fixedSource) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *fixedSource) set(f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

// TestSilent: nothing comes for longer than the operator says is possible.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fixedSource{status: Status{State: "listening"}}
		var heard ears
		stop := watched(t, NewWatch(s, QuietRules{After: 10 * time.Minute}, heard.tell))
		for range 12 {
			time.Sleep(9 * time.Minute)
			s.set(func(s *Status) { s.LastAlert = time.Now() })
		}
		time.Sleep(11 * time.Minute)
		if diff := cmp.Diff([]string{Silent}, heard.said()); diff != "" {
			t.Error(diff)
		}
		stop()
		// filelessd was restarted. That is no sign of life.
		again := NewWatch(s, QuietRules{After: 10 * time.Minute}, heard.tell)
		again.Resume(Silent, heard.all()[0].Since)
		stop = watched(t, again)
		time.Sleep(20 * time.Minute)
		if diff := cmp.Diff([]string{Silent}, heard.said()); diff != "" {
			t.Error(diff)
		}
		s.set(func(s *Status) { s.LastAlert = time.Now() })
		time.Sleep(time.Minute)
		stop()
		if diff := cmp.Diff([]string{Silent, Silent + "+"}, heard.said()); diff != "" {
			t.Error(diff)
		}
	})
}

func metrics(host string, start time.Time) event.Event {
	e := event.Event{Source: "internal", Hostname: host, Rule: "Falco internal: metrics snapshot"}
	e.SetField("falco.start_ts", fmt.Sprint(start.UnixNano()))
	return e
}

// TestRestarts: by the process on the socket and by Falco's metrics, each once, and a Falco that crashes
// again and again is one story.
func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fixedSource{status: Status{State: "connected", Process: 7}}
		var heard ears
		w := NewWatch(s, QuietRules{Restarts: true}, heard.tell)
		defer watched(t, w)()
		handle := w.Handle(func(context.Context, []event.Event) error { return errors.New("no disk") })
		see := func(events ...event.Event) {
			_ = handle(t.Context(), events)
			time.Sleep(2 * time.Second)
		}
		first := time.Now()
		see(metrics("a", first), metrics("a", first), metrics("b", first.Add(-time.Hour)))
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{}, heard.said()); diff != "" {
			t.Error(diff)
		}
		second := time.Now()
		s.set(func(s *Status) { s.Process = 8 })
		time.Sleep(time.Minute)
		see(metrics("a", second))
		if diff := cmp.Diff([]string{Restarted + "+"}, heard.said()); diff != "" {
			t.Error("told twice:", diff)
		}
		time.Sleep(time.Hour)
		third := time.Now()
		time.Sleep(time.Minute)
		see(metrics("a", third), metrics("b", first.Add(-time.Hour)))
		if a := heard.all()[len(heard.all())-1]; len(heard.all()) != 2 || !a.Since.Equal(third) || !cmp.Equal(a.Hosts, []string{"a"}) {
			t.Errorf("%+v", heard.all())
		}
		for n := range 50 {
			s.set(func(s *Status) { s.Process = 100 + n })
			time.Sleep(30 * time.Second)
		}
		time.Sleep(time.Hour)
		times := 0
		for _, a := range heard.all()[2:] {
			times += a.Times
		}
		if told := len(heard.all()) - 2; times != 50 || told > 4 {
			t.Errorf("%d restarts in %d reports", times, told)
		}
	})
}

// TestAwayIsNoRestart: that Falco came back as another process is no news after it was told to be away.
func TestAwayIsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fixedSource{status: Status{State: "connected", Process: 7}}
		var heard ears
		defer watched(t, NewWatch(s, QuietRules{Restarts: true, Unreachable: time.Minute}, heard.tell))()
		time.Sleep(time.Minute)
		s.set(func(s *Status) { s.State, s.Since = "connecting", time.Now() })
		time.Sleep(2 * time.Minute)
		s.set(func(s *Status) { s.State, s.Since, s.Process = "connected", time.Now(), 8 })
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{Unreachable, Unreachable + "+"}, heard.said()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRestartsAreBounded: host names come from outside.
func TestRestartsAreBounded(t *testing.T) {
	w := NewWatch(&fixedSource{}, QuietRules{Restarts: true}, new(ears).tell)
	at := time.Now()
	for n := range 2 * mostHosts {
		e := metrics(fmt.Sprint("host", n), at)
		w.see(&e)
		e = metrics(fmt.Sprint("host", n), at.Add(time.Hour))
		w.see(&e)
	}
	if len(w.starts) != mostHosts || w.restarts.Times != mostHosts || len(w.restarts.Hosts) != mostHostsNamed {
		t.Errorf("%d hosts, %d restarts of %v", len(w.starts), w.restarts.Times, w.restarts.Hosts)
	}
}

// TestMadeUpMetrics: whoever can post alerts can post Falco's own messages too. A long name takes no
// memory, and a time to come does not hide the restarts before it.
func TestMadeUpMetrics(t *testing.T) {
	w := NewWatch(&fixedSource{}, QuietRules{Restarts: true}, new(ears).tell)
	at := time.Now().Add(-time.Hour)
	for _, e := range []event.Event{
		metrics(strings.Repeat("h", 1<<20), at), metrics("node", at), metrics("node", at.AddDate(50, 0, 0)), metrics("node", at.Add(time.Minute)),
	} {
		w.see(&e)
	}
	for host := range w.starts {
		if len(host) > longestHost {
			t.Errorf("a name of %d bytes is remembered", len(host))
		}
	}
	if len(w.starts) != 2 || w.restarts.Times != 1 || !w.restarts.Since.Equal(at.Add(time.Minute)) {
		t.Errorf("%d hosts, restarts %+v", len(w.starts), w.restarts)
	}
}
