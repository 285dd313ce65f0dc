package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// result is the end of one delivery: of items, of a record beyond the window, or of a parked one.
type result struct {
	items  []*item
	ahead  bool
	parked *parked
	errs   []error // one for each
	cut    bool    // by the end of the run: an error says nothing of the sink
}

// dispatch starts as many deliveries as may go now.
func (w *Worker) dispatch(ctx context.Context) {
	now := time.Now()
	if ctx.Err() != nil || now.Before(w.quietUntil) || w.pausing() {
		return
	}
	if w.breaker.open {
		w.probe(ctx, now)
		return
	}
	var together []*item
	late := w.draining // whether one of them has waited long enough for others
	for i := range w.unfinished() {
		if w.flying >= w.Policy.Concurrency {
			return
		}
		if !w.waits(i) || i.next.After(now) {
			continue
		}
		if i.alone {
			w.start(ctx, i)
			continue
		}
		together = append(together, i)
		late = late || !w.dueAt(i).After(now)
		if len(together) >= w.most() {
			w.start(ctx, together...)
			together, late = nil, w.draining
		}
	}
	if len(together) > 0 && late && w.flying < w.Policy.Concurrency {
		w.start(ctx, together...)
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

// most is how many reports make one delivery.
func (w *Worker) most() int {
	if w.batch == nil {
		return 1
	}
	return w.Policy.Batch.Max
}

// dueAt is when i should go, with others or alone.
func (w *Worker) dueAt(i *item) time.Time {
	if w.most() == 1 || w.draining {
		return i.next
	}
	if alone := i.ready.Add(w.Policy.Batch.Wait); alone.After(i.next) {
		return alone
	}
	return i.next
}

// probe tries one report while the breaker is open: the one that was not tried for longest, so that
// one bad report does not keep a healthy sink shut.
func (w *Worker) probe(ctx context.Context, now time.Time) {
	if w.flying > 0 || now.Before(w.breaker.next) {
		return
	}
	var choice *item
	for i := range w.unfinished() {
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

func (w *Worker) start(ctx context.Context, items ...*item) {
	reports := make([]*report.Report, len(items))
	for n, i := range items {
		i.state = flying
		i.last = time.Now()
		i.tries++
		reports[n] = i.report
	}
	w.fly(ctx, reports, result{items: items})
}

// fly runs one delivery on its own goroutine, which stop waits for.
func (w *Worker) fly(ctx context.Context, rs []*report.Report, end result) {
	w.flying++
	threads, to := w.threads(end), destination{w.Sink, w.batch, w.Policy.Timeout}
	go func() {
		end.errs = w.deliver(sink.WithThreads(ctx, threads), to, rs)
		end.cut = ctx.Err() != nil
		w.results <- end
	}()
}

// destination is where a delivery goes: what it was when the delivery began.
type destination struct {
	sink    sink.Sink
	batch   sink.BatchSink
	timeout time.Duration
}

func (w *Worker) deliver(ctx context.Context, to destination, rs []*report.Report) []error {
	ctx, cancel := context.WithTimeout(ctx, to.timeout)
	defer cancel()
	if w.Expand != nil {
		for n, r := range rs {
			rs[n] = w.Expand(r)
		}
	}
	errs := make([]error, len(rs))
	if len(rs) == 1 {
		errs[0] = to.sink.Deliver(ctx, rs[0])
	} else if got := to.batch.DeliverBatch(ctx, rs); len(got) == len(rs) {
		copy(errs, got)
	} else {
		for n := range errs {
			errs[n] = fmt.Errorf("the sink gave %d answers for %d reports", len(got), len(rs))
		}
	}
	for n, err := range errs {
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !sink.IsPermanent(err) {
			errs[n] = fmt.Errorf("no answer within %s: %w", to.timeout, err)
		}
	}
	return errs
}

// finish takes the result of a delivery.
func (w *Worker) finish(r result) {
	w.flying--
	if r.parked != nil {
		w.finishParked(r.parked, r.errs[0], r.cut)
		return
	}
	if r.ahead {
		w.finishAhead(r.items[0], r.errs[0], r.cut)
		return
	}
	// What the sink took or refused comes first: it tells what failed beside it from an outage.
	answered, whole := false, refusedWhole(r)
	for n, i := range r.items {
		switch err := r.errs[n]; {
		case err == nil:
			w.Metrics.delivered(w.Name, time.Since(i.record.Time))
			w.accepted()
			w.close(i, Delivered)
			answered = true
		case sink.IsPermanent(err) && whole:
			w.Metrics.count(w.Name, Failed)
			w.noteFailure(err, time.Now())
			w.closeBreaker()
			i.state, i.err, i.alone = waiting, err, true
			answered = true
		case sink.IsPermanent(err):
			w.Logger.Error().Err(err).Str("id", i.record.ID).Msg("refused for good; the report is with the dead letters")
			i.err = err
			w.bury(undelivered(i.record, i.failures+1, i.failedSince(), time.Now(), err), i)
			w.closeBreaker()
			w.close(i, Dead)
			answered = true
		case r.cut:
			i.state = waiting
			i.tries--
		}
	}
	now := time.Now()
	var failure error
	for n, i := range r.items {
		if i.state == flying && w.failed(i, r.errs[n], now) {
			failure = r.errs[n]
		}
	}
	if failure == nil {
		return
	}
	if !answered {
		w.failing(failure, now)
	}
	if w.breaker.open {
		w.giveUpWaiting(now, failure)
	}
}

// refusedWhole reports whether all of a batch was refused for good. Many destinations do that for the
// sake of one report in it, and do not say which. What a report says is the attacker's, so the others
// get a delivery of their own before they are given up.
func refusedWhole(r result) bool {
	for _, err := range r.errs {
		if !sink.IsPermanent(err) {
			return false
		}
	}
	return len(r.errs) > 1
}

// failed decides what follows a delivery that may succeed another time, and reports whether it says
// something of the sink.
func (w *Worker) failed(i *item, err error, now time.Time) bool {
	w.Metrics.count(w.Name, Failed)
	w.noteFailure(err, now)
	i.state, i.err = waiting, err
	if i.failures++; i.failures == 1 {
		i.first, i.taken = now, w.taken
	}
	i.next = now.Add(max(backoff(w.Policy.Retry, i.failures), sink.Delay(err)))
	switch {
	case w.givenUp(i, now):
		w.giveUp(i, err)
	case i.doubted:
		w.park(i, err)
		return false // the sink took something else meanwhile
	case i.failures >= parkAfter && w.taken > i.taken:
		w.park(i, err)
	}
	return true
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
	for i := range w.unfinished() {
		if w.waits(i) && w.givenUp(i, now) {
			w.giveUp(i, fmt.Errorf("the sink takes nothing since %s: %w", w.breaker.since.UTC().Format(time.RFC3339), err))
		}
	}
}

func (w *Worker) giveUp(i *item, err error) {
	w.Logger.Error().Err(err).Str("id", i.record.ID).Stringer("give_up", w.Policy.Retry.GiveUp).
		Msg("tried for too long; the report is with the dead letters")
	i.err = err
	w.bury(undelivered(i.record, i.failures, i.failedSince(), time.Now(), err), i)
	w.close(i, Dead)
}

func (i *item) failedSince() time.Time {
	if i.first.IsZero() {
		return time.Now()
	}
	return i.first
}
