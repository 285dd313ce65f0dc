package deliver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// replace asks for s and the policy of b, and returns what says that the sink before is released.
func (b *bench) replace(s sink.Sink) <-chan struct{} {
	b.t.Helper()
	program, err := when.Compile(b.when)
	if err != nil {
		b.t.Fatal(err)
	}
	released, err := b.worker.Replace(b.t.Context(), Replacement{
		Sink: s, Policy: b.policy, When: program, Grouping: b.grouping, DeadBytes: b.deadBytes,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return released
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// slowly answers after d.
func slowly(d time.Duration) func(context.Context, *report.Report) error {
	return func(ctx context.Context, _ *report.Report) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestReplace: what is under way ends at the sink before, the rest goes to the new one, and nothing to
// both.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Concurrency = 4
		b.start()
		b.sink.set(slowly(2 * time.Second))
		b.log.append(newReports(1, 100)...)
		time.Sleep(time.Second)

		next := &scriptedSink{}
		released := b.replace(next)
		settle()
		if isClosed(released) || len(next.all()) > 0 {
			t.Fatal("the new sink was used while the one before was")
		}
		<-released
		settle()
		if diff := cmp.Diff(ids(1, 4), sorted(b.sink.taken())); diff != "" {
			t.Error("before:", diff)
		}
		if diff := cmp.Diff(ids(5, 100), sorted(next.taken())); diff != "" {
			t.Error("after:", diff)
		}
		b.stop()
		if b.log.cursor() != 100 {
			t.Errorf("cursor at %d", b.log.cursor())
		}
	})
}

// TestReplaceWhatIsDown: the new sink is tried at once, however long the one before would have been left
// alone, and gets what was parked too.
func TestReplaceWhatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Retry = Retry{Initial: time.Hour, Max: time.Hour, GiveUp: 1000 * time.Hour}
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == id(1) {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 9)...)
		time.Sleep(time.Hour)
		b.log.append(newReports(10, 10)...) // taken after the first has failed
		time.Sleep(10 * time.Hour)          // the first is parked
		b.sink.set(func(context.Context, *report.Report) error { return sink.RetryAfter(errDown, time.Hour) })
		b.log.append(newReports(11, 100)...)
		time.Sleep(12 * time.Hour)
		if s := b.worker.Status(); !s.BreakerOpen || s.Parked != 1 {
			t.Fatalf("%+v", s)
		}
		next := &scriptedSink{}
		<-b.replace(next)
		settle()
		want := append(ids(1, 1), ids(11, 100)...)
		if diff := cmp.Diff(want, sorted(next.taken())); diff != "" {
			t.Error(diff)
		}
		if s := b.worker.Status(); s.BreakerOpen || s.Parked > 0 || s.Backlog > 0 {
			t.Errorf("%+v", s)
		}
		b.stop()
	})
}

// TestReplacePolicy: another policy for the same sink waits for nothing, and a pause that the sink asked
// for stays.
func TestReplacePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Concurrency = 1
		b.start()
		b.sink.set(slowly(time.Second))
		b.log.append(newReports(1, 10)...)
		settle()
		b.policy.Concurrency = 5
		b.when = "score <= 10 || score > 15"
		b.policy.RateLimit = RateLimit{PerMinute: 60}
		if released := b.replace(nil); func() bool { settle(); return !isClosed(released) }() {
			t.Fatal("waits for a delivery to the same sink")
		}
		time.Sleep(1500 * time.Millisecond)
		if n := len(b.sink.taken()); n != 5 {
			t.Errorf("%d taken by five at a time in the second after one, want 5", n)
		}
		b.log.append(newReports(11, 20)...)
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(append(ids(1, 10), ids(16, 20)...), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}

		b.sink.set(func(context.Context, *report.Report) error { return sink.RetryAfter(errDown, time.Hour) })
		b.log.append(newReports(21, 21)...)
		settle()
		before := len(b.sink.all())
		b.policy.Timeout = time.Minute
		<-b.replace(nil)
		settle()
		if n := len(b.sink.all()); n != before {
			t.Error("asked again within the hour in which the sink asked to be left alone")
		}
		b.stop()
	})
}

// TestLeave: what is under way is settled, and the next worker of the name goes on behind it.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Concurrency = 4
		b.start()
		b.sink.set(slowly(time.Second))
		b.log.append(newReports(1, 20)...)
		settle()
		if err := b.worker.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-b.worker.Over()
		if err := <-b.ended; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(1, 4), sorted(b.sink.taken())); diff != "" || b.log.cursor() != 4 {
			t.Errorf("cursor at %d; %s", b.log.cursor(), diff)
		}
		if _, err := b.worker.Replace(t.Context(), Replacement{Policy: b.policy}); !errors.Is(err, ErrStopped) {
			t.Errorf("replaced after its end: %v", err)
		}
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(ids(1, 20), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
	})
}

// TestEndBeforeReplaced: nobody waits for a worker that ended before it could take over.
func TestEndBeforeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(slowly(5 * time.Second))
		b.log.append(newReports(1, 1)...)
		settle()
		released := b.replace(&scriptedSink{})
		if _, err := b.worker.Replace(t.Context(), Replacement{Policy: b.policy}); !errors.Is(err, errBusy) {
			t.Errorf("a second replacement: %v", err)
		}
		b.stop()
		<-released
	})
}
