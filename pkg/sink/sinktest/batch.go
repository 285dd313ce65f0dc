package sinktest

import (
	"context"
	"reflect"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// openBatch opens a sink that takes several reports at once, and skips the test for one that does not.
func (s *session) openBatch() (sink.Sink, func(context.Context, ...*report.Report) []error) {
	s.Helper()
	to := s.open()
	batch, ok := to.(sink.BatchSink)
	if !ok {
		s.Skip("this kind takes one report at a time")
	}
	return to, func(ctx context.Context, rs ...*report.Report) []error {
		s.Helper()
		errs := batch.DeliverBatch(ctx, rs)
		for _, err := range errs {
			s.look(err)
		}
		if len(errs) != len(rs) {
			s.Fatalf("%d answers for %d reports", len(errs), len(rs))
		}
		return errs
	}
}

// deliversBatches: each report of a batch arrives, changed by nobody, and has its own answer.
func deliversBatches(s *session) {
	to, deliver := s.openBatch()
	batch, same := append(Reports(), numbered(1), numbered(2)), append(Reports(), numbered(1), numbered(2))
	for n, err := range deliver(s.Context(), batch...) {
		if err != nil {
			s.Fatalf("report %d of a batch: %v", n, err)
		}
	}
	for n, r := range same {
		s.arrived(r)
		if !reflect.DeepEqual(batch[n], r) {
			s.Errorf("DeliverBatch changed the report %s", r.ID)
		}
	}
	// Single ones still go, and a batch of one is a batch.
	s.accepted(to, numbered(3))
	if err := deliver(s.Context(), numbered(4))[0]; err != nil {
		s.Errorf("a batch of one: %v", err)
	}
	s.arrived(numbered(4))
}

// classesOfBatches: what becomes of a batch as a whole has the class that it has for one report.
func classesOfBatches(s *session) {
	_, deliver := s.openBatch()
	batch := []*report.Report{numbered(1), numbered(2), numbered(3)}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for _, err := range deliver(ctx, batch...) {
		s.passing(err)
	}
	if n := len(s.h.Received()); n != 0 {
		s.Errorf("%d deliveries arrived after their context ended", n)
	}
	if s.h.Fail != nil {
		s.h.Fail()
		for _, err := range deliver(s.Context(), batch...) {
			s.passing(err)
		}
	}
	if s.h.Reject != nil {
		s.h.Reject()
		for _, err := range deliver(s.Context(), batch...) {
			if !sink.IsPermanent(err) {
				s.Errorf("want a final error, got %v", err)
			}
		}
	}
	if s.h.Accept != nil {
		s.h.Accept()
	}
	for _, err := range deliver(s.Context(), batch...) {
		if err != nil {
			s.Errorf("the destination accepts again: %v", err)
		}
	}
}
