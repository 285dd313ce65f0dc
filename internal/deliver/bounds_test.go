package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// TestDeadLettersAreBounded: a receiver that refuses everything must not fill the log, from which
// dead letters are never removed to make room.
func TestDeadLettersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.deadBytes = 20 << 10
		b.start()
		b.sink.set(func(context.Context, *report.Report) error { return sink.Permanent(errors.New("status 400")) })
		b.log.append(newReports(1, 500)...)
		settle()
		b.stop()
		kept := b.log.kept(KindDead)
		bytes := 0
		for key, body := range b.log.state["s"] {
			if key[0] == KindDead {
				bytes += len(body)
			}
		}
		if len(kept) == 0 || bytes > b.deadBytes || kept[len(kept)-1] != id(500) || b.dropped != 500-len(kept) {
			t.Fatalf("%d bytes, %d dropped, kept %v", bytes, b.dropped, kept)
		}
		if gone, last := b.log.endings[1].Result, b.log.endings[500].Result; gone != string(Dropped) || last != string(Dead) {
			t.Errorf("the first is %s, the last %s", gone, last)
		}
		// After a restart with less room the oldest go, and only they; not before the worker runs, since one
		// that is made for a reload which is rejected saves nothing.
		b.deadBytes /= 2
		before := b.dropped
		b.open()
		if b.dropped != before {
			t.Errorf("a worker that does not run lost %d", b.dropped-before)
		}
		b.start()
		settle()
		b.stop()
		less := b.log.kept(KindDead)
		if len(less) > len(kept)/2 || len(less) == 0 || !slices.Equal(less, kept[len(kept)-len(less):]) {
			t.Errorf("kept %v of %v", less, kept)
		}
	})
}

// TestManyPoisonedReports: whoever knows what text the receiver does not take can send any number of
// such reports. They must not keep the sink from the others.
func TestManyPoisonedReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.Score%2 == 1 {
				return errDown
			}
			return nil
		})
		const last = 3 * mostParked
		b.log.append(newReports(1, last)...)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		parked := b.worker.Status().Parked
		b.stop()
		var good []string
		for n := 2; n <= last; n += 2 {
			good = append(good, id(n))
		}
		if diff := cmp.Diff(good, sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
		if dead := len(b.log.kept(KindDead)); parked > mostParked || parked+dead < last/2-window {
			t.Errorf("%d parked and %d dead letters of %d", parked, dead, last/2)
		}
	})
}

// TestWallOfPoisonedReports: hundreds of reports in a row that the receiver does not take, and behind
// them one that it does. To the worker that looks like an outage at first.
func TestWallOfPoisonedReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		const wall = 2 * window
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.Score <= wall {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, wall+500)...)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		b.stop()
		taken := b.sink.taken()
		if diff := cmp.Diff(ids(wall+1, wall+500), sorted(taken)); diff != "" {
			t.Error(diff)
		}
		if len(b.worker.early) > 0 {
			t.Errorf("still remembered: %v", b.worker.early)
		}
	})
}

// TestLongReportsAreReadInSmallNumbers: the window is bounded by bytes as well.
func TestLongReportsAreReadInSmallNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(down)
		long := newReports(1, 40)
		for _, r := range long {
			r.Summary = strings.Repeat("x", 1<<20)
		}
		b.log.append(long...)
		time.Sleep(time.Hour)
		synctest.Wait()
		held := b.worker.held // the worker is at rest
		b.sink.set(nil)
		time.Sleep(time.Minute)
		b.stop()
		if held > windowBytes+2<<20 || held < windowBytes {
			t.Errorf("%d bytes read ahead", held)
		}
		if got := len(b.sink.taken()); got != len(long) || b.worker.held != 0 {
			t.Errorf("%d delivered, %d bytes held", got, b.worker.held)
		}
	})
}

// TestParkedAreBoundedByBytes: parked reports stay in memory.
func TestParkedAreBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if len(r.Summary) > 0 {
				return errDown
			}
			return nil
		})
		mixed := newReports(1, 40)
		for _, r := range mixed[:20] {
			r.Summary = strings.Repeat("x", 1<<20)
		}
		slices.SortFunc(mixed, func(a, b *report.Report) int { return a.Score%20 - b.Score%20 })
		b.log.append(mixed...)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if b.worker.aside > parkedBytes || b.worker.Status().Parked == 0 {
			t.Errorf("%d bytes in %d parked reports", b.worker.aside, b.worker.Status().Parked)
		}
		b.stop()
		if got := len(b.sink.taken()); got != 20 {
			t.Errorf("%d delivered", got)
		}
	})
}
