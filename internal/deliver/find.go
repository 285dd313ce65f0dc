package deliver

import (
	"context"
	"slices"
	"time"
)

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

// Find says where the report stands that is record seq of the log, or with 0 for seq one that the
// worker made.
func (w *Worker) Find(ctx context.Context, id string, seq uint64) (p Pending, err error) {
	var found Pending
	err = w.command(ctx, func() error {
		found = w.find(id, seq)
		return nil
	})
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
	for i := range w.unfinished() {
		if d := i.dead; i.record.Seq == seq && d != nil {
			return Pending{State: StateDead, Attempts: d.Attempts, First: d.Since, Last: d.At, Error: d.Error}
		}
		if i.record.Seq != seq || i.record.ID != id || i.state == done {
			continue
		}
		if i.state == unsaved || i.state == unwanted {
			return Pending{State: StateQueued}
		}
		found := Pending{State: StateTried, Attempts: i.failures, First: i.first, Last: i.last, Next: i.next, Error: errorText(i.err)}
		if i.state == flying {
			found.State = StateFlying
		}
		if first := w.chains[i.chain][0]; first != i {
			found.Behind = first.record.ID
		}
		return found
	}
	return Pending{State: StatePassed}
}
