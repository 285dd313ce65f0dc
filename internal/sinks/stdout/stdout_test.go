package stdout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal is a standard output that a test can break or hold up.
type terminal struct {
	mu      sync.Mutex
	writes  [][]byte
	err     error // of the next writes, of which it takes half, or nothing if full
	full    bool
	held    chan struct{}
	arrived chan struct{}
}

func newTerminal() *terminal { return &terminal{arrived: make(chan struct{}, 1)} }

func (w *terminal) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if held := w.held; held != nil {
		select {
		case w.arrived <- struct{}{}:
		default:
		}
		w.mu.Unlock()
		<-held
		w.mu.Lock()
	}
	if w.err != nil {
		n := len(p) / 2
		if w.full {
			n = 0
		}
		w.writes = append(w.writes, bytes.Clone(p[:n]))
		return n, w.err
	}
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

func (w *terminal) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *terminal) received() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

func (w *terminal) String() string { return string(bytes.Join(w.received(), nil)) }

func (w *terminal) hold() (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := make(chan struct{})
	w.held = held
	return w.arrived, sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.held = nil
		close(held)
	})
}

func openOn(w *terminal, format string) (sink.Sink, error) {
	env := sinktest.Env()
	env.Stdout = w
	return Kind.Open(context.Background(), Config{Output: sink.Output{Format: format}}, env)
}

func TestConformance(t *testing.T) {
	for _, format := range sink.Formats() {
		t.Run(format, func(t *testing.T) {
			sinktest.Run(t, func(*testing.T) sinktest.Harness {
				w := newTerminal()
				inert := sinktest.CheckText
				if format == "json" {
					inert = sinktest.CheckJSON
				}
				return sinktest.Harness{
					Open:     func() (sink.Sink, error) { return openOn(w, format) },
					Received: w.received,
					Inert:    inert,
					Accept:   func() { w.fail(nil) },
					Fail:     func() { w.fail(syscall.ENOSPC) },
					Leave:    func() { w.fail(syscall.EPIPE) },
					Hold:     w.hold,
					Lacks: map[string]string{
						"Reject":   "a pipe or terminal takes any bytes",
						"Throttle": "a pipe or terminal does not ask for a pause; it holds the write up",
						"Secret":   "nothing in the configuration is one",
						"Probe":    "only a write tells whether somebody reads",
					},
				}
			})
		})
	}
}

func TestForms(t *testing.T) {
	tests := map[string]string{
		"markdown": "<markdown one>\n\n<markdown two>\n\n",
		"text":     "<text one>\n\n<text two>\n\n",
		"json":     "<json one>\n<json two>\n",
		"ecs":      "<ecs one>\n<ecs two>\n",
		"ocsf":     "<ocsf one>\n<ocsf two>\n",
	}
	for format, want := range tests {
		w := newTerminal()
		s, err := Kind.Open(t.Context(), Config{Output: sink.Output{Format: format}}, sink.Env{
			Stdout: w,
			Render: func(format string, r *report.Report) ([]byte, error) {
				return []byte("<" + format + " " + r.ID + ">\n"), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"one", "two"} {
			if err := s.Deliver(t.Context(), &report.Report{ID: id}); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(want, w.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
		if n := len(w.received()); n != 2 {
			t.Errorf("%s: 2 reports took %d writes", format, n)
		}
	}
}

func TestTornLineSpoilsNoOther(t *testing.T) {
	w := newTerminal()
	s, err := openOn(w, "json")
	if err != nil {
		t.Fatal(err)
	}
	w.fail(syscall.ENOSPC)
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); !errors.Is(err, syscall.ENOSPC) || sink.IsPermanent(err) {
			t.Fatalf("got %v", err)
		}
	}
	w.full = true
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil {
		t.Fatal("no error")
	}
	w.fail(nil)
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Fatal(err)
		}
	}
	var whole []bool
	for line := range strings.Lines(w.String()) {
		whole = append(whole, json.Valid([]byte(line)))
	}
	if diff := cmp.Diff([]bool{false, false, true, true}, whole); diff != "" {
		t.Errorf("which lines are whole (-want +got):\n%s", diff)
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	env := sinktest.Env()
	env.Stdout = shortWriter{}
	s, err := Kind.Open(t.Context(), Kind.Default(), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil || err.Error() != "write to standard output: short write" {
		t.Errorf("got %v", err)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestHeldUpWriteKeepsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTerminal()
		s, err := openOn(w, "json")
		if err != nil {
			t.Fatal(err)
		}
		_, release := w.hold()
		for _, want := range []string{"write to standard output is held up: ", "an earlier write to standard output is held up: "} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := s.Deliver(ctx, sinktest.Ordinary())
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		release()
		synctest.Wait()
		if n := len(w.received()); n != 1 {
			t.Errorf("%d writes, want the first alone", n)
		}
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Error(err)
		}
	})
}

func TestReportThatCanNotBeRenderedIsFinal(t *testing.T) {
	env := sinktest.Env()
	env.Render = func(string, *report.Report) ([]byte, error) { return nil, errors.New("no") }
	s, err := Kind.Open(t.Context(), Kind.Default(), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); !sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestConfig(t *testing.T) {
	if err := Kind.Default().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Config{Output: sink.Output{Format: "xml"}}).Validate(); err == nil {
		t.Error("xml is valid")
	}
}
