package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Settlement is what a cursor has done with records.
type Settlement struct {
	// UpTo is the record that the cursor moves behind. A cursor that is ahead of it stays where it is.
	UpTo uint64
	// Changes are applied to the state that belongs to the cursor.
	Changes []Change
	// Outcomes is what became of records, on either side of UpTo. Those of a record that is no longer
	// kept are left out.
	Outcomes []Outcome
}

// Settle applies a settlement in one transaction, and returns when it is on the disk. It may wait 20
// ms for others to share the sync with. After ErrNoCursor nothing has changed.
func (l *Log) Settle(ctx context.Context, name string, s Settlement) error {
	w, now := l.writer, time.Now()
	changes := slices.Clone(s.Changes)
	rows := packOutcomes(s.Outcomes)
	newest := s.UpTo
	r := &request{size: sizeOf(changes), lazy: true}
	for _, row := range rows {
		r.size += len(row.body) + recordOverhead
		newest = max(newest, row.last)
	}
	r.run = func(b *batch) error {
		if newest > b.last {
			r.err = fmt.Errorf("record %d does not exist yet", newest)
			return nil
		}
		p, known, err := w.place(name)
		if err != nil {
			return err
		}
		if !known {
			r.err = ErrNoCursor
			return nil
		}
		p.pos = max(p.pos, s.UpTo)
		if err := w.moveTo(name, p, now); err != nil {
			return err
		}
		b.after(func() {
			l.changeCursor(name, func(c *cursor) { c.pos, c.seen = p.pos, now })
		})
		if err := w.saveOutcomes(p.id, rows); err != nil {
			return err
		}
		return w.saveState(ofCursor, name, changes)
	}
	if err := l.do(ctx, r); err != nil {
		return fmt.Errorf("settle %q: %w", name, err)
	}
	return nil
}

func (w *writer) moveTo(name string, p place, seen time.Time) error {
	_, err := w.moveCursor.exec(int64(p.pos), seen.UnixMilli(), p.sum(name), name)
	return err
}

func (w *writer) saveOutcomes(cursor int64, rows []outcomeRow) error {
	for _, row := range rows {
		if row.last <= w.log.pruned {
			continue
		}
		first := int64(row.first << outcomeShift)
		_, err := w.putOutcomes.exec(first, int64(row.last), cursor, int64(row.sum(cursor)), row.body)
		if err != nil {
			return err
		}
	}
	return nil
}
