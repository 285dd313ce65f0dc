package deliver

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// moods are ways in which a sink answers.
const moods = 7

// moody answers as its mood says, by a number that belongs to the report.
func moody(mood *atomic.Int32, number func(*report.Report) int) func(context.Context, *report.Report) error {
	return func(ctx context.Context, r *report.Report) error {
		n := number(r)
		switch mood := mood.Load(); {
		case mood == 1:
			return errDown
		case mood == 2 && n%7 == 0, mood == 3 && n%50 == 0:
			return sink.RetryAfter(errDown, time.Duration(n%2000)*time.Second)
		case mood == 4 && n%19 == 0:
			return sink.Permanent(errDown)
		case mood == 5 && n%11 == 0:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
}

// TestAnyFaults: whatever a sink does and however often the worker restarts, each report is taken or
// with the dead letters in the end, and a restart repeats at most a window.
func TestAnyFaults(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			b := newBench(t)
			b.policy.Retry.GiveUp = 4 * time.Hour
			var mood atomic.Int32
			b.sink.set(moody(&mood, func(r *report.Report) int { return r.Score }))
			last, restarts := 0, 0
			b.start()
			for range 40 {
				more := rng.IntN(60)
				b.log.append(newReports(last+1, last+more)...)
				last += more
				mood.Store(rng.Int32N(moods))
				time.Sleep(time.Duration(rng.IntN(3600)) * time.Second)
				if rng.IntN(3) == 0 {
					b.stop()
					restarts++
					b.start()
				}
			}
			mood.Store(0)
			time.Sleep(12 * time.Hour)
			b.stop()
			var ends []string
			ends = append(ends, b.sink.taken()...)
			ends = append(ends, b.log.kept(KindDead)...)
			twice := len(ends)
			ends = slices.Compact(sorted(ends))
			if diff := cmp.Diff(ids(1, last), ends); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
			if twice -= len(ends); twice > restarts*window {
				t.Errorf("seed %d: %d repeated by %d restarts", seed, twice, restarts)
			}
			if b.log.cursor() != uint64(last) || len(b.log.kept(KindParked)) > 0 {
				t.Errorf("seed %d: cursor %d of %d, parked %v", seed, b.log.cursor(), last, b.log.kept(KindParked))
			}
		})
	}
}

// TestEveryAlertHasOneEnd: random alerts, faults of sink and disk, stops, crashes, silences and
// policies. In the end each alert has exactly one end: it was delivered; it is a dead letter; the
// sink's when did not want it; or it is counted in a report that was delivered or is a dead letter.
func TestEveryAlertHasOneEnd(t *testing.T) {
	seeds := 15
	if soak {
		seeds = 1000
	}
	var seen tallyOfEnds
	seed := uint64(0)
	defer func() {
		if t.Failed() {
			t.Logf("the last seed: %d", seed)
		}
	}()
	for ; seed < uint64(seeds); seed++ {
		synctest.Test(t, func(t *testing.T) {
			c := newChaos(t, seed)
			c.run()
			c.check(&seen)
		})
	}
	t.Logf("%d alerts: %v", seen.alerts, seen.outcomes)
	for _, o := range []Outcome{Delivered, Dead, Filtered, Grouped, Silenced, RateLimited} {
		if seen.outcomes[o] == 0 {
			t.Errorf("no alert was %s: the test shows nothing of it", o)
		}
	}
}

type tallyOfEnds struct {
	alerts   int
	outcomes map[Outcome]int
}
