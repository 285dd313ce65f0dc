package deliver

import (
	"iter"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

type state int

const (
	waiting state = iota
	flying
	done
	unsaved  // made here, and not on the disk yet
	unwanted // the same, and the sink's when does not want it
)

// item is a report on its way to the sink: a record in the window, or one that was made here.
type item struct {
	record store.Record
	report *report.Report
	about  string // what it says more of: it is not delivered before that
	chain  string // items of a chain are delivered in order
	made   bool
	state  state
	ready  time.Time // when it could go first

	group   *group   // that it belongs to, nil for none
	shape   *group   // that it is the first of on its host, nil for none
	silence *Silence // that withholds it, nil for none

	tries    int
	failures int
	err      error     // of the latest failure
	alone    bool      // goes by itself: its batch was refused as a whole
	doubted  bool      // the sink took a record from beyond the window while it took none in it
	first    time.Time // of the failures
	last     time.Time // when it was last tried
	next     time.Time // not before; zero for at once
	taken    uint64    // Worker.taken when it first failed

	outcome Outcome // how it ended
	ended   time.Time
	parked  *parked      // what became of it, to be kept once the cursor passes it
	dead    *Undelivered // the same
}

// enqueue adds records to the window. What is not to be delivered by itself is done at once.
func (w *Worker) enqueue(records []store.Record) {
	now := time.Now()
	for _, r := range records {
		i := &item{record: r, ready: now}
		w.read = r.Seq
		w.held += len(r.Body)
		w.queue = append(w.queue, i)
		if w.early[r.Seq] {
			delete(w.early, r.Seq)
			i.tries = 1
			i.end(Delivered)
			continue
		}
		decoded, err := decode(r)
		if err != nil {
			w.Logger.Error().Err(err).Str("id", r.ID).Msg("a record of the log is no report")
			w.bury(undelivered(r, 0, now, now, err), i)
			i.err = err
			i.end(Dead)
			continue
		}
		i.report = decoded
		if outcome := w.admit(i, now); outcome != "" {
			i.end(outcome)
			continue
		}
		i.about = aboutOf(decoded)
		i.chain = w.chainOf(i)
		w.chains[i.chain] = append(w.chains[i.chain], i)
		if len(w.parked) > 0 && w.parkedAbout(i.about) != nil {
			w.follow(i)
		}
	}
}

// admit asks in this order: does the sink want it, is it silenced, is it a repeat, are there too
// many? The answer is empty for a report that is to be delivered.
func (w *Worker) admit(i *item, now time.Time) Outcome {
	r := i.report
	if !w.wants(r) {
		w.Metrics.count(w.Name, Filtered)
		return Filtered
	}
	silence, err := w.Silences.match(r, now)
	if err != nil {
		w.Logger.Warn().Err(err).Str("id", r.ID).Msg("a silence failed on a report, and does not withhold it")
	}
	if silence != nil {
		i.silence = silence
		return Silenced
	}
	if r.Kind != report.KindAlert || r.Event == nil {
		return ""
	}
	if w.groups.Enabled {
		hold := false
		if i.group, i.shape, hold = w.groups.take(r, now); hold {
			return Grouped
		}
	}
	if r.Severity == report.Critical {
		w.limit.spend()
	} else if !w.limit.take(now) {
		return RateLimited
	}
	w.groups.tell(r, i.group, i.shape)
	return ""
}

// end notes how i ended.
func (i *item) end(o Outcome) { i.state, i.outcome, i.ended = done, o, time.Now() }

// aboutOf names what a report is about: the alert that it analyses, or that it says more of.
func aboutOf(r *report.Report) string {
	if len(r.About) > 0 && !stands(r) {
		return r.About[0]
	}
	return r.ID
}

// chainOf names what i has to keep its place in: its group, or the alert that it is about, and then
// the group of that.
func (w *Worker) chainOf(i *item) string {
	if i.group != nil {
		return i.group.key
	}
	if i.about != i.record.ID {
		for _, other := range w.queue {
			if other.record.ID == i.about && other.state != done {
				return other.chain
			}
		}
	}
	return i.about
}

// decode returns the report of a record, which recent records bring along.
func decode(r store.Record) (*report.Report, error) {
	if decoded, ok := r.Value.(*report.Report); ok {
		return decoded, nil
	}
	decoded := new(report.Report)
	// Not by json.Unmarshal, which would look at each byte once more before it calls the same.
	if err := decoded.UnmarshalJSON(r.Body); err != nil {
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

// waits reports whether i could be delivered: nothing that has to come first is before it.
func (w *Worker) waits(i *item) bool {
	return i.state == waiting && w.chains[i.chain][0] == i
}

// close takes i out of what is unfinished.
func (w *Worker) close(i *item, o Outcome) {
	i.end(o)
	chain := w.chains[i.chain]
	if n := slices.Index(chain, i); n >= 0 {
		chain = slices.Delete(chain, n, n+1)
	}
	if len(chain) == 0 {
		delete(w.chains, i.chain)
	} else {
		w.chains[i.chain] = chain
	}
	if i.made {
		w.closeMade(i)
	}
}

// unfinished yields what may have to be delivered: what was made here, which is little, then the
// window.
func (w *Worker) unfinished() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for _, list := range [...][]*item{w.made, w.queue} {
			for _, i := range list {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// advance drops what is done from the front of the window.
func (w *Worker) advance() {
	n, now := 0, time.Now()
	for n < len(w.queue) && w.queue[n].state == done {
		w.held -= len(w.queue[n].record.Body)
		w.pass(w.queue[n], now)
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
