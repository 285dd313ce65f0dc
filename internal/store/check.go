package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

const (
	// checkStep is how many rows are checked in one read: a longer one would keep the write-ahead log
	// from being reset.
	checkStep = 1000
	// mostFindings bounds what a report names; what is beyond is only counted.
	mostFindings = 100
)

// CheckReport is what Check has found.
type CheckReport struct {
	Records  uint64    `json:"records"` // that are whole
	Bytes    int64     `json:"bytes"`   // of their bodies
	Damaged  uint64    `json:"damaged"` // records that can not be read
	Lost     uint64    `json:"lost"`    // records that an earlier damage took, which was reported then
	Cursors  int       `json:"cursors"`
	State    int       `json:"state"`    // pieces of state that are whole
	Outcomes int       `json:"outcomes"` // rows of outcomes that are whole
	Findings []Finding `json:"findings"` // the first hundred things that are wrong
	More     int       `json:"more"`     // how many there are beyond those
}

// Finding is one thing that is wrong with the file.
type Finding struct {
	Seq  uint64 `json:"seq,omitempty"` // of the record; 0 for another part
	What string `json:"what"`
}

// OK reports whether nothing is wrong.
func (r *CheckReport) OK() bool { return len(r.Findings) == 0 }

func (r *CheckReport) add(seq uint64, format string, args ...any) {
	if len(r.Findings) == mostFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{seq, fmt.Sprintf(format, args...)})
}

// Check reads the whole file: the checksum of each record, each cursor and each piece of state, and then
// SQLite's own check of its structure. progress, which may be nil, is called with how many of all
// records were looked at. Nothing is changed, and appends go on beside it. An error means that the check
// could not be finished; what is wrong with the file is in the report.
func (l *Log) Check(ctx context.Context, progress func(done, total uint64)) (CheckReport, error) {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	c := checker{log: l, ctx: ctx, reader: new(reader), report: CheckReport{Findings: []Finding{}}}
	if err := errors.Join(ctx.Err(), l.isOpen()); err != nil {
		return c.report, err
	}
	// A connection of its own: the two that are lent are for those who wait.
	if err := c.open(l.path); isDamaged(l.path, err) {
		c.report.add(0, "%v", err)
		return c.report, nil
	} else if err != nil {
		return c.report, explain(l.path, err)
	}
	err := c.records(progress)
	for _, step := range []func() error{c.cursors, c.state, c.outcomeRows, c.meta, c.structure} {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = step()
		}
	}
	if err = errors.Join(err, c.close()); err != nil {
		return c.report, fmt.Errorf("check %s: %w", l.path, err)
	}
	return c.report, nil
}

type checker struct {
	*reader
	log    *Log
	ctx    context.Context //nolint:containedctx // of the one call that it lives for
	report CheckReport
}

// records looks at every number.
func (c *checker) records(progress func(done, total uint64)) error {
	first, newest := c.log.prunedTo(), c.log.LastSeq()
	for after := first; after < newest; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		after = max(after, c.log.prunedTo())
		s := c.span(after, checkStep, *c.log.holes.Load())
		for _, r := range s.recs {
			c.report.Records++
			c.report.Bytes += int64(len(r.Body))
		}
		c.report.Lost += s.last - min(s.last, after) - uint64(len(s.recs))
		if after = s.last; len(s.recs) == 0 {
			after = c.number(after+1, newest)
		}
		progress(min(after, newest)-first, newest-first)
	}
	return nil
}

// number looks at one number, which span has stopped at, and returns it or the end of the hole.
func (c *checker) number(seq, newest uint64) uint64 {
	if next := min(c.log.holes.Load().next(seq), newest+1); next > seq {
		c.report.Lost += next - seq
		return next - 1
	}
	rec, err := c.reader.number(seq)
	switch {
	case err == nil:
		c.report.Records++
		c.report.Bytes += int64(len(rec.Body))
	case seq > c.log.prunedTo(): // or it went meanwhile
		c.report.Damaged++
		c.report.add(seq, "record %d: %v", seq, err)
	}
	return seq
}

// rows calls f with what a query selects. What SQLite says of damage is a finding.
func (c *checker) rows(sql string, f func(row []driver.Value) error, args ...any) error {
	s, err := c.db.prepare(sql)
	if err == nil {
		err = errors.Join(s.each(f, args...), s.Close())
	}
	if isCorrupt(err) {
		c.report.add(0, "%v", err)
		return nil
	}
	return err
}

func (c *checker) cursors() error {
	newest := c.log.LastSeq()
	return c.rows("SELECT name, pos, seen, id, crc FROM cursors", func(row []driver.Value) error {
		c.report.Cursors++
		switch name, cursor, err := decodeCursor(row); {
		case err != nil:
			c.report.add(0, "%v", err)
		case cursor.pos > max(newest, c.log.LastSeq()):
			c.report.add(0, "cursor %q is at %d, behind the newest record, %d", name, cursor.pos, newest)
		}
		return nil
	})
}

func (c *checker) state() error {
	return c.rows("SELECT scope, owner, kind, key, crc, body FROM state", func(row []driver.Value) error {
		var text [4]string
		for i := range text {
			text[i], _ = row[i].(string)
		}
		sum, ok := row[4].(int64)
		body, _ := row[5].([]byte)
		if !ok || int64(stateSum(text[1], Change{text[2], text[3], body})) != sum {
			c.report.add(0, "state %.64q of %s %q: %v", text[2]+"/"+text[3], text[0], text[1], ErrDamaged)
			return nil
		}
		c.report.State++
		return nil
	})
}

func (c *checker) outcomeRows() error {
	for after, more := int64(-1), true; more; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := c.rows("SELECT id, last, cursor, crc, body FROM outcomes WHERE id > ? ORDER BY id LIMIT ?", func(row []driver.Value) error {
			n++
			after, _ = row[0].(int64)
			if _, _, err := decodeOutcomes(row); err != nil {
				c.report.add(0, "outcomes of records from %d: %v", after>>outcomeShift, err)
				return nil
			}
			c.report.Outcomes++
			return nil
		}, after, int64(checkStep))
		if err != nil {
			return err
		}
		more = n == checkStep
	}
	return nil
}

func (c *checker) meta() error {
	var pruned, sum int64
	return c.rows("SELECT (SELECT value FROM meta WHERE name = 'pruned'), (SELECT value FROM meta WHERE name = 'pruned_crc')",
		func(row []driver.Value) error {
			pruned, _ = row[0].(int64)
			if sum, _ = row[1].(int64); sum != prunedSum(pruned) {
				c.report.add(0, "the number of the oldest record: %v", ErrDamaged)
			}
			return nil
		})
}

// structure has SQLite look at its pages and indexes, which takes one long read.
func (c *checker) structure() error {
	answers, err := c.db.texts(c.ctx, "PRAGMA integrity_check(100)")
	if isCorrupt(err) {
		answers, err = append(answers, err.Error()), nil
	}
	for _, a := range answers {
		if a != "ok" {
			c.report.add(0, "%s", a)
		}
	}
	return err
}
