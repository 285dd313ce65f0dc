package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// session is one test with its harness. All deliveries go through it, so that each error is looked
// through for secrets, whichever test met it.
type session struct {
	testing.TB
	h Harness
	// patience is how long to wait for what must happen at once. It is a guard against hanging for
	// ever, not a measurement: a slow machine does not fail.
	patience time.Duration
}

// open opens a sink. At the end of the test it is closed twice, and its goroutines must be gone.
func (s *session) open() sink.Sink {
	s.Helper()
	before := goleak.IgnoreCurrent()
	opened, err := s.h.Open()
	s.look(err)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	s.Cleanup(func() {
		for _, call := range []string{"first", "second"} {
			if err := opened.Close(); err != nil {
				s.look(err)
				s.Errorf("%s Close: %v", call, err)
			}
		}
		err := goleak.Find(before) // which waits a little
		for start := time.Now(); err != nil && time.Since(start) < s.patience; {
			err = goleak.Find(before)
		}
		if err != nil {
			s.Errorf("after Close: %v", err)
		}
	})
	return opened
}

// deliver calls Deliver and looks through its error.
func (s *session) deliver(ctx context.Context, to sink.Sink, r *report.Report) error {
	err := to.Deliver(ctx, r)
	s.look(err)
	return err
}

// begin delivers in a goroutine of its own; end waits for it.
func (s *session) begin(ctx context.Context, to sink.Sink, r *report.Report) (end func() error) {
	done := make(chan error, 1)
	go func() { done <- to.Deliver(ctx, r) }()
	return func() error {
		s.Helper()
		select {
		case err := <-done:
			s.look(err)
			return err
		case <-time.After(s.patience):
			s.Fatalf("Deliver is still under way %s after its context ended", s.patience)
			return nil
		}
	}
}

// accepted makes sure that r is delivered, and returns what arrived.
func (s *session) accepted(to sink.Sink, r *report.Report) []byte {
	s.Helper()
	if err := s.deliver(s.Context(), to, r); err != nil {
		s.Fatalf("Deliver: %v", err)
	}
	return s.arrived(r)
}

// arrived returns the latest delivery that holds r's ID.
func (s *session) arrived(r *report.Report) []byte {
	s.Helper()
	all := s.h.Received()
	for i := len(all) - 1; i >= 0; i-- {
		if bytes.Contains(all[i], []byte(r.ID)) {
			return all[i]
		}
	}
	s.Fatalf("report %s is not among the %d that arrived", r.ID, len(all))
	return nil
}

// passing makes sure that err is one after which the same report is tried again.
func (s *session) passing(err error) {
	s.Helper()
	switch {
	case err == nil:
		s.Fatal("Deliver returned nil")
	case sink.IsPermanent(err):
		s.Errorf("final, which loses the report: %v", err)
	}
}

// look fails the test if err, or one that it wraps, shows the secret.
func (s *session) look(err error) {
	s.Helper()
	if err == nil || s.h.Secret == "" {
		return
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(format, err); strings.Contains(text, s.h.Secret) {
			s.Errorf("an error shows the secret: %s", strings.ReplaceAll(text, s.h.Secret, "<SECRET>"))
			return
		}
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // each level is looked at
		for _, e := range many.Unwrap() {
			s.look(e)
		}
		return
	}
	s.look(errors.Unwrap(err))
}
