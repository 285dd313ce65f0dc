package deliver

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// randomAlert is alert n of a history.
func randomAlert(rng *rand.Rand, n int) *report.Report {
	a := hostAttack()
	if rng.IntN(2) == 0 {
		a = imageAttack()
	}
	a.at, a.pid, a.fd = time.Now().Add(time.Duration(n)), rng.IntN(500), rng.IntN(9)
	a.host = fmt.Sprint("node-", rng.IntN(30)*rng.IntN(2))
	a.parent = []string{"/usr/sbin/nginx", "/usr/sbin/php-fpm8.2", "/usr/bin/sshd"}[rng.IntN(3)]
	a.rule = fmt.Sprint("rule ", rng.IntN(4))
	r := a.report()
	r.Severity = report.Severities()[rng.IntN(5)]
	return r
}

// check finds the end of each alert at each sink.
func (h *history) check(seen *tallyOfHistories) {
	for n, p := range h.places {
		if s := h.life.workers[n].Status(); s.Backlog > 0 || s.BreakerOpen {
			h.t.Errorf("%s: left behind: %+v", p.name, s)
		}
	}
	h.stop(true)
	log, err := store.Open(h.t.Context(), h.dir, store.DefaultConfig())
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			h.t.Error(err)
		}
	}()
	records := h.records(log)
	for _, p := range h.places {
		h.checkPlace(log, p, records, seen)
	}
	seen.alerts += len(records)
	seen.refused += h.tally.refused
	seen.stops += h.tally.stops
	seen.cuts += h.tally.cuts
	seen.reloads += h.tally.reloads
	seen.retried += h.tally.retried
}

// records are the alerts in the log: all that were accepted, and perhaps some that were refused.
func (h *history) records(log *store.Log) map[uint64]*report.Report {
	byID := map[string]*report.Report{}
	for _, r := range h.alerts {
		byID[r.ID] = r
	}
	records := map[uint64]*report.Report{}
	for after := uint64(0); after < log.LastSeq(); {
		read, err := log.Read(h.t.Context(), after, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, r := range read {
			after = r.Seq
			records[r.Seq] = byID[r.ID]
			delete(h.accepted, r.ID)
		}
	}
	for id, accepted := range h.accepted {
		if accepted {
			h.t.Errorf("alert %s was accepted and is not in the log", id)
		}
	}
	return records
}

// ends is what a sink got, and what is kept for it.
type ends struct {
	taken   map[string]int
	letters map[string]*report.Report
	dropped map[string]*report.Report
}

func (h *history) endsAt(log *store.Log, p place) ends {
	e := ends{taken: map[string]int{}, letters: map[string]*report.Report{}, dropped: p.dropped}
	for _, id := range p.sink.taken() {
		e.taken[id]++
	}
	w := Worker{Options: Options{Name: p.name, State: log}}
	err := w.DeadLetters(h.t.Context(), func(u Undelivered) error {
		e.letters[u.ID] = reportOf(h.t, u)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// of returns the end of a report: what it is now, if it had others before.
func (e ends) of(id string) string {
	switch {
	case e.letters[id] != nil:
		return "dead"
	case e.taken[id] > 0:
		return "delivered"
	case e.dropped[id] != nil:
		return "dropped"
	}
	return ""
}

func (h *history) checkPlace(log *store.Log, p place, records map[uint64]*report.Report, seen *tallyOfHistories) {
	t, e := h.t, h.endsAt(log, p)
	counted, withheld, again := map[string]int{}, 0, 0
	for seq, r := range records {
		said := h.said(log, p, seq)
		end := e.of(r.ID)
		switch Outcome(said.Result) {
		case Delivered:
			if end != "delivered" {
				t.Errorf("%s, record %d: the log says delivered, and it is %q", p.name, seq, end)
			}
		case Dead:
			if e.letters[r.ID] == nil && e.dropped[r.ID] == nil {
				t.Errorf("%s, record %d: the log says dead, and it is %q", p.name, seq, end)
			}
		case Dropped:
			if e.dropped[r.ID] == nil {
				t.Errorf("%s, record %d: the log says dropped, and it is %q", p.name, seq, end)
			}
		case Grouped:
			counted[summaryOf(said)]++
		case Silenced, RateLimited:
			withheld++
		case Filtered:
		default:
			t.Errorf("%s, record %d ended %q", p.name, seq, said.Result)
		}
		if wanted := p.wants(r); wanted == (Outcome(said.Result) == Filtered) {
			t.Errorf("%s, record %d: wanted %t, and ended %s", p.name, seq, wanted, said.Result)
		}
		seen.ends[said.Result]++
		if said.Result != string(Delivered) && e.taken[r.ID] > 0 {
			again++ // came before the power was cut, and had another end after that
		}
		again += max(0, e.taken[r.ID]-1)
	}
	h.checkMade(p, e, counted, withheld, seen)
	if most := (h.tally.cuts + h.tally.stops) * window; again > most {
		t.Errorf("%s: %d alerts had a second end, by %d stops and power cuts", p.name, again, h.tally.cuts+h.tally.stops)
	}
	seen.again += again
	for _, kind := range []string{KindParked, kindMade} {
		if n, err := log.CountCursorState(t.Context(), p.name, kind); n > 0 || err != nil {
			t.Errorf("%s: %d %s are left, %v", p.name, n, kind, err)
		}
	}
}

// said is what the log says last of a record at a sink.
func (h *history) said(log *store.Log, p place, seq uint64) (last store.Outcome) {
	outcomes, err := log.Outcomes(h.t.Context(), seq)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Cursor == p.name {
			last = o.Outcome
		}
	}
	return last
}

// checkMade holds the summaries and the reports of what was withheld to what they stand for.
func (h *history) checkMade(p place, e ends, counted map[string]int, withheld int, seen *tallyOfHistories) {
	made := map[string]*report.Report{}
	for _, from := range []map[string]*report.Report{p.sink.told, e.letters, e.dropped} {
		for id, r := range from {
			if r.Kind != report.KindAlert {
				made[id] = r
			}
		}
	}
	told := 0
	for id, r := range made {
		seen.ends[string(r.Kind)+" "+e.of(id)]++
		switch {
		case r.Kind == report.KindSuppression:
			told += r.Group.Count
		case counted[id] != r.Group.Count:
			h.t.Errorf("%s: summary %s counts %d, of %d members", p.name, id, r.Group.Count, counted[id])
		}
		delete(counted, id)
	}
	if len(counted) > 0 {
		h.t.Errorf("%s: %d summaries neither came nor are dead letters", p.name, len(counted))
	}
	if len(p.sink.unlike) > 0 {
		h.t.Errorf("%s: %d reports of one ID counted differently", p.name, len(p.sink.unlike))
	}
	if told != withheld {
		h.t.Errorf("%s: %d alerts were withheld, %d told of", p.name, withheld, told)
	}
}
