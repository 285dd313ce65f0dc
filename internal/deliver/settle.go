package deliver

import (
	"context"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// settlement is one attempt to move the cursor, and its end.
type settlement struct {
	store.Settlement
	made    []*item // go out once it is done
	waiters []waiter
	err     error
}

// settleTimeout bounds one attempt. That one was cut short does no harm: it is repeated.
const settleTimeout = 10 * time.Second

// settle moves the cursor on disk behind what is done, with everything that must be remembered. One
// attempt is under way at a time; what gathers meanwhile goes with the next.
func (w *Worker) settle() {
	w.advance()
	w.makeReports(time.Now())
	if w.settling || time.Now().Before(w.settleAfter) || !w.unsettled() {
		return
	}
	s := w.gather()
	w.settling = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		s.err = w.Log.Settle(ctx, w.Name, s.Settlement)
		w.settles <- s
	}()
}

// unsettled reports whether there is anything to settle.
func (w *Worker) unsettled() bool {
	return w.position() != w.settled || len(w.changes)+len(w.outcomes)+len(w.withheld.dirty) > 0 || w.groups.unsaved() || w.Memory.unsaved()
}

// gather takes everything that is to be settled now.
func (w *Worker) gather() settlement {
	changes, err := w.groups.changes()
	if err != nil {
		w.Logger.Error().Err(err).Msg("a group can not be kept")
	}
	s := settlement{
		Settlement: store.Settlement{
			UpTo: w.position(), Changes: slices.Concat(w.changes, changes, w.withheld.changes(), w.Memory.changes()), Outcomes: w.outcomes,
		},
		made: w.unsaved, waiters: w.waiters,
	}
	w.changes, w.outcomes, w.unsaved, w.waiters = nil, nil, nil, nil
	return s
}

func (w *Worker) settledUpTo(s settlement) {
	w.settling = false
	if s.err != nil {
		w.changes = append(s.Changes, w.changes...)
		w.outcomes = append(s.Outcomes, w.outcomes...)
		w.unsaved = append(s.made, w.unsaved...)
		w.waiters = append(s.waiters, w.waiters...)
		if w.settleFailures++; w.settleFailures == 1 {
			w.Logger.Error().Err(s.err).Msg("can not save how far the sink is; trying again")
		}
		w.settleAfter = time.Now().Add(backoff(w.Policy.Retry, w.settleFailures))
		return
	}
	if w.settleFailures > 0 {
		w.Logger.Info().Msg("how far the sink is can be saved again")
	}
	w.settleFailures = 0
	w.settled = max(w.settled, s.UpTo)
	w.saved(s.made)
	for _, told := range s.waiters {
		told.then()
		close(told.done)
	}
}
