package deliver

import (
	"context"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// settlement is the end of one attempt to move the cursor.
type settlement struct {
	upTo    uint64
	changes []store.Change
	waiters []waiter // for the changes
	err     error
}

// settleTimeout bounds one attempt. That one was cut short does no harm: it is repeated.
const settleTimeout = 10 * time.Second

// settle moves the cursor on disk behind what is done, with everything that must be remembered. One
// attempt is under way at a time; what gathers meanwhile goes with the next.
func (w *Worker) settle() {
	w.advance()
	upTo := w.position()
	if w.settling || time.Now().Before(w.settleAfter) {
		return
	}
	if upTo == w.settled && len(w.changes) == 0 {
		return
	}
	changes, waiters := w.changes, w.waiters
	w.changes, w.waiters = nil, nil
	w.settling = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		err := w.Log.Settle(ctx, w.Name, store.Settlement{UpTo: upTo, Changes: changes})
		w.settles <- settlement{upTo, changes, waiters, err}
	}()
}

func (w *Worker) settledUpTo(s settlement) {
	w.settling = false
	if s.err != nil {
		w.changes = append(s.changes, w.changes...)
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
	w.settled = max(w.settled, s.upTo)
	w.tell(s.waiters)
}

func (w *Worker) tell(waiters []waiter) {
	for _, told := range waiters {
		told.then()
		close(told.done)
	}
}
