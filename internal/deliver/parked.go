package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// KindParked is the kind of state that parked reports are kept as, each an Undelivered under its ID.
const KindParked = "parked"

// mostParkedPause is the longest pause between tries of a parked report.
const mostParkedPause = time.Hour

// Undelivered is a report that the sink did not take, as it is kept: parked, or as a dead letter. It
// holds the report itself, so that the log may forget it.
type Undelivered struct {
	ID       string          `json:"id"`
	Seq      uint64          `json:"seq"`
	Time     time.Time       `json:"time"`  // when the report was made
	Since    time.Time       `json:"since"` // of the first failure
	At       time.Time       `json:"at"`    // of the last one
	Next     time.Time       `json:"next"`  // of a parked one: not before
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`
	Thread   string          `json:"thread,omitempty"` // see sink.ThreadKey
	Report   json.RawMessage `json:"report"`
}

// parked is a record that the sink did not take while it took others.
type parked struct {
	Undelivered
	report *report.Report
	about  string
	flying bool
	// window is the record as long as the cursor has not passed it. Until then nothing is kept: a
	// crash has the record read again, and it must not have two ends.
	window *item
}

// park takes a failing record out of the window, and what follows it about the same thing with it.
func (w *Worker) park(i *item, err error) {
	now := time.Now()
	w.Logger.Warn().Err(err).Str("id", i.record.ID).Int("attempts", i.failures).
		Msg("the sink takes other reports but not this one; it is parked and tried from time to time")
	w.makeParkedRoom(len(i.record.Body))
	p := w.setAside(i, undelivered(i.record, i.failures, i.first, now, err))
	p.Next = now.Add(w.parkedPause(p, err))
	w.saveParked(p)
	for _, next := range slices.Clone(w.chains[i.chain]) {
		if next.about == i.about && next.state == waiting {
			w.follow(next)
		}
	}
}

// follow parks a record that has a parked one about the same thing before it. It goes when that one
// has gone.
func (w *Worker) follow(i *item) {
	p := w.setAside(i, undelivered(i.record, 0, time.Time{}, time.Time{}, errBehindParked))
	w.saveParked(p)
}

func (w *Worker) setAside(i *item, u Undelivered) *parked {
	u.Thread = w.threadOf(i)
	p := &parked{Undelivered: u, report: i.report, about: i.about}
	if !i.made {
		p.window, i.parked = i, p
	}
	w.keepParked(p)
	w.Metrics.count(w.Name, Parked)
	w.close(i, Parked)
	return p
}

func (w *Worker) keepParked(p *parked) {
	w.forgetParked(w.parked[p.ID])
	w.parked[p.ID] = p
	w.abouts[p.about]++
	w.aside += len(p.Report)
}

func (w *Worker) forgetParked(p *parked) {
	if p == nil {
		return
	}
	delete(w.parked, p.ID)
	w.aside -= len(p.Report)
	if w.abouts[p.about]--; w.abouts[p.about] == 0 {
		delete(w.abouts, p.about)
	}
}

// makeParkedRoom gives up what was tried most while there is no room for another parked record of
// that many bytes. If failing records stayed in the window instead, a few hundred of them would keep
// the sink from all that comes later: whoever knows what text the receiver refuses could see to that.
func (w *Worker) makeParkedRoom(bytes int) {
	for len(w.parked) >= mostParked || w.aside+bytes > parkedBytes {
		var most *parked
		for _, p := range w.parked {
			if !p.flying && (most == nil || p.Attempts > most.Attempts || p.Attempts == most.Attempts && p.Seq < most.Seq) {
				most = p
			}
		}
		if most == nil {
			return
		}
		w.Logger.Error().Str("id", most.ID).Int("attempts", most.Attempts).Int("parked", len(w.parked)).
			Msg("too many parked reports; the one tried most is now with the dead letters")
		w.bury(most.Undelivered, most.window)
		w.unpark(most, Dead, errors.New(most.Error))
	}
}

var errBehindParked = errors.New("waits for a parked report about the same alert")

// parkedAbout returns the first parked record about the same thing.
func (w *Worker) parkedAbout(about string) (first *parked) {
	if w.abouts[about] == 0 {
		return nil
	}
	for _, p := range w.parked {
		if p.about == about && (first == nil || p.Seq < first.Seq) {
			first = p
		}
	}
	return first
}

// dueParked reports whether p may be tried now.
func (w *Worker) dueParked(p *parked, now time.Time) bool {
	return !p.flying && !p.Next.After(now) && w.isFirst(p)
}

// isFirst reports whether no other parked record about the same thing is before p.
func (w *Worker) isFirst(p *parked) bool {
	return w.abouts[p.about] == 1 || w.parkedAbout(p.about) == p
}

// parkedPause doubles from the longest ordinary pause.
func (w *Worker) parkedPause(p *parked, err error) time.Duration {
	slow := Retry{Initial: w.Policy.Retry.Max, Max: max(w.Policy.Retry.Max, mostParkedPause)}
	return max(backoff(slow, max(1, p.Attempts-parkAfter+1)), sink.Delay(err))
}

func (w *Worker) startParked(ctx context.Context, p *parked) {
	p.flying = true
	w.fly(ctx, []*report.Report{p.report}, result{parked: p})
}

func (w *Worker) finishParked(p *parked, err error, cut bool) {
	p.flying = false
	if cut && err != nil && !sink.IsPermanent(err) {
		return
	}
	now := time.Now()
	p.At = now
	if p.Attempts++; p.Attempts == 1 {
		p.Since = now
	}
	switch {
	case err == nil:
		w.Metrics.delivered(w.Name, now.Sub(p.Time))
		w.accepted()
		w.unpark(p, Delivered, nil)
	case sink.IsPermanent(err) || now.Sub(p.Since) > w.Policy.Retry.GiveUp:
		w.Logger.Error().Err(err).Str("id", p.ID).Msg("a parked report is now with the dead letters")
		p.Error = errorText(err)
		w.bury(p.Undelivered, p.window)
		w.unpark(p, Dead, err)
	default:
		w.Metrics.count(w.Name, Failed)
		w.noteFailure(err, now)
		p.Error = errorText(err)
		p.Next = now.Add(w.parkedPause(p, err))
		w.saveParked(p)
		if w.breaker.open {
			w.failing(err, now)
		}
	}
}

// saveParked has a parked record kept that the cursor has passed.
func (w *Worker) saveParked(p *parked) {
	if p.window == nil {
		w.remember(KindParked, &p.Undelivered)
	}
}

// unpark takes note of the end of a parked record.
func (w *Worker) unpark(p *parked, o Outcome, err error) {
	w.forgetParked(p)
	if i := p.window; i != nil {
		i.tries = p.Attempts
		i.err = err
		i.end(o)
		return
	}
	w.changes = append(w.changes, store.Change{Kind: KindParked, Key: p.ID})
	w.ended(&p.Undelivered, o, err)
}

func (w *Worker) restoreParked(c store.Change) {
	p := &parked{report: new(report.Report)}
	err := json.Unmarshal(c.Body, &p.Undelivered)
	if err == nil {
		err = json.Unmarshal(p.Report, p.report)
	}
	if err != nil {
		w.Logger.Error().Err(err).Str("id", c.Key).Msg("a parked report can not be read; it stays where it is")
		return
	}
	p.about = aboutOf(p.report)
	now := time.Now()
	p.Since = earlier(p.Since, now)
	p.Next = earlier(p.Next, now.Add(max(w.Policy.Retry.Max, mostParkedPause)))
	w.keepParked(p)
}

// remember has u kept, and returns the bytes that it takes.
func (w *Worker) remember(kind string, u *Undelivered) int {
	body, err := json.Marshal(u)
	if err != nil {
		w.Logger.Error().Err(err).Str("id", u.ID).Msg("a report can not be kept")
		return 0
	}
	w.changes = append(w.changes, store.Change{Kind: kind, Key: u.ID, Body: body})
	return len(body)
}

func undelivered(r store.Record, attempts int, since, at time.Time, err error) Undelivered {
	body := json.RawMessage(r.Body)
	if !json.Valid(body) {
		// Whatever it is, it is not lost: as a JSON string, in base64.
		body, _ = json.Marshal(r.Body) //nolint:errchkjson // bytes always marshal
	}
	return Undelivered{
		ID: r.ID, Seq: r.Seq, Time: r.Time, Since: since, At: at, Attempts: attempts,
		Error: errorText(err), Report: body,
	}
}
