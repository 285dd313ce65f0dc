package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// batchSink answers each report of a batch as the scripted sink in it does.
type batchSink struct {
	*scriptedSink
	mu      sync.Mutex
	batches [][]string
	short   bool                       // gives too few answers
	spoilt  func(*report.Report) error // of one report, the answer to its whole batch; nil for none
}

func (s *batchSink) setShort(short bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short = short
}

func (s *batchSink) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	var ids []string
	var errs []error
	s.mu.Lock()
	short := s.short
	s.mu.Unlock()
	for _, r := range rs {
		if s.spoilt == nil {
			break
		}
		if err := s.spoilt(r); err != nil {
			return slices.Repeat([]error{err}, len(rs))
		}
	}
	for _, r := range rs {
		ids = append(ids, r.ID)
		if !short {
			errs = append(errs, s.Deliver(ctx, r))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, ids)
	return errs
}

func (s *batchSink) Deliver(ctx context.Context, r *report.Report) error {
	if s.spoilt != nil {
		if err := s.spoilt(r); err != nil {
			return err
		}
	}
	return s.scriptedSink.Deliver(ctx, r)
}

func newBatchBench(t *testing.T) (*bench, *batchSink) {
	b := newBench(t)
	b.policy.Batch = Batch{Max: 50, Wait: 2 * time.Second}
	to := &batchSink{}
	b.wrap = func(s *scriptedSink) sink.Sink { to.scriptedSink = s; return to }
	return b, to
}

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, to := newBatchBench(t)
		b.start()
		b.log.append(newReports(1, 120)...)
		settle()
		if n := len(b.sink.taken()); n != 100 {
			t.Errorf("%d taken at once, want the two full batches", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff(ids(1, 120), sorted(b.sink.taken())); diff != "" || len(to.batches) != 3 {
			t.Errorf("%d batches %s", len(to.batches), diff)
		}
		b.log.append(newReports(121, 123)...)
		settle()
		close(b.drain) // nobody waits at the end
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(ids(1, 123), sorted(b.sink.taken())); diff != "" || b.log.cursor() != 123 {
			t.Error(diff)
		}
	})
}

// TestBatchFailsInPart: each report of a batch has its own end.
func TestBatchFailsInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBatchBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			switch r.Score % 10 {
			case 3:
				return sink.Permanent(errors.New("no"))
			case 7:
				return errDown
			}
			return nil
		})
		for n := range 20 {
			b.log.append(newReports(n*10+1, n*10+10)...)
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if s := b.worker.Status(); s.Parked < 15 {
			t.Errorf("status %+v", s)
		}
		if n := len(b.log.kept(KindDead)); n != 20 {
			t.Errorf("%d dead letters", n)
		}
		b.sink.set(nil)
		time.Sleep(2 * time.Hour)
		b.stop()
		ends := append(b.sink.taken(), b.log.kept(KindDead)...)
		if diff := cmp.Diff(ids(1, 200), sorted(ends)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestOneReportSpoilsItsBatch: what a destination refuses, or fails at, as a whole for the sake of one
// report is delivered but for that one.
func TestOneReportSpoilsItsBatch(t *testing.T) {
	for name, refusal := range map[string]error{"refused": sink.Permanent(errors.New("413")), "failed": errDown} {
		synctest.Test(t, func(t *testing.T) {
			b, to := newBatchBench(t)
			b.policy.Concurrency = 1
			to.spoilt = func(r *report.Report) error {
				if r.Score%60 == 10 {
					return refusal
				}
				return nil
			}
			b.start()
			for n := range 4 {
				b.log.append(newReports(60*n+1, 60*n+60)...)
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			if n := len(b.sink.taken()); n != 236 {
				t.Errorf("%s: %d of 236 good reports went out", name, n)
			}
			dead, parked := len(b.log.kept(KindDead)), len(b.log.kept(KindParked))
			if refused := name == "refused"; refused && (dead != 4 || parked != 0) || !refused && (dead != 0 || parked == 0) {
				t.Errorf("%s: %d dead, %d parked", name, dead, parked)
			}
			b.stop()
		})
	}
}

// TestBatchAndOutage: a batch that fails as a whole is one failure of the sink.
func TestBatchAndOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, to := newBatchBench(t)
		b.policy.Concurrency = 1
		b.start()
		b.sink.set(down)
		b.log.append(newReports(1, 50)...)
		settle()
		if s := b.worker.Status(); s.BreakerOpen {
			t.Error("one failed batch opened the breaker")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := b.worker.Status(); !s.BreakerOpen {
			t.Error("the breaker is not open")
		}
		b.sink.set(nil)
		time.Sleep(time.Minute)
		to.setShort(true)
		b.log.append(newReports(51, 60)...)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := b.worker.Status(); s.LastError != "the sink gave 0 answers for 10 reports" {
			t.Errorf("status %+v", s)
		}
		to.setShort(false)
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(ids(1, 60), slices.Compact(sorted(b.sink.taken()))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestBatchOfAnotherSink: a policy that the sink can not follow delivers one by one.
func TestBatchOfAnotherSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Batch = Batch{Max: 50, Wait: time.Hour}
		b.start()
		b.log.append(newReports(1, 5)...)
		settle()
		b.stop()
		if diff := cmp.Diff(ids(1, 5), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
	})
}
