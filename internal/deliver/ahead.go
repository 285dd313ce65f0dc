package deliver

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// aheadPicks is how many records are looked at to find one that may go out of turn, and aheadBound
// how long reading them may take in all.
const (
	aheadPicks = 8
	aheadBound = time.Second
)

// tryAhead tries, every other time, a record from beyond a full window, and reports whether it did.
//
// When nothing in the window goes out, the sink may be down, or the window may be full of reports
// that only this receiver does not take: a few hundred are enough, and whoever knows what text a
// filter before the receiver refuses can have them made. Without a look beyond them they would keep
// the sink from all that comes later until they are given up.
func (w *Worker) tryAhead(ctx context.Context) bool {
	if w.room() > 0 {
		return false
	}
	if w.aheads++; w.aheads%2 == 0 {
		return false
	}
	ctx2, cancel := context.WithTimeout(ctx, aheadBound)
	defer cancel()
	for range aheadPicks {
		last := w.Log.LastSeq()
		if last <= w.read {
			return false
		}
		records, err := w.Log.Read(ctx2, w.read+rand.Uint64N(last-w.read), 1) //nolint:gosec // no secret
		if err != nil || len(records) == 0 {
			return false
		}
		i := &item{record: records[0], tries: 1}
		if i.report, err = decode(i.record); err != nil || w.early[i.record.Seq] || i.record.Seq <= w.read {
			continue
		}
		// What is about something else has to wait for that.
		if i.report.Kind == report.KindAlert && w.wants(i.report) && !w.mayBeWithheld(i.report) {
			w.limit.spend()
			w.fly(ctx, []*report.Report{i.report}, result{items: []*item{i}, ahead: true})
			return true
		}
	}
	return false
}

// mayBeWithheld reports whether r, in its turn, would not go out by itself, as far as can be told now.
func (w *Worker) mayBeWithheld(r *report.Report) bool {
	if silence, _ := w.Silences.match(r, time.Now()); silence != nil { // one that fails is reported in its turn
		return true
	}
	return w.groups.Enabled && r.Event != nil && w.groups.knows(r)
}

func (w *Worker) finishAhead(i *item, err error, cut bool) {
	switch {
	case err == nil:
		w.Metrics.delivered(w.Name, time.Since(i.record.Time))
		w.early[i.record.Seq] = true
		w.accepted()
		for other := range w.unfinished() {
			other.doubted = true
		}
	case sink.IsPermanent(err):
		w.closeBreaker() // it answers; the record has its turn later
	case !cut:
		w.Metrics.count(w.Name, Failed)
		now := time.Now()
		w.noteFailure(err, now)
		w.failing(err, now)
	}
}
