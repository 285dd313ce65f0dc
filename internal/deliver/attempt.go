package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// result is the end of one delivery: of a record in the window, of one beyond it, or of a parked one.
type result struct {
	item   *item
	ahead  bool
	parked *parked
	err    error
	cut    bool // by the end of the run: says nothing of the sink
}

// dispatch starts as many deliveries as may go now.
func (w *Worker) dispatch(ctx context.Context) {
	now := time.Now()
	if ctx.Err() != nil || now.Before(w.quietUntil) {
		return
	}
	if w.breaker.open {
		w.probe(ctx, now)
		return
	}
	for _, i := range w.queue {
		if w.flying >= w.Policy.Concurrency {
			return
		}
		if w.waits(i) && !i.next.After(now) {
			w.start(ctx, i)
		}
	}
	for _, p := range w.parked {
		if w.flying >= w.Policy.Concurrency {
			return
		}
		if w.dueParked(p, now) {
			w.startParked(ctx, p)
		}
	}
}

// probe tries one record while the breaker is open: the one that was not tried for longest, so that
// one bad report does not keep a healthy sink shut.
func (w *Worker) probe(ctx context.Context, now time.Time) {
	if w.flying > 0 || now.Before(w.breaker.next) {
		return
	}
	var choice *item
	for _, i := range w.queue {
		if w.waits(i) && (choice == nil || i.last.Before(choice.last)) {
			choice = i
		}
	}
	if w.tryAhead(ctx) {
		return
	}
	if choice != nil {
		w.start(ctx, choice)
		return
	}
	for _, p := range w.parked {
		if w.dueParked(p, now) {
			w.startParked(ctx, p)
			return
		}
	}
}

func (w *Worker) start(ctx context.Context, i *item) {
	i.state = flying
	i.last = time.Now()
	w.fly(ctx, i.report, result{item: i})
}

// fly runs one delivery on its own goroutine, which stop waits for.
func (w *Worker) fly(ctx context.Context, r *report.Report, end result) {
	w.flying++
	go func() {
		end.err = w.deliver(ctx, r)
		end.cut = end.err != nil && ctx.Err() != nil
		w.results <- end
	}()
}

func (w *Worker) deliver(ctx context.Context, r *report.Report) error {
	ctx, cancel := context.WithTimeout(ctx, w.Policy.Timeout)
	defer cancel()
	if w.Expand != nil {
		r = w.Expand(r)
	}
	err := w.Sink.Deliver(ctx, r)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !sink.IsPermanent(err) {
		return fmt.Errorf("no answer within %s: %w", w.Policy.Timeout, err)
	}
	return err
}

// finish takes the result of a delivery.
func (w *Worker) finish(r result) {
	w.flying--
	if r.parked != nil {
		w.finishParked(r)
		return
	}
	if r.ahead {
		w.finishAhead(r)
		return
	}
	i := r.item
	switch {
	case r.err == nil:
		w.Metrics.delivered(w.Name, time.Since(i.record.Time))
		w.accepted()
		w.close(i)
	case sink.IsPermanent(r.err):
		w.Logger.Error().Err(r.err).Str("id", i.record.ID).Msg("refused for good; the report is with the dead letters")
		w.bury(i.record, i.failures+1, i.failedSince(), r.err)
		w.closeBreaker()
		w.close(i)
	case r.cut:
		i.state = waiting
	default:
		w.failed(i, r.err)
	}
}

// failed decides what follows a delivery that may succeed another time.
func (w *Worker) failed(i *item, err error) {
	now := time.Now()
	w.Metrics.count(w.Name, Failed)
	w.noteFailure(err, now)
	i.state, i.err = waiting, err.Error()
	if i.failures++; i.failures == 1 {
		i.first, i.taken = now, w.taken
	}
	i.next = now.Add(max(backoff(w.Policy.Retry, i.failures), sink.Delay(err)))
	switch {
	case w.givenUp(i, now):
		w.giveUp(i, err)
	case i.doubted:
		w.park(i, err)
		return // it says nothing of the sink, which took something else meanwhile
	case i.failures >= parkAfter && w.taken > i.taken:
		w.park(i, err)
	}
	w.failing(err, now)
	if w.breaker.open {
		w.giveUpWaiting(now, err)
	}
}

// givenUp reports whether i was tried for long enough: since it first failed, or since the sink
// takes nothing at all.
func (w *Worker) givenUp(i *item, now time.Time) bool {
	since := i.first
	if w.breaker.open {
		since = w.breaker.since
		if i.record.Time.After(since) {
			since = i.record.Time
		}
	}
	return !since.IsZero() && now.Sub(since) > w.Policy.Retry.GiveUp
}

// giveUpWaiting gives up what waited out a long outage without a try of its own, so that an outage
// of days does not end with a backlog that takes days to be given up one by one.
func (w *Worker) giveUpWaiting(now time.Time, err error) {
	for _, i := range w.queue {
		if w.waits(i) && w.givenUp(i, now) {
			w.giveUp(i, fmt.Errorf("the sink takes nothing since %s: %w", w.breaker.since.UTC().Format(time.RFC3339), err))
		}
	}
}

func (w *Worker) giveUp(i *item, err error) {
	w.Logger.Error().Err(err).Str("id", i.record.ID).Stringer("give_up", w.Policy.Retry.GiveUp).
		Msg("tried for too long; the report is with the dead letters")
	w.bury(i.record, i.failures, i.failedSince(), err)
	w.close(i)
}

func (i *item) failedSince() time.Time {
	if i.first.IsZero() {
		return time.Now()
	}
	return i.first
}
