package deliver

import (
	"errors"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// Outcome is what became of a report at a sink.
type Outcome string

// The outcomes.
const (
	Delivered   Outcome = "delivered"
	Filtered    Outcome = "filtered"     // the sink's when did not want it
	Silenced    Outcome = "silenced"     // a silence withheld it
	Grouped     Outcome = "grouped"      // counted in a summary
	RateLimited Outcome = "rate_limited" // there were too many
	Failed      Outcome = "failed"       // and is tried again
	Parked      Outcome = "parked"       // set aside, tried from time to time
	Dead        Outcome = "dead"         // with the dead letters
	Dropped     Outcome = "dropped"      // a dead letter that is none any more, and was not delivered
)

// What ends a dead letter, in the words of an outcome.
var (
	errPutBack = errors.New("put back by an operator")
	errDropped = errors.New("dropped by an operator")
	errTrimmed = errors.New("the oldest of too many dead letters")
)

// longestError bounds what an ending tells of an error, which a receiver may have written.
const longestError = 1000

func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ToValidUTF8(err.Error(), "\ufffd")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "") + "…"
	}
	return text
}

// What stands before a group's key, a summary's ID and a silence's in the detail of an outcome.
const (
	groupWord   = "group "
	summaryWord = "summary "
	silenceWord = "silence "
)

// CountedIn returns the group of a record, and the ID of the summary that counts it, as the detail of
// an outcome has them; empty if it does not.
func CountedIn(detail string) (group, summary string) {
	for part := range strings.SplitSeq(detail, "; ") {
		if key, ok := strings.CutPrefix(part, groupWord); ok && group == "" {
			group = key
		}
		if id, ok := strings.CutPrefix(part, summaryWord); ok && summary == "" {
			summary = id
		}
	}
	return group, summary
}

// SilencedBy returns the ID of the silence that withheld a record, as the detail of an outcome has it;
// empty if it does not.
func SilencedBy(detail string) string {
	rest, found := strings.CutPrefix(detail, silenceWord)
	id, _, _ := strings.Cut(rest, " ")
	if !found {
		return ""
	}
	return id
}

// pass takes note of a record that the cursor passes: what it adds to its group and to what is
// withheld counts from now on. There is one outcome for each record, settled with the cursor, and
// another one when a record that was parked, or with the dead letters, comes to another end.
func (w *Worker) pass(i *item, now time.Time) {
	var said []string
	if i.group != nil {
		w.groups.passed(i.group, i.report, i.record.Seq, i.outcome, now)
		said = append(said, groupWord+i.group.key)
	}
	if i.shape != nil {
		w.groups.passed(i.shape, i.report, i.record.Seq, i.outcome, now)
	}
	switch i.outcome {
	case Parked:
		i.parked.window = nil
		w.saveParked(i.parked)
	case Dead:
		w.addDead(i.dead)
	case Grouped:
		said = append(said, summaryWord+w.summaryID(i.group))
	case Silenced:
		said = append(said, i.silence.words())
		w.withheld.count(i.silence.ID, i.silence.words(), i.report, now)
		w.Silences.counted(i.silence.ID, 1)
	case RateLimited:
		said = append(said, w.Policy.RateLimit.words())
		w.withheld.count(byRateLimit, w.Policy.RateLimit.words(), i.report, now)
	}
	w.Metrics.suppressed(w.Name, i.outcome)
	if i.err != nil {
		said = append(said, errorText(i.err))
	}
	w.outcomes = append(w.outcomes, store.Outcome{
		Seq: i.record.Seq, At: i.ended, Attempts: i.tries, Result: string(i.outcome), Detail: strings.Join(said, "; "),
	})
}

// ended notes how a record ends that the cursor may have passed long ago.
func (w *Worker) ended(u *Undelivered, outcome Outcome, err error) {
	if u.Seq == 0 {
		return // made here
	}
	w.outcomes = append(w.outcomes, store.Outcome{
		Seq: u.Seq, At: time.Now(), Attempts: u.Attempts, Result: string(outcome), Detail: errorText(err),
	})
}

// stands reports whether r stands for reports that the sink's when has let through.
func stands(r *report.Report) bool {
	return r.Kind == report.KindSummary || r.Kind == report.KindSuppression
}
