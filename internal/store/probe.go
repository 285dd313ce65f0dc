package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"
)

const (
	// enough is how many numbers a probe looks at before it returns what it has.
	enough = 256
	// tooMany is how many it looks at if it finds nothing.
	tooMany = 1 << 20
)

var errMissing = fmt.Errorf("%w: the record is missing", ErrDamaged)

// probe reads the numbers from first one by one, to get past a part of the file that is damaged. Its
// error means that it found nothing behind what can not be read.
//
// Until then nothing counts as damaged that SQLite failed to read, even where it calls the file
// corrupt: it also does so when the disk does not answer (os_unix.c turns EIO into that), and then
// nothing is lost.
func (r *reader) probe(ctx context.Context, first, newest uint64, limit int, holes holes) (span, error) {
	s := span{last: first - 1}
	var unread []damage
	var missing int
	for full := false; s.last < newest && !full; {
		seq := holes.next(s.last + 1)
		if seq > newest {
			s.last = newest
			break
		}
		rec, err := r.number(seq)
		switch {
		case ctx.Err() != nil:
			return span{}, ctx.Err()
		case err == nil:
			full = s.add(rec, limit) || seq-first >= enough
			s.bad = append(s.bad, unread...)
			unread = nil
		case errors.Is(err, errMissing):
			s.bad = append(s.bad, damage{seq, err})
			if missing++; missing%enough == 0 {
				seq = r.leap(seq, newest)
			}
		case errors.Is(err, ErrDamaged):
			s.bad = append(s.bad, damage{seq, err})
		case isCorrupt(err) || code(err) == lib.SQLITE_IOERR:
			unread = append(unread, damage{seq, err})
			full = len(s.recs) > 0 && seq-first >= enough || seq-first >= tooMany
		default:
			return span{}, err
		}
		s.last = seq
	}
	if len(s.recs) == 0 && len(unread) > 0 {
		return span{}, unread[0].err
	}
	s.more = s.last < newest
	return s, nil
}

// number reads one record, and tries again if the disk does not answer.
func (r *reader) number(seq uint64) (rec Record, err error) {
	for range 3 {
		found := false
		err = r.one.each(func(row []driver.Value) (err error) {
			found = true
			rec, err = decode(row)
			return err
		}, int64(seq))
		if err == nil && !found {
			err = errMissing
		}
		if err == nil || errors.Is(err, ErrDamaged) {
			break
		}
	}
	return rec, err
}

// leap returns the last number of the hole that seq is in.
func (r *reader) leap(seq, newest uint64) uint64 {
	switch next, err := r.next.integer(int64(seq)); {
	case err != nil || next < 0:
		return seq
	case next == 0:
		return newest
	default:
		return min(uint64(next)-1, newest)
	}
}
