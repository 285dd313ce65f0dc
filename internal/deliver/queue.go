package deliver

import (
	"encoding/json"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

type state int

const (
	waiting state = iota
	flying
	done
)

// item is a record in the window.
type item struct {
	record store.Record
	report *report.Report
	about  string // records about the same thing are delivered in order
	state  state

	failures int
	first    time.Time // of the failures
	last     time.Time // when it was last tried
	next     time.Time // not before; zero for at once
	taken    uint64    // Worker.taken when it first failed
	err      string    // of the last try
	doubted  bool      // the sink took a record from beyond the window while it took none in it
}

// enqueue adds records to the window. What the sink does not want is done at once.
func (w *Worker) enqueue(records []store.Record) {
	for _, r := range records {
		i := &item{record: r}
		w.read = r.Seq
		w.held += len(r.Body)
		w.queue = append(w.queue, i)
		if w.early[r.Seq] {
			delete(w.early, r.Seq)
			i.state = done
			continue
		}
		decoded, err := decode(r)
		if err != nil {
			w.Logger.Error().Err(err).Str("id", r.ID).Msg("a record of the log is no report")
			w.bury(r, 0, time.Now(), err)
			i.state = done
			continue
		}
		if !w.wants(decoded) {
			w.Metrics.count(w.Name, Filtered)
			i.state = done
			continue
		}
		i.report = decoded
		i.about = aboutOf(decoded)
		w.chains[i.about] = append(w.chains[i.about], i)
		if len(w.parked) > 0 && w.parkedAbout(i.about) != nil {
			w.follow(i)
		}
	}
}

// aboutOf names what a report is about: the alert that it analyses, or that it says more of.
func aboutOf(r *report.Report) string {
	if len(r.About) > 0 {
		return r.About[0]
	}
	return r.ID
}

// decode returns the report of a record, which recent records bring along.
func decode(r store.Record) (*report.Report, error) {
	if decoded, ok := r.Value.(*report.Report); ok {
		return decoded, nil
	}
	decoded := new(report.Report)
	if err := json.Unmarshal(r.Body, decoded); err != nil {
		return nil, err
	}
	return decoded, nil
}

// wants asks the sink's expression. One that fails on a report counts as true: a report too many is
// better than one too few.
func (w *Worker) wants(r *report.Report) bool {
	ok, err := w.When.Report(r)
	if err != nil {
		w.Metrics.whenError(w.Name)
		w.Logger.Warn().Err(err).Str("id", r.ID).Msg("when failed on a report, which counts as true")
		return true
	}
	return ok
}

// waits reports whether i could be delivered: nothing about the same thing is before it.
func (w *Worker) waits(i *item) bool {
	return i.state == waiting && w.chains[i.about][0] == i
}

// close takes i out of what is unfinished.
func (w *Worker) close(i *item) {
	i.state = done
	chain := w.chains[i.about]
	if len(chain) <= 1 {
		delete(w.chains, i.about)
		return
	}
	w.chains[i.about] = chain[1:]
}

// advance drops what is done from the front of the window.
func (w *Worker) advance() {
	n := 0
	for n < len(w.queue) && w.queue[n].state == done {
		w.held -= len(w.queue[n].record.Body)
		n++
	}
	if n > 0 {
		w.queue = append(w.queue[:0], w.queue[n:]...)
		clear(w.queue[len(w.queue) : len(w.queue)+n])
	}
}

// position is the highest record before which everything is done.
func (w *Worker) position() uint64 {
	if len(w.queue) > 0 {
		return w.queue[0].record.Seq - 1
	}
	return w.read
}
