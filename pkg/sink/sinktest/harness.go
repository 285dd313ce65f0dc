package sinktest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// A Harness is one destination, and what the suite needs in order to play it. Each test gets a new
// one, which accepts everything until told otherwise.
//
// A field that this kind of destination can not have stays nil, and its name stands in Lacks.
type Harness struct {
	// Open opens a new sink on the destination. The suite closes it.
	Open func() (sink.Sink, error)
	// Received returns what the destination has taken so far, one element a delivery, as the bytes
	// that arrived. Each holds the ID of its report. A destination that learns of a delivery after
	// Deliver has returned waits for it here.
	Received func() [][]byte
	// Inert says in which way received is not a harmless form of r, which is Hostile: text that
	// breaks out of its place, begins a line of its own, or acts on whatever shows it. CheckJSON
	// and CheckText are for the common forms.
	Inert func(r *report.Report, received []byte) error

	// Accept, Reject, Throttle and Fail say what the destination does from now on: take reports,
	// refuse them for ever, ask to be left alone for the time that Throttle returns, or fail in a
	// way that passes. Where it can say something on refusing, it repeats all it knows of the
	// sender, as real ones do.
	Accept   func()
	Reject   func()
	Throttle func() time.Duration
	Fail     func()
	// Leave takes the destination away for good: nobody listens there any more.
	Leave func()
	// Hold makes the destination take deliveries and give no answer until release is called, after
	// which it accepts. arrived gets a value when a delivery is there.
	Hold func() (arrived <-chan struct{}, release func())

	// Secret is what the sink was configured with and no error may show.
	Secret string

	// Lacks holds the names of the fields above, and "Probe", that this kind of destination can not
	// have, with the reason. Their tests are skipped with that reason.
	Lacks map[string]string
}

// check says what is wrong with the harness itself: nothing is left out without a reason.
func (h Harness) check() error {
	optional := map[string]bool{
		"Reject": h.Reject != nil, "Throttle": h.Throttle != nil, "Fail": h.Fail != nil,
		"Leave": h.Leave != nil, "Hold": h.Hold != nil, "Secret": h.Secret != "",
	}
	var errs []error
	if h.Open == nil || h.Received == nil || h.Inert == nil {
		errs = append(errs, errors.New("harness: Open, Received and Inert are for every kind"))
	}
	if h.Accept == nil && (h.Reject != nil || h.Throttle != nil || h.Fail != nil) {
		errs = append(errs, errors.New("harness: no Accept to follow Reject, Throttle or Fail"))
	}
	for _, name := range slices.Sorted(maps.Keys(optional)) {
		reason, lacks := h.Lacks[name]
		switch {
		case optional[name] && lacks:
			errs = append(errs, fmt.Errorf("harness: has %s and says that it lacks it", name))
		case !optional[name] && reason == "":
			errs = append(errs, fmt.Errorf("harness: set %s, or give the reason in Lacks", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Lacks)) {
		if _, known := optional[name]; !known && name != "Probe" {
			errs = append(errs, fmt.Errorf("harness: Lacks names %q, which is nothing to lack", name))
		}
	}
	return errors.Join(errs...)
}

// Run tests the sink that each new harness opens.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			if err := h.check(); err != nil {
				t.Fatal(err)
			}
			if reason, lacks := h.Lacks[c.needs]; lacks {
				t.Skipf("this kind has no %s: %s", c.needs, reason)
			}
			if hold := h.Hold; hold != nil { // whose release a test may call again when it ends
				h.Hold = func() (<-chan struct{}, func()) {
					arrived, release := hold()
					return arrived, sync.OnceFunc(release)
				}
			}
			c.run(&session{TB: t, h: h, patience: 30 * time.Second})
		})
	}
}
