package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// ErrStopped: the worker delivers no more.
var ErrStopped = errors.New("the sink has stopped: filelessd is stopping")

// do has f run on the worker's goroutine, which owns all state, and returns when it ran.
func (w *Worker) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case w.commands <- func() { defer close(ran); f() }:
		<-ran
		return nil
	case <-w.ended:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onDisk returns when what f changed is on the disk.
func (w *Worker) onDisk(ctx context.Context, f func()) error {
	saved := make(chan error, 1)
	if err := w.do(ctx, func() {
		f()
		w.watchers = append(w.watchers, saved)
	}); err != nil {
		return err
	}
	select {
	case err := <-saved:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Retry takes dead letters back, under their own IDs: they are tried at once, beside what is new, and
// then as any parked report, give_up counting anew. It takes as many, from the first, as there is
// room for beside what is parked already, and returns how many, when that is on the disk. A letter
// that is none any more counts as taken.
func (w *Worker) Retry(ctx context.Context, letters []Undelivered) (taken int, err error) {
	ready := make([]*parked, len(letters))
	for i, u := range letters {
		p := &parked{Undelivered: u, report: new(report.Report)}
		if err := json.Unmarshal(u.Report, p.report); err != nil {
			return 0, errors.Join(errors.New(u.ID+" is no report, and can only be shown or dropped"), err)
		}
		p.Since, p.At, p.Next, p.Attempts = time.Time{}, time.Time{}, time.Time{}, 0
		p.about = aboutOf(p.report)
		ready[i] = p
	}
	n := 0 // not taken: the worker may still be at it when ctx has ended
	err = w.onDisk(ctx, func() {
		for _, p := range ready {
			if len(w.parked) >= mostParked || w.aside+len(p.Report) > parkedBytes {
				break
			}
			if n++; w.exhume(p.ID) {
				w.keepParked(p)
				w.remember(kindParked, &p.Undelivered)
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Drop forgets dead letters for good, and returns how many there were when that is on the disk.
func (w *Worker) Drop(ctx context.Context, ids []string) (dropped int, err error) {
	n := 0
	err = w.onDisk(ctx, func() {
		for _, id := range ids {
			if w.exhume(id) {
				w.Logger.Warn().Str("id", id).Msg("a dead letter was dropped on command")
				n++
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// exhume takes a letter from the dead ones, and reports whether it was there.
func (w *Worker) exhume(id string) bool {
	i := slices.IndexFunc(w.dead.letters, func(l deadLetter) bool { return l.id == id })
	if i < 0 {
		return false
	}
	w.dead.bytes -= w.dead.letters[i].bytes
	w.dead.letters = slices.Delete(w.dead.letters, i, i+1)
	w.changes = append(w.changes, store.Change{Kind: KindDead, Key: id})
	w.Metrics.dead(w.Name, len(w.dead.letters))
	return true
}

// Pending is where a report stands that the sink has not passed.
type Pending struct {
	State    string    `json:"state"`    // one of the states below
	Attempts int       `json:"attempts"` // so far
	First    time.Time `json:"first"`    // failure; zero for none
	Last     time.Time `json:"last"`     // try
	Next     time.Time `json:"next"`     // not before; zero for at once
	Error    string    `json:"error"`    // of the last try
	Behind   string    `json:"behind"`   // the report that has to go before
}

// The states of a Pending.
const (
	StateQueued = "queued" // in the log, not looked at yet
	StateTried  = "waiting"
	StateFlying = "in_flight"
	StateParked = "parked"
	StateDead   = "dead"
	StatePassed = "passed" // delivered, or not wanted
)

// Find says where the report stands that is record seq of the log.
func (w *Worker) Find(ctx context.Context, id string, seq uint64) (p Pending, err error) {
	var found Pending
	err = w.do(ctx, func() { found = w.find(id, seq) })
	if err != nil {
		return Pending{}, err
	}
	return found, nil
}

func (w *Worker) find(id string, seq uint64) Pending {
	if p := w.parked[id]; p != nil {
		found := Pending{
			State: StateParked, Attempts: p.Attempts, First: p.Since, Last: p.At, Next: p.Next, Error: p.Error,
		}
		if first := w.parkedAbout(p.about); first != p {
			found.Behind = first.ID
		}
		if p.flying {
			found.State = StateFlying
		}
		return found
	}
	if slices.ContainsFunc(w.dead.letters, func(l deadLetter) bool { return l.id == id }) {
		return Pending{State: StateDead}
	}
	if seq > w.read && !w.early[seq] {
		return Pending{State: StateQueued}
	}
	for _, i := range w.queue {
		if i.record.Seq != seq || i.state == done {
			continue
		}
		found := Pending{State: StateTried, Attempts: i.failures, First: i.first, Last: i.last, Next: i.next, Error: i.err}
		if i.state == flying {
			found.State = StateFlying
		}
		if first := w.chains[i.about][0]; first != i {
			found.Behind = first.record.ID
		}
		return found
	}
	return Pending{State: StatePassed}
}
