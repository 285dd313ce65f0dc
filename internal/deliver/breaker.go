package deliver

import (
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/sink"
)

const kindBreaker = "breaker"

// breaker is open while the sink takes nothing.
type breaker struct {
	open     bool
	since    time.Time // of the first of the failures that opened it
	next     time.Time // when to try again
	failures int       // in a row
	err      error     // the last one
}

// restore continues an outage that began before a restart, so that give_up counts from its
// beginning. The sink gets a chance at once.
func (b *breaker) restore(body []byte) {
	if since, err := time.Parse(time.RFC3339Nano, string(body)); err == nil {
		b.open, b.since = true, earlier(since, time.Now())
	}
}

// failing counts a failure of the sink, and opens the breaker when nothing else happens.
func (w *Worker) failing(err error, now time.Time) {
	b := &w.breaker
	b.err = err
	if b.failures++; b.failures == 1 && !b.open {
		b.since = now
	}
	if !b.open && b.failures >= parkAfter {
		b.open = true
		w.changes = append(w.changes, store.Change{
			Kind: kindBreaker, Key: "since", Body: []byte(b.since.UTC().Format(time.RFC3339Nano)),
		})
		w.Logger.Warn().Err(err).Msg("the sink takes nothing; it is tried with one report at a time")
	}
	if b.open {
		b.next = now.Add(max(backoff(w.Policy.Retry, b.failures), sink.Delay(err)))
	}
}

// accepted notes that the sink took a report.
func (w *Worker) accepted() {
	w.taken++
	w.closeBreaker()
}

// closeBreaker ends an outage: the sink answers.
func (w *Worker) closeBreaker() {
	b := &w.breaker
	if b.open {
		w.Logger.Info().Stringer("after", time.Since(b.since).Round(time.Millisecond)).Msg("the sink takes reports again")
		w.changes = append(w.changes, store.Change{Kind: kindBreaker, Key: "since"})
		for i := range w.unfinished() {
			i.next = time.Time{}
		}
	}
	*b = breaker{}
}
