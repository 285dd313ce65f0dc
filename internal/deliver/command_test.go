package deliver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

var errNo = sink.Permanent(errors.New("no"))

func refuse(context.Context, *report.Report) error { return errNo }

// letters returns the IDs of the dead letters as the log has them.
func (b *bench) letters() (ids []string) {
	b.t.Helper()
	if err := b.worker.DeadLetters(b.t.Context(), func(u Undelivered) error {
		ids = append(ids, u.ID)
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	return ids
}

// TestRetryDeadLetters: what was refused goes out under the same ID once the receiver takes it, and
// is a dead letter again if it still does not.
func TestRetryDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(refuse)
		b.log.append(newReports(1, 3)...)
		settle()
		dead := b.letters()
		if len(dead) != 3 || b.worker.Status().Dead != 3 {
			t.Fatalf("%+v", dead)
		}
		if err := b.worker.Retry(t.Context(), dead[0]); err != nil {
			t.Error(err)
		}
		settle()
		if diff := cmp.Diff([]string{id(1), id(2), id(3)}, b.log.kept(KindDead)); diff != "" {
			t.Error("refused again:", diff)
		}
		b.sink.set(nil)
		for _, id := range dead[:2] {
			if err := b.worker.Retry(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		// On the disk when Retry returns: no longer dead, and not forgotten.
		if diff := cmp.Diff([]string{id(3)}, b.log.kept(KindDead)); diff != "" {
			t.Error(diff)
		}
		settle()
		if diff := cmp.Diff([]string{id(1), id(2)}, sorted(b.sink.taken())); diff != "" {
			t.Error(diff)
		}
		if err := b.worker.Retry(t.Context(), dead[0]); !errors.Is(err, ErrNoDeadLetter) {
			t.Errorf("a second time: %v", err)
		}
		settle()
		if n := len(b.sink.taken()); n != 2 {
			t.Errorf("%d deliveries", n)
		}
		if err := b.worker.Drop(t.Context(), id(3)); err != nil {
			t.Error(err)
		}
		if err := b.worker.Drop(t.Context(), id(3)); !errors.Is(err, ErrNoDeadLetter) {
			t.Errorf("dropped twice: %v", err)
		}
		if kept := b.log.kept(KindDead); kept != nil || b.worker.Status().Dead != 0 {
			t.Errorf("%v", kept)
		}
		if o := b.log.endings[3]; o.Result != string(Dropped) || o.Detail != "dropped by an operator" {
			t.Errorf("of the dropped one is said: %+v", o)
		}
		b.stop()
		if err := b.worker.Drop(t.Context(), id(3)); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestRetryKeepsOverACrash: what was taken back and not delivered yet is tried after the next start.
func TestRetryKeepsOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(refuse)
		b.log.append(newReports(1, 1)...)
		settle()
		b.sink.set(func(ctx context.Context, _ *report.Report) error { <-ctx.Done(); return ctx.Err() })
		if err := b.worker.Retry(t.Context(), id(1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.stop() // while it is on its way
		if o := b.log.endings[1]; o.Result != string(Parked) || o.Detail != "put back by an operator" {
			t.Errorf("of the one put back is said: %+v", o)
		}
		b.sink.set(nil)
		b.start()
		time.Sleep(2 * time.Hour)
		b.stop()
		if diff := cmp.Diff([]string{id(1)}, b.sink.taken()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRetryAtOnce: of two commands that come together one has the letter.
func TestRetryAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(refuse)
		b.log.append(newReports(1, 1)...)
		settle()
		b.sink.set(nil)
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- b.worker.Retry(t.Context(), id(1)) }()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), ErrNoDeadLetter) {
			t.Errorf("%v and %v", first, second)
		}
		settle()
		if n := len(b.sink.taken()); n != 1 {
			t.Errorf("%d deliveries", n)
		}
		b.stop()
	})
}

// TestRetryIsBounded: what is taken back is in memory, so only as much as there is room for.
func TestRetryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(refuse)
		const all = mostParked + 200
		b.log.append(newReports(1, all)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.sink.set(func(ctx context.Context, _ *report.Report) error { <-ctx.Done(); return ctx.Err() })
		dead := b.letters()
		n := 0
		for _, id := range dead {
			switch err := b.worker.Retry(t.Context(), id); {
			case err == nil:
				n++
			case !errors.Is(err, ErrNoRoom):
				t.Fatal(err)
			}
		}
		if n != mostParked {
			t.Errorf("%d of %d", n, len(dead))
		}
		synctest.Wait()
		if s := b.worker.Status(); s.Parked != mostParked || s.Dead != all-mostParked {
			t.Errorf("%+v", s)
		}
		b.stop()
	})
}

// TestFind: where a report stands that the sink has not passed.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.Concurrency = 1
		b.start()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			switch r.Score {
			case 1:
				return errNo
			case 2:
				return errDown
			}
			return nil
		})
		b.log.append(newReports(1, 20)...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		update := &report.Report{ID: "u", Kind: report.KindUpdate, About: []string{id(2)}}
		b.log.append(update)
		settle()
		for _, c := range []struct {
			id     string
			seq    uint64
			state  string
			behind string
		}{
			{id(1), 1, StateDead, ""}, {id(2), 2, StateParked, ""}, {id(3), 3, StatePassed, ""},
			{"u", 21, StateParked, id(2)}, {"later", 300, StateQueued, ""},
		} {
			p, err := b.worker.Find(t.Context(), c.id, c.seq)
			if err != nil || p.State != c.state || p.Behind != c.behind {
				t.Errorf("%s: %+v, %v", c.id, p, err)
			}
			if c.id == id(2) && (p.Attempts < parkAfter || p.Error != "down" || !p.Next.After(time.Now())) {
				t.Errorf("%+v", p)
			}
		}
		b.sink.set(down)
		b.log.append(newReports(31, 32)...)
		settle()
		if p, err := b.worker.Find(t.Context(), id(31), 22); err != nil || p.State != StateTried || p.Attempts == 0 || p.Error != "down" {
			t.Errorf("%+v, %v", p, err)
		}
		b.stop()
	})
}

// TestRetryWhileNothingCanBeSaved does not claim what the disk does not know.
func TestRetryWhileNothingCanBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.sink.set(refuse)
		b.log.append(newReports(1, 1)...)
		settle()
		b.log.mu.Lock()
		b.log.fail = errors.New("disk full")
		b.log.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.worker.Drop(ctx, id(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := b.worker.Drop(t.Context(), id(1)); !errors.Is(err, ErrNoDeadLetter) {
			t.Errorf("taken twice: %v", err)
		}
		b.log.mu.Lock()
		b.log.fail = nil
		b.log.mu.Unlock()
		time.Sleep(time.Minute)
		b.stop()
		if n := len(b.log.kept(KindDead)); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

func TestGroupStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		all := repeats(imageAttack(), 4)
		b.log.append(all...)
		settle()
		summary := summaryOf(b.log.endings[2])
		s, ok, err := b.worker.Group(t.Context(), KeyOf(all[0]).Group)
		if err != nil || !ok || s.Held != 3 || s.Summary != summary || summary == "" || s.Key != KeyOf(all[0]).Group || s.Severity != report.High {
			t.Errorf("%+v %v %v for %s", s, ok, err, summary)
		}
		if _, ok, err := b.worker.Group(t.Context(), "x"); ok || err != nil {
			t.Error(ok, err)
		}
		where := func() string {
			p, err := b.worker.Find(t.Context(), summary, 0)
			if err != nil {
				t.Error(err)
			}
			return p.State
		}
		b.sink.set(down)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := where(); got != StateTried {
			t.Errorf("the summary is %s", got)
		}
		b.sink.set(nil)
		time.Sleep(time.Minute)
		if got := where(); got != StatePassed {
			t.Errorf("the summary is %s", got)
		}
		b.stop()
		if got := b.sink.ofKind(report.KindSummary); len(got) != 1 || got[0].ID != summary {
			t.Errorf("the summary is not the one that was announced: %+v", got)
		}
	})
}
