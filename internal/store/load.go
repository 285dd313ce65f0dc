package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// load reads what the writer keeps in memory.
func (w *writer) load() error {
	newest, err := w.loadNewest()
	if err != nil {
		return err
	}
	pruned, err := w.loadPruned()
	if err != nil {
		return err
	}
	w.last = uint64(max(newest, pruned))
	w.log.pruned = uint64(pruned)
	if err := w.loadCursors(); err != nil {
		return err
	}
	if err := w.rescueRecords(); err != nil {
		return err
	}
	lost, err := w.db.integer("SELECT value FROM meta WHERE name = 'cursors_lost'")
	if err != nil {
		return err
	}
	w.cursorsLost = lost != 0
	holes, err := loadHoles(w.db)
	if err != nil {
		return err
	}
	w.log.setHoles(holes)
	if n := len(holes); n > 0 { // nothing that readers pass over may be used again
		w.last = max(w.last, holes[n-1].last)
	}
	if err := w.loadLosses(); err != nil {
		return err
	}
	for _, c := range w.log.cursors {
		// After a cut write-ahead log a cursor can be ahead of what is left. What it passed must
		// not get a second meaning.
		w.last = max(w.last, c.pos)
	}
	return w.measure()
}

// loadNewest returns the newest number. That of a damaged page would have numbers repeat, and records
// behind it never be read: the last ones have to be in order.
func (w *writer) loadNewest() (newest int64, err error) {
	s, err := w.db.prepare("SELECT seq FROM records ORDER BY seq DESC LIMIT 100")
	if err != nil {
		return 0, err
	}
	last := int64(mostSeq)
	err = s.each(func(row []driver.Value) error {
		seq, _ := row[0].(int64)
		if seq < 1 || seq >= last {
			return errUnsound
		}
		newest, last = max(newest, seq), seq
		return nil
	})
	return newest, errors.Join(err, s.Close())
}

// loadPruned returns up to where records are gone. Where that is damaged, it follows from what is
// there.
func (w *writer) loadPruned() (pruned int64, err error) {
	pruned, err = w.db.integer("SELECT value FROM meta WHERE name = 'pruned'")
	if err != nil {
		return 0, err
	}
	sum, err := w.db.integer("SELECT value FROM meta WHERE name = 'pruned_crc'")
	if err != nil || sum == prunedSum(pruned) {
		return pruned, err
	}
	w.log.notify.tellDamage(fmt.Errorf("%s: the number of the oldest record: %w", w.log.path, ErrDamaged))
	return w.db.integer("SELECT ifnull(min(seq) - 1, 0) FROM records")
}
