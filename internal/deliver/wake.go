package deliver

import (
	"context"
	"math/rand/v2"
	"time"
)

// nextWake is how long until there is something to do.
func (w *Worker) nextWake() time.Duration {
	const idle = time.Hour
	now := time.Now()
	due := now.Add(idle)
	if at := w.nextMade(now); !at.IsZero() && at.Before(due) {
		due = at
	}
	if at := w.nextAttempt(due); at.Before(due) {
		due = at
	}
	return w.nextSettle(max(0, due.Sub(now)))
}

// nextAttempt is when the next delivery may go, if that is before due.
func (w *Worker) nextAttempt(due time.Time) time.Time {
	if w.flying >= w.Policy.Concurrency || w.breaker.open && w.flying > 0 || w.pausing() {
		return due
	}
	any := false
	at := due
	for i := range w.unfinished() {
		if !w.waits(i) {
			continue
		}
		any = true
		if next := w.dueAt(i); next.Before(at) {
			at = next
		}
	}
	if w.breaker.open && any && at.After(w.breaker.next) {
		at = w.breaker.next
	}
	for _, p := range w.parked {
		if !p.flying && p.Next.Before(at) && w.isFirst(p) {
			at = p.Next
		}
	}
	if w.breaker.open && at.Before(w.breaker.next) {
		at = w.breaker.next
	}
	if at.Before(w.quietUntil) {
		at = w.quietUntil
	}
	return at
}

// nextSettle returns d, or less if a failed settlement is due before.
func (w *Worker) nextSettle(d time.Duration) time.Duration {
	if w.settleFailures == 0 || w.settling {
		return d
	}
	return max(0, min(d, time.Until(w.settleAfter)))
}

// backoff is the pause after a number of failures in a row: doubling from initial up to max, less a
// random part of up to a half, so that workers do not come back in step.
func backoff(r Retry, failures int) time.Duration {
	d := r.Initial
	for ; failures > 1 && d < r.Max; failures-- {
		d *= 2
	}
	d = min(d, r.Max)
	return d - time.Duration(rand.Int64N(int64(d)/2+1)) //nolint:gosec // jitter need not be secret
}

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
