package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Replacement is what a running worker delivers by from now on.
type Replacement struct {
	// Sink takes the place of the one before; nil keeps it.
	Sink      sink.Sink
	Policy    Policy
	When      *when.Program
	Grouping  Grouping
	DeadBytes int
}

// replacement is one that waits for deliveries to the sink before to end.
type replacement struct {
	Replacement
	done chan struct{}
}

// errBusy: a worker takes one replacement at a time.
var errBusy = errors.New("a replacement is under way already")

// Replace gives the worker another sink, another policy, or both. Nothing of what it holds is lost or
// repeated: its place in the log, what is parked, groups and counts go on as they are.
//
// A new sink gets its first report once the deliveries to the one before have ended, each of which ends
// within the timeout of the old policy: two sinks can be one file. Then, or when the worker ends first,
// released closes, and the sink before can be closed. What waits out a pause after a failure is tried at
// once: whoever changes a sink wants to see whether that helped.
func (w *Worker) Replace(ctx context.Context, by Replacement) (released <-chan struct{}, err error) {
	r := &replacement{by, make(chan struct{})}
	err = w.command(ctx, func() error {
		if w.next != nil {
			return errBusy
		}
		w.next = r
		return nil
	})
	return r.done, err
}

// Leave ends Run: deliveries under way end, each within the timeout, and are settled; no other begins.
// What is not delivered stays in the log under the sink's name. Over says when Run has ended.
func (w *Worker) Leave(ctx context.Context) error {
	return w.command(ctx, func() error {
		w.leaving = true
		return nil
	})
}

// Over closes when Run has ended.
func (w *Worker) Over() <-chan struct{} { return w.over }

// pausing reports whether no delivery may begin, until those under way have ended.
func (w *Worker) pausing() bool { return w.leaving || w.next != nil && w.next.Sink != nil }

// takeOver does what Replace asked for, once it can be done.
func (w *Worker) takeOver(now time.Time) {
	r := w.next
	if r == nil || r.Sink != nil && w.flying > 0 {
		return
	}
	w.next = nil
	if r.Policy.RateLimit != w.Policy.RateLimit {
		w.limit = newBucket(r.Policy.RateLimit, now)
	}
	another := r.Sink != nil
	if another {
		w.Sink, w.quietUntil = r.Sink, time.Time{}
	}
	if another || r.Policy != w.Policy {
		w.tryNow(now)
	}
	w.Policy, w.When, w.DeadBytes, w.groups.Grouping = r.Policy, r.When, r.DeadBytes, r.Grouping
	w.chooseBatch()
	w.trimDead()
	close(r.done)
}

// tryNow ends the pauses after failures.
func (w *Worker) tryNow(now time.Time) {
	w.breaker.next = time.Time{}
	for i := range w.unfinished() {
		i.next = time.Time{}
	}
	for _, p := range w.parked {
		p.Next = now
	}
}

// chooseBatch finds out whether reports go several at a time.
func (w *Worker) chooseBatch() {
	w.batch = nil
	if w.Policy.Batch.Max <= 1 {
		return
	}
	batch, ok := w.Sink.(sink.BatchSink)
	if !ok {
		w.Logger.Warn().Msg("batch has no effect: this sink takes one report at a time")
	}
	w.batch = batch
}
