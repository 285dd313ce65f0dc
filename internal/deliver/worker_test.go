package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

func TestDeliversAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.when = "score > 10"
		b.start()
		b.log.append(newReports(1, 3000)...)
		settle()
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(ids(11, 3000), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
		if b.log.cursor() != 3000 || b.worker.Status().Backlog != 0 {
			t.Errorf("cursor at %d, backlog %d", b.log.cursor(), b.worker.Status().Backlog)
		}
		if b.sink.most > b.policy.Concurrency {
			t.Errorf("%d deliveries at once", b.sink.most)
		}
		b.stop()
	})
}

func TestStartNowSkipsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.log.append(newReports(1, 5)...)
		b.start()
		b.log.append(newReports(6, 7)...)
		settle()
		b.stop()
		if diff := cmp.Diff(ids(6, 7), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPassingFailureIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		n := 0
		b.sink.set(func(context.Context, *report.Report) error {
			if n++; n <= 3 {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 1)...)
		time.Sleep(time.Minute)
		tries := b.sink.triesOf(id(1))
		if len(tries) != 4 || tries[3].err != nil {
			t.Fatalf("tries: %v", tries)
		}
		for i, least := range []time.Duration{250, 500, 1000} {
			pause := tries[i+1].at.Sub(tries[i].at)
			if least *= time.Millisecond; pause < least || pause > 2*least {
				t.Errorf("pause %d: %s, want %s to %s", i+1, pause, least, 2*least)
			}
		}
		b.stop()
	})
}

func TestRefusedForGoodGoesToTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == id(2) {
				return sink.Permanent(errors.New("status 400"))
			}
			return nil
		})
		b.log.append(newReports(1, 3)...)
		settle()
		b.stop()
		if diff := cmp.Diff([]string{id(2)}, b.log.kept(KindDead)); diff != "" {
			t.Fatal(diff)
		}
		var u Undelivered
		if err := json.Unmarshal(b.log.state["s"][[2]string{KindDead, id(2)}], &u); err != nil {
			t.Fatal(err)
		}
		var r report.Report
		if err := json.Unmarshal(u.Report, &r); err != nil || r.ID != id(2) || u.Attempts != 1 || u.Error != "status 400" || u.Seq != 2 {
			t.Errorf("dead letter %+v (%v)", u, err)
		}
		if b.log.cursor() != 3 || len(b.sink.triesOf(id(2))) != 1 {
			t.Errorf("cursor %d, tries %v", b.log.cursor(), b.sink.triesOf(id(2)))
		}
	})
}

// TestOutage: a receiver that is down for an hour is tried seldom, and loses nothing.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(down)
		b.log.append(newReports(1, 1000)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		tries := len(b.sink.all())
		if status := b.worker.Status(); tries > 600 || !status.BreakerOpen || status.Backlog != 1000 || status.LastError != "down" {
			t.Errorf("%d tries in an hour, status %+v", tries, status)
		}
		if got := b.log.kept(kindBreaker); len(got) != 1 {
			t.Errorf("the outage is not on disk: %v", got)
		}
		b.sink.set(nil)
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(ids(1, 1000), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
		if len(b.log.kept(kindBreaker))+len(b.log.kept(KindDead))+len(b.log.kept(KindParked)) > 0 {
			t.Errorf("left behind: %v", b.log.state)
		}
	})
}

// TestPoison: a report that the sink never takes holds up nothing, and is given up in the end.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == id(1) {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 1)...)
		for n := 2; n <= 100; n++ {
			b.log.append(newReports(n, n)...)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if diff := cmp.Diff(ids(2, 100), b.sink.taken()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{id(1)}, b.log.kept(KindParked)); diff != "" {
			t.Error(diff)
		}
		if s := b.worker.Status(); s.Parked != 1 || s.BreakerOpen || s.Backlog != 1 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(80 * time.Hour)
		b.stop()
		if got := b.log.kept(KindDead); len(got) != 1 || len(b.log.kept(KindParked)) != 0 {
			t.Errorf("dead %v, parked %v", got, b.log.kept(KindParked))
		}
		tries := b.sink.triesOf(id(1))
		if tried := tries[len(tries)-1].at.Sub(tries[0].at); tried < 72*time.Hour || tried > 74*time.Hour || len(tries) > 200 {
			t.Errorf("tried %d times for %s", len(tries), tried)
		}
	})
}

// TestPoisonAlone: with nothing else to deliver, a bad report looks like a sink that is down. The
// next one shows the difference.
func TestPoisonAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == id(1) {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 1)...)
		time.Sleep(10 * time.Minute)
		if !b.worker.Status().BreakerOpen {
			t.Fatal("the breaker is not open")
		}
		b.log.append(newReports(2, 2)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff(ids(2, 2), b.sink.taken()); diff != "" {
			t.Error(diff)
		}
		if s := b.worker.Status(); s.BreakerOpen || s.Parked != 1 {
			t.Errorf("status %+v", s)
		}
		b.stop()
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Concurrency = 1
		b.start()
		first := true
		b.sink.set(func(context.Context, *report.Report) error {
			if first {
				first = false
				return sink.RetryAfter(errors.New("busy"), 5*time.Minute)
			}
			return nil
		})
		begin := time.Now()
		b.log.append(newReports(1, 1)...)
		settle()
		b.log.append(newReports(2, 9)...)
		time.Sleep(20 * time.Minute)
		b.stop()
		for _, tr := range b.sink.all()[1:] {
			if tr.at.Sub(begin) < 5*time.Minute {
				t.Errorf("%s tried after %s", tr.id, tr.at.Sub(begin))
			}
		}
		if diff := cmp.Diff(ids(1, 9), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
	})
}

// TestHangingDelivery: a request that is never answered ends with its time-out and holds up only
// its own place.
func TestHangingDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		var hung atomic.Bool
		b.sink.set(func(ctx context.Context, r *report.Report) error {
			if r.ID == id(1) && !hung.Swap(true) {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		b.log.append(newReports(1, 200)...)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(b.sink.taken()); n != 199 {
			t.Errorf("%d delivered beside the one that hangs", n)
		}
		time.Sleep(10 * time.Second)
		b.stop()
		if diff := cmp.Diff(ids(1, 200), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
		if got := b.worker.Status().LastError; !strings.HasPrefix(got, "no answer within 10s") {
			t.Errorf("last error %q", got)
		}
	})
}

func TestOrderOfOneAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(context.Context, *report.Report) error {
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
			if rand.IntN(3) == 0 {
				return errDown
			}
			return nil
		})
		var reports []*report.Report
		for n := 1; n <= 40; n++ {
			reports = append(reports, newReports(n, n)...)
			reports = append(reports, &report.Report{ID: id(n) + "-u1", Kind: report.KindUpdate, About: []string{id(n)}},
				&report.Report{ID: id(n) + "-u2", Kind: report.KindUpdate, About: []string{id(n)}})
		}
		b.log.append(reports...)
		time.Sleep(time.Hour)
		b.stop()
		taken := b.sink.taken()
		if len(taken) != 120 {
			t.Fatalf("%d taken", len(taken))
		}
		for n := 1; n <= 40; n++ {
			a, u1, u2 := slices.Index(taken, id(n)), slices.Index(taken, id(n)+"-u1"), slices.Index(taken, id(n)+"-u2")
			if a > u1 || u1 > u2 {
				t.Errorf("%s at %d, its updates at %d and %d", id(n), a, u1, u2)
			}
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(context.Context, *report.Report) error { time.Sleep(time.Second); return nil })
		b.log.append(newReports(1, 100)...)
		close(b.drain)
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(ids(1, 100), sorted(b.sink.taken())); diff != "" || b.log.cursor() != 100 {
			t.Errorf("cursor %d %s", b.log.cursor(), diff)
		}
	})
}

// TestCutShort: what the end of the run cuts short is repeated at the next start, and nothing else.
func TestCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(func(ctx context.Context, r *report.Report) error {
			if r.Score > 50 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		b.log.append(newReports(1, 100)...)
		settle()
		b.stop()
		if b.log.cursor() != 50 {
			t.Fatalf("cursor %d", b.log.cursor())
		}
		b.sink.set(nil)
		b.start()
		settle()
		b.stop()
		if diff := cmp.Diff(ids(1, 100), sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRestartContinues: parked reports and the age of an outage survive a restart.
func TestRestartContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Retry.GiveUp = 10 * time.Hour
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == id(1) {
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 1)...)
		for n := 2; n <= 60; n++ {
			b.log.append(newReports(n, n)...)
			time.Sleep(time.Second)
		}
		b.stop()
		b.sink.set(down)
		b.start()
		if s := b.worker.Status(); s.Parked != 1 {
			t.Errorf("parked after the restart: %+v", s)
		}
		b.log.append(newReports(61, 700)...)
		time.Sleep(6 * time.Hour)
		b.stop()
		b.start()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		// The outage is older than 10 h by now, half of it before the restart; all 640 are given up,
		// though only one at a time was tried.
		if n := len(b.log.kept(KindDead)); n != 641 {
			t.Errorf("%d given up, want all 641", n)
		}
		b.stop()
	})
}

func TestSettleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.log.mu.Lock()
		b.log.fail = errors.New("disk full")
		b.log.mu.Unlock()
		b.log.append(newReports(1, 1000)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		// Not more than a window may be delivered and not settled.
		if n := len(b.sink.taken()); n != window {
			t.Errorf("%d delivered while nothing can be settled", n)
		}
		b.log.mu.Lock()
		b.log.fail = nil
		b.log.mu.Unlock()
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(ids(1, 1000), sorted(b.sink.taken())); diff != "" || b.log.cursor() != 1000 {
			t.Errorf("cursor %d %s", b.log.cursor(), diff)
		}
	})
}

func TestIdleWorkerSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.log.append(newReports(1, 5)...)
		settle()
		before := b.log.settles
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if b.log.settles != before {
			t.Errorf("%d settlements while idle", b.log.settles-before)
		}
		b.stop()
	})
}

func TestExpandAndWhenError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.when = `int(fields["x"]) > 3` // fails: there is no such field, and "" is no number
		b.start()
		b.worker.Expand = func(r *report.Report) *report.Report {
			c := *r
			c.Title = "expanded"
			return &c
		}
		var title string
		b.sink.set(func(_ context.Context, r *report.Report) error { title = r.Title; return nil })
		all := newReports(1, 1)
		b.log.append(all...)
		settle()
		b.stop()
		if title != "expanded" || all[0].Title != "" {
			t.Errorf("delivered %q, the log's own is %q", title, all[0].Title)
		}
	})
}
