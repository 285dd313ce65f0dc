package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// Read returns records behind after, in order: at most limit of them, and no more than about 1 MiB.
// It waits for the first. A record that is damaged is left out and reported to OnDamage. So is one that
// the disk does not answer for, but only after a minute: until then that is an error.
//
// An error other than that of ctx and ErrClosed means that nothing can be read from there, for the time
// being or until something is appended: try again later.
func (l *Log) Read(ctx context.Context, after uint64, limit int) ([]Record, error) {
	limit = max(limit, 1)
	for {
		recs, wake, floor, err := l.tail.read(after, limit)
		if err != nil || len(recs) > 0 {
			return recs, err
		}
		if wake == nil {
			s, err := l.soundly(ctx, after, limit, true)
			if err != nil || len(s.recs) > 0 {
				return s.recs, err
			}
			if after = s.last; !s.more {
				after = max(after, floor)
			}
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ReadNow is Read for whoever does not wait: it returns records behind after of those that are there.
// next is what to read behind for more; 0 says that there is no more.
func (l *Log) ReadNow(ctx context.Context, after uint64, limit int) (recs []Record, next uint64, err error) {
	for newest := l.LastSeq(); after < newest; {
		if err := errors.Join(ctx.Err(), l.isOpen()); err != nil {
			return nil, 0, err
		}
		s, err := l.soundly(ctx, after, max(limit, 1), false)
		if err != nil || len(s.recs) > 0 {
			return s.recs, s.last, err
		}
		if after = max(after, s.last); !s.more {
			break
		}
	}
	return nil, 0, nil
}

// Get returns the record with this ID: ErrNotFound if there is none, an error that wraps ErrDamaged
// if it can not be read.
func (l *Log) Get(ctx context.Context, id string) (rec Record, err error) {
	err = l.reading(ctx, func(r *reader) error {
		found := false
		err := r.byID.each(func(row []driver.Value) (err error) {
			found = true
			if rec, err = decode(row); err != nil {
				seq, _ := row[0].(int64)
				l.report([]damage{{uint64(seq), err}})
			}
			return err
		}, encodeID(id))
		switch {
		case isCorrupt(err):
			return fmt.Errorf("%s: record %.64q: %w: %w", l.path, id, ErrDamaged, err)
		case err != nil:
			return fmt.Errorf("%s: record %.64q: %w", l.path, id, err)
		case !found:
			return fmt.Errorf("%.64q: %w", id, ErrNotFound)
		}
		return nil
	})
	return rec, err
}

func (l *Log) fromDisk(ctx context.Context, after uint64, limit int) (s span, err error) {
	err = l.reading(ctx, func(r *reader) error {
		after = max(after, l.prunedTo())
		holes := *l.holes.Load()
		if s = r.span(after, limit, holes); len(s.recs) > 0 || !s.more {
			return nil
		}
		if s, err = r.probe(ctx, after+1, l.LastSeq(), limit, holes); err != nil {
			return fmt.Errorf("read %s: %w", l.path, err)
		}
		return nil
	})
	return s, err
}

// soundly reads from the disk. Where the structure of the file is damaged, it is mended first, as far
// as that can be done: more may be readable then. What is damaged all the same is reported. Who is patient
// gets an error while the disk may still answer.
func (l *Log) soundly(ctx context.Context, after uint64, limit int, patient bool) (span, error) {
	s, err := l.fromDisk(ctx, after, limit)
	if cause := structural(s.bad, err); cause != nil && l.askToMend(ctx, cause) == nil {
		s, err = l.fromDisk(ctx, after, limit)
	}
	if err == nil && patient {
		err = l.unanswered.hold(&s, time.Now())
	}
	l.report(s.bad)
	return s, err
}

// structural returns an error that says of more than one record that it is damaged.
func structural(bad []damage, err error) error {
	if isCorrupt(err) {
		return err
	}
	for _, d := range bad {
		if isCorrupt(d.err) || errors.Is(d.err, errMissing) {
			return d.err
		}
	}
	return nil
}

func (l *Log) report(bad []damage) {
	for _, d := range bad {
		l.notify.damage(d.seq, fmt.Errorf("%s: record %d: %w", l.path, d.seq, d.err))
	}
}

func (l *Log) reading(ctx context.Context, f func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := l.readers.get(ctx)
	if err != nil {
		return err
	}
	defer l.readers.put(r)
	return f(r)
}

// damage is a record that can not be read.
type damage struct {
	seq uint64
	err error
}

// span is what one look at a part of the log brought.
type span struct {
	recs  []Record
	bytes int // of their bodies
	bad   []damage
	last  uint64 // everything up to it was looked at
	more  bool   // and there is more behind it
}

// add takes a record, and reports whether it was the last that may be taken at once.
func (s *span) add(rec Record, limit int) (full bool) {
	s.recs = append(s.recs, rec)
	s.bytes += len(rec.Body)
	s.last = rec.Seq
	return len(s.recs) >= limit || s.bytes >= readBytes
}

// reader is a connection that only reads.
type reader struct {
	db                                       *conn
	behind, one, next, byID, state, outcomes *stmt
	someState, countState                    *stmt
}

// open connects, if it is not connected.
func (r *reader) open(path string) error {
	if r.db != nil {
		return nil
	}
	db, err := connect(path, "busy_timeout(5000)", "cache_size(-2000)", "mmap_size(0)", "query_only(1)")
	if err != nil {
		return err
	}
	err = db.keep(map[**stmt]string{
		&r.behind: selectRecord + "seq > ? ORDER BY seq",
		&r.one:    selectRecord + "seq = ?",
		&r.next:   "SELECT seq FROM records WHERE seq > ? ORDER BY seq LIMIT 1",
		&r.byID:   selectByID,
		&r.state:  selectState,

		&r.someState:  selectSomeState,
		&r.countState: "SELECT count(*) FROM state WHERE scope = ? AND owner = ? AND kind = ?",
		&r.outcomes:   "SELECT id, last, cursor, crc, body FROM outcomes WHERE id >= ? AND id < ? AND last >= ? ORDER BY id",
	})
	if err != nil {
		return errors.Join(err, db.Close())
	}
	r.db = db
	return nil
}

func (r *reader) close() error {
	if r.db == nil {
		return nil
	}
	err := r.db.Close()
	r.db = nil
	return err
}

// span reads forward from after, up to the first thing that is not as it should be. With more and no
// records, that is what comes next.
func (r *reader) span(after uint64, limit int, holes holes) span {
	s := span{last: after}
	err := r.behind.each(func(row []driver.Value) error {
		rec, err := decode(row)
		if err == nil && rec.Seq != holes.next(s.last+1) {
			err = errMissing // a damaged index may lead anywhere
		}
		if err == nil && s.add(rec, limit) {
			s.more = true
			return errStop
		}
		return err
	}, int64(after))
	s.more = s.more || err != nil
	return s
}
