package sinktest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

func TestGoodSinkPasses(t *testing.T) {
	Run(t, func(*testing.T) Harness { return newHarness("") })
}

func TestEachFlawIsFound(t *testing.T) {
	flaws := map[string][]string{ // and the tests that must find it
		"delivers nothing":             {"accepts", "delivers concurrently", "closes"},
		"leaves the id out":            {"accepts"},
		"no other kinds":               {"accepts"},
		"not inert":                    {"keeps hostile text inert"},
		"changes the report":           {"leaves the report alone"},
		"changes the event":            {"leaves the report alone"},
		"one at a time":                {"delivers concurrently"},
		"begins when cancelled":        {"does not begin when cancelled"},
		"closes once":                  {"closes"},
		"leaks a goroutine":            {"closes"},
		"nothing is final":             {"is rejected"},
		"all is final":                 {"is throttled", "meets a passing failure", "meets nobody", "times out", "is cancelled"},
		"forgets the pause":            {"is throttled"},
		"ignores its context":          {"times out", "is cancelled"},
		"shows the secret":             {"hides its secret", "is rejected", "is throttled", "meets nobody", "is cancelled"},
		"shows the secret deep inside": {"hides its secret"},
		"probe shows the secret":       {"hides its secret"},
		"probes with a report":         {"probes"},
		"probes nothing":               {"probes"},
		"batch answers once":           {"delivers batches", "gives batches a class"},
		"batch answers nothing":        {"delivers batches", "gives batches a class"},
		"batch changes the report":     {"delivers batches"},
		"batch begins when cancelled":  {"gives batches a class"},
		"batch knows no class":         {"gives batches a class"},
		"batch hides the failure":      {"gives batches a class"},
	}
	for flaw, finders := range flaws {
		for _, c := range checks() {
			if !slices.Contains(finders, c.name) {
				continue
			}
			t.Run(flaw+"/"+c.name, func(t *testing.T) {
				r := &recorder{TB: t}
				r.run(func() { c.run(&session{TB: r, h: newHarness(flaw), patience: 50 * time.Millisecond}) })
				if len(r.failures) == 0 {
					t.Error("not found")
				}
				for _, failure := range r.failures {
					if strings.Contains(failure, secret) {
						t.Errorf("the suite shows the secret itself: %s", failure)
					}
				}
			})
		}
	}
}

// TestSinkWithoutBatches: a sink that takes one report at a time passes as well.
func TestSinkWithoutBatches(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		h := newHarness("")
		open := h.Open
		h.Open = func() (sink.Sink, error) {
			to, err := open()
			return struct {
				sink.Sink
				sink.Prober
			}{to, to.(sink.Prober)}, err
		}
		return h
	})
}

// recorder stands in for the testing.TB of a check that is to fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) run(check func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, cleanup := range slices.Backward(r.cleanups) {
				cleanup()
			}
		}()
		check()
	}()
	<-done
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Error(args ...any)                 { r.record(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.record(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

func (r *recorder) record(failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, failure)
}

func TestHarnessIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Harness)
		want   string
	}{
		{"complete", func(*Harness) {}, ""},
		{"nothing received", func(h *Harness) { h.Received = nil }, "harness: Open, Received and Inert are for every kind"},
		{"left out", func(h *Harness) { h.Throttle = nil }, "harness: set Throttle, or give the reason in Lacks"},
		{"left out with a reason", func(h *Harness) {
			h.Throttle = nil
			h.Lacks = map[string]string{"Throttle": "a disk does not ask"}
		}, ""},
		{"left out with an empty reason", func(h *Harness) {
			h.Secret = ""
			h.Lacks = map[string]string{"Secret": ""}
		}, "harness: set Secret, or give the reason in Lacks"},
		{"there and lacking", func(h *Harness) { h.Lacks = map[string]string{"Hold": "x"} }, "harness: has Hold and says that it lacks it"},
		{"misspelt", func(h *Harness) { h.Lacks = map[string]string{"Trottle": "x"} }, `harness: Lacks names "Trottle", which is nothing to lack`},
		{"no way back", func(h *Harness) { h.Accept = nil }, "harness: no Accept to follow Reject, Throttle or Fail"},
		{"no probe", func(h *Harness) { h.Lacks = map[string]string{"Probe": "x"} }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness("")
			tt.change(&h)
			if got := fmt.Sprint(h.check()); got != tt.want && (tt.want != "" || got != "<nil>") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCheckText(t *testing.T) {
	good, err := Env().Render("markdown", Hostile())
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckText(Hostile(), good); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"a line of its own": "title\n" + Injected, "a heading": "# " + Injected, "escape": "a\x1b[2Jb", "return": "a\rb",
		"bidi": "a\u202eb", "bytes": "a\xff",
	} {
		if err := CheckText(Hostile(), []byte(bad)); err == nil {
			t.Errorf("%s is taken for inert", name)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	body, err := Env().Render("json", Hostile())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{string(body): true, string(body) + "\n": true, string(body) + "\n\n": false, "{}": false} {
		if err := CheckJSON(Hostile(), []byte(text)); (err == nil) != want {
			t.Errorf("%.40q…: %v", text, err)
		}
	}
}

func TestSamplesAreNewAndValid(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range Reports() {
		body, err := report.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again report.Report
		if err := again.UnmarshalJSON(body); err != nil {
			t.Errorf("%s: %v", r.Title, err)
		}
		if len(r.ID) != 64 || ids[r.ID] {
			t.Errorf("id %q", r.ID)
		}
		ids[r.ID] = true
	}
	if _, err := Env().Render("xml", Ordinary()); err == nil {
		t.Error("rendered an unknown format")
	}
	Reports()[0].Findings[0].Statement = "changed"
	if Ordinary().Findings[0].Statement == "changed" {
		t.Error("samples share memory")
	}
}
