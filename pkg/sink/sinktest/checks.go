package sinktest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

type check struct {
	name  string
	needs string // a name for Lacks; empty if every kind has it
	run   func(*session)
}

func checks() []check {
	return []check{
		{"accepts", "", accepts},
		{"keeps hostile text inert", "", keepsInert},
		{"leaves the report alone", "", leavesAlone},
		{"delivers concurrently", "", deliversConcurrently},
		{"does not begin when cancelled", "", doesNotBegin},
		{"closes", "", closes},
		{"is rejected", "Reject", isRejected},
		{"is throttled", "Throttle", isThrottled},
		{"meets a passing failure", "Fail", meetsFailure},
		{"meets nobody", "Leave", meetsNobody},
		{"times out", "Hold", timesOut},
		{"is cancelled", "Hold", isCancelled},
		{"hides its secret", "Secret", hidesSecret},
		{"probes", "Probe", probes},
		{"delivers batches", "", deliversBatches},
		{"gives batches a class", "", classesOfBatches},
	}
}

func accepts(s *session) {
	to := s.open()
	for _, r := range Reports() {
		s.accepted(to, r)
	}
	// A repeat is no error: the program can not always know that the first time worked.
	s.accepted(to, Ordinary())
}

func keepsInert(s *session) {
	to := s.open()
	for _, r := range []*report.Report{Hostile(), Ordinary()} {
		if err := s.h.Inert(r, s.accepted(to, r)); err != nil {
			s.Error(err)
		}
	}
}

func leavesAlone(s *session) {
	to := s.open()
	compare := func(got, want *report.Report) {
		_ = s.deliver(s.Context(), to, got)
		if !reflect.DeepEqual(got, want) {
			s.Errorf("Deliver changed the report %s", want.ID)
		}
	}
	compare(Hostile(), Hostile())
	compare(Loss(), Loss())
	for _, behave := range []func(){s.h.Reject, s.h.Fail} {
		if behave != nil {
			behave()
			compare(Ordinary(), Ordinary())
		}
	}
}

func deliversConcurrently(s *session) {
	const workers, each = 8, 8
	to := s.open()
	shared := Ordinary() // of which the race detector sees every write
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				if err := s.deliver(s.Context(), to, numbered(w*each+i)); err != nil {
					s.Errorf("Deliver: %v", err)
				}
			}
			if err := s.deliver(s.Context(), to, shared); err != nil {
				s.Errorf("Deliver: %v", err)
			}
		})
	}
	group.Wait()
	for i := range workers * each {
		s.arrived(numbered(i))
	}
	s.arrived(shared)
}

// numbered is a report like Ordinary with an ID of its own.
func numbered(i int) *report.Report {
	r := Ordinary()
	r.ID = fmt.Sprintf("%064x", i+1)
	return r
}

func doesNotBegin(s *session) {
	to := s.open()
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for range 16 { // a select between two that are ready takes either
		s.passing(s.deliver(ctx, to, Ordinary()))
	}
	if n := len(s.h.Received()); n != 0 {
		s.Errorf("%d deliveries arrived", n)
	}
	s.accepted(to, Ordinary())
}

func closes(s *session) {
	s.open() // closed without having been used
	to := s.open()
	s.accepted(to, Ordinary())
}

func isRejected(s *session) {
	to := s.open()
	s.h.Reject()
	err := s.deliver(s.Context(), to, Ordinary())
	if !sink.IsPermanent(err) {
		s.Fatalf("want a final error, got %v", err)
	}
	s.h.Accept()
	s.accepted(to, Loss())
}

func isThrottled(s *session) {
	to := s.open()
	want := s.h.Throttle()
	err := s.deliver(s.Context(), to, Ordinary())
	s.passing(err)
	if got := sink.Delay(err); got != want {
		s.Errorf("the destination asked for %s, Delay is %s: %v", want, got, err)
	}
	s.h.Accept()
	s.accepted(to, Ordinary())
}

func meetsFailure(s *session) {
	to := s.open()
	s.accepted(to, Loss())
	s.h.Fail()
	s.passing(s.deliver(s.Context(), to, Ordinary()))
	s.h.Accept()
	s.accepted(to, Ordinary())
}

func meetsNobody(s *session) {
	to := s.open()
	s.accepted(to, Loss())
	s.h.Leave()
	s.passing(s.deliver(s.Context(), to, Ordinary()))
}

func timesOut(s *session) {
	to := s.open()
	_, release := s.h.Hold()
	defer release()
	ctx, cancel := context.WithTimeout(s.Context(), 50*time.Millisecond)
	defer cancel()
	s.passing(s.begin(ctx, to, Ordinary())())
	release()
	s.accepted(to, Ordinary())
}

func isCancelled(s *session) {
	to := s.open()
	arrived, release := s.h.Hold()
	defer release()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	end := s.begin(ctx, to, Ordinary())
	select {
	case <-arrived:
	case <-time.After(s.patience):
		s.Fatal("no delivery reached the destination")
	}
	cancel()
	s.passing(end())
	release()
	s.accepted(to, Ordinary())
}

// hidesSecret meets every kind of error that there is; session looks through them.
func hidesSecret(s *session) {
	to := s.open()
	seen := 0
	attempt := func() {
		if err := s.deliver(s.Context(), to, Ordinary()); err != nil {
			seen++
		}
		if p, ok := to.(sink.Prober); ok {
			if err := p.Probe(s.Context()); err != nil {
				s.look(err)
				seen++
			}
		}
	}
	attempt()
	if s.h.Throttle != nil {
		s.h.Throttle()
		attempt()
	}
	for _, behave := range []func(){s.h.Reject, s.h.Fail, s.h.Leave} {
		if behave != nil {
			behave()
			attempt()
		}
	}
	if seen == 0 {
		s.Error("met no error that could show the secret")
	}
}

func probes(s *session) {
	to := s.open()
	p, ok := to.(sink.Prober)
	if !ok {
		s.Fatal("no Prober: implement it, or give the reason in Lacks")
	}
	if err := p.Probe(s.Context()); err != nil {
		s.Errorf("the destination is there: %v", err)
	}
	if n := len(s.h.Received()); n != 0 {
		s.Errorf("Probe delivered %d reports", n)
	}
	if s.h.Leave == nil {
		return
	}
	s.h.Leave()
	err := p.Probe(s.Context())
	s.look(err)
	if err == nil {
		s.Error("nobody is there, and Probe returned nil")
	}
}
