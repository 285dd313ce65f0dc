package store

import (
	"slices"
	"sync"
	"time"

	lib "modernc.org/sqlite/lib"
)

const (
	// readPatience is for how long the disk may not answer for a record, while it does for one behind it,
	// before the record counts as damaged. A disk that is gone for a moment answers for what the system
	// has in memory.
	readPatience = time.Minute
	// sameOutage is how long nobody may have asked for the record for it to be the same time.
	sameOutage = time.Hour
	// mostUnanswered bounds the records that are remembered.
	mostUnanswered = 10_000
)

// unanswered are the records that the disk does not answer for.
type unanswered struct {
	mu      sync.Mutex
	records map[uint64]asked
}

type asked struct{ first, last time.Time }

// hold takes from a span what comes after a record that the disk may still answer for. It returns the
// disk's error if nothing is left.
func (u *unanswered) hold(s *span, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, rec := range s.recs {
		delete(u.records, rec.Seq)
	}
	var hold *damage
	for _, d := range s.bad {
		if code(d.err) == lib.SQLITE_IOERR && u.ask(d.seq, now) < readPatience && (hold == nil || d.seq < hold.seq) {
			hold = &d
		}
	}
	if hold == nil {
		return nil
	}
	s.recs = slices.DeleteFunc(s.recs, func(r Record) bool { return r.Seq > hold.seq })
	s.bad = slices.DeleteFunc(s.bad, func(d damage) bool { return d.seq >= hold.seq })
	s.last, s.more = hold.seq-1, true
	if len(s.recs) > 0 {
		return nil
	}
	return hold.err
}

// ask returns for how long a record was asked for.
func (u *unanswered) ask(seq uint64, now time.Time) time.Duration {
	a, known := u.records[seq]
	if !known || now.Sub(a.last) > sameOutage {
		a.first = now
	}
	if !known && len(u.records) >= mostUnanswered {
		clear(u.records)
	}
	if u.records == nil {
		u.records = map[uint64]asked{}
	}
	a.last = now
	u.records[seq] = a
	return now.Sub(a.first)
}
