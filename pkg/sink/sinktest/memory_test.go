package sinktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

const secret = "s3cr3t-token"

// destination is a working one in memory.
type destination struct {
	mu      sync.Mutex
	answer  error // to what comes next
	got     [][]byte
	held    chan struct{} // closed by release; nil if nothing is held
	arrived chan struct{}
}

// memory is a sink for it, with at most one flaw.
type memory struct {
	to     *destination
	flaw   string
	mu     sync.Mutex
	closed int
}

func (m *memory) Deliver(ctx context.Context, r *report.Report) error {
	if ctx.Err() != nil && m.flaw != "begins when cancelled" {
		return ctx.Err()
	}
	body, err := report.Marshal(r)
	if err != nil {
		return err
	}
	switch m.flaw {
	case "delivers nothing":
		return nil
	case "leaves the id out":
		body = []byte(strings.ReplaceAll(string(body), r.ID, ""))
	case "not inert":
		body = []byte(r.ID + "\n" + r.Title)
	case "changes the report":
		r.Title = report.Visible(r.Title)
	case "changes the event":
		if r.Event != nil {
			r.Event.Normalise()
		}
	case "one at a time":
		if !m.mu.TryLock() {
			return errors.New("busy")
		}
		defer m.mu.Unlock()
		for range 100 {
			runtime.Gosched()
		}
	case "no other kinds":
		if r.Event == nil {
			return sink.Permanent(errors.New("no event"))
		}
	case "leaks a goroutine":
		go func() { <-m.to.arrived }()
	}
	return m.class(m.send(ctx, body))
}

func (m *memory) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	if ctx.Err() != nil && m.flaw == "batch begins when cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	var errs []error
	for _, r := range rs {
		if m.flaw == "batch changes the report" {
			r.Score++
		}
		err := m.Deliver(ctx, r)
		if m.flaw == "batch knows no class" && err != nil {
			err = errors.New(err.Error())
		}
		if m.flaw == "batch hides the failure" && err != nil && ctx.Err() == nil {
			err = nil
		}
		errs = append(errs, err)
	}
	switch m.flaw {
	case "batch answers once":
		return errs[:1]
	case "batch answers nothing":
		return nil
	}
	return errs
}

// class returns err in the class that it has, or that the flaw gives it.
func (m *memory) class(err error) error {
	switch {
	case err == nil:
		return nil
	case m.flaw == "all is final":
		return sink.Permanent(err)
	case m.flaw == "nothing is final", m.flaw == "forgets the pause":
		return errors.New(err.Error())
	case m.flaw == "shows the secret":
		return fmt.Errorf("token %s: %w", secret, err)
	case m.flaw == "shows the secret deep inside":
		return errors.Join(errors.New("failed"), hiding{fmt.Errorf("token %s: %w", secret, err)})
	}
	return err
}

// hiding is an error whose text does not show what it wraps.
type hiding struct{ error }

func (h hiding) Error() string { return "hidden" }
func (h hiding) Unwrap() error { return h.error }

func (m *memory) send(ctx context.Context, body []byte) error {
	d := m.to
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answer != nil {
		return d.answer
	}
	if held := d.held; held != nil {
		d.mu.Unlock()
		defer d.mu.Lock()
		select {
		case d.arrived <- struct{}{}:
		default:
		}
		done := ctx.Done()
		if m.flaw == "ignores its context" {
			done = nil
		}
		select {
		case <-held:
			return nil
		case <-done:
			return ctx.Err()
		}
	}
	d.got = append(d.got, body)
	return nil
}

func (m *memory) Probe(context.Context) error {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	switch m.flaw {
	case "probes with a report":
		m.to.got = append(m.to.got, []byte("probe"))
	case "probes nothing":
		return nil
	case "probe shows the secret":
		return fmt.Errorf("token %s", secret)
	}
	return m.to.answer
}

func (m *memory) Close() error {
	if m.closed++; m.closed > 1 && m.flaw == "closes once" {
		return errors.New("already closed")
	}
	return nil
}

func newHarness(flaw string) Harness {
	d := &destination{arrived: make(chan struct{}, 1)}
	set := func(err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.answer = err
	}
	return Harness{
		Open: func() (sink.Sink, error) { return &memory{to: d, flaw: flaw}, nil },
		Received: func() [][]byte {
			d.mu.Lock()
			defer d.mu.Unlock()
			return slices.Clone(d.got)
		},
		Inert:    CheckJSON,
		Accept:   func() { set(nil) },
		Reject:   func() { set(sink.Permanent(errors.New("malformed"))) },
		Throttle: func() time.Duration { set(sink.RetryAfter(errors.New("busy"), time.Minute)); return time.Minute },
		Fail:     func() { set(errors.New("broken")) },
		Leave:    func() { set(errors.New("connection refused")) },
		Hold: func() (<-chan struct{}, func()) {
			d.held = make(chan struct{})
			return d.arrived, sync.OnceFunc(func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				close(d.held)
				d.held = nil
			})
		},
		Secret: secret,
	}
}
