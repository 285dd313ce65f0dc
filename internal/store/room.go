package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// removeStep is how many records one transaction removes, so that appends are not held up.
	removeStep = 256
	// vacuumStep is how many free pages one transaction gives back.
	vacuumStep = 128
)

// used returns the bytes that count against the limit.
func (w *writer) used() (int64, error) {
	if err := w.measure(); err != nil {
		return 0, err
	}
	pages, err := w.pages.integer()
	if err != nil {
		return 0, err
	}
	wal := min(fileSize(w.log.path+"-wal"), int64(w.limits.MaxBytes)/4)
	return pages*w.pageSize - w.log.free + max(wal, w.limits.reserve), nil
}

func (w *writer) measure() error {
	free, err := w.freePages.integer()
	if err != nil {
		return err
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.free = free * w.pageSize
	return nil
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// makeRoom removes records if the log has reached its limit, and finds out whether it may grow. It
// looks once half a transaction's worth of bytes has come since it did last: asking SQLite takes a
// tenth of the time of a small commit.
func (w *writer) makeRoom() {
	if w.grown < w.limits.group/2 && !w.full {
		return
	}
	w.grown = 0
	over, err := w.removeUntilLow()
	if err != nil {
		w.trouble(err)
	}
	// With drop_oldest and no error, what is left is state, which no dropping would make smaller.
	full := over && (err != nil || w.limits.OnFull == "refuse")
	if full != w.full && !w.failed {
		w.full = full
		w.noteErr(nil)
	}
}

// removeUntilLow removes, once the limit is reached, the records that every cursor has passed,
// whatever their age; then, if it may, those that a cursor still needs. It reports whether the log
// is still above its limit.
func (w *writer) removeUntilLow() (over bool, err error) {
	goal := w.limits.high
	for {
		used, err := w.used()
		over = used > w.limits.high
		if err != nil || used <= goal {
			return over, err
		}
		goal = w.limits.low
		removed, err := w.removePassed(time.Time{})
		if err == nil && !removed && over && w.limits.OnFull == "drop_oldest" {
			removed, err = w.dropOldest()
		}
		if err != nil || !removed {
			return over, err
		}
	}
}

// removePassed removes some of the oldest records that every cursor has passed and that came before
// a time; the zero time stands for any age.
func (w *writer) removePassed(before time.Time) (removed bool, err error) {
	passed := w.last
	for _, c := range w.log.cursors {
		passed = min(passed, c.pos)
	}
	seqs, err := w.oldestUpTo(passed, before)
	if err != nil || len(seqs) == 0 {
		return false, err
	}
	return true, w.transact(func(b *batch) error { return w.remove(b, seqs) })
}

// dropOldest removes some of the oldest records although a cursor still needs them. The cursors
// that have not passed them are moved, and what each lost is kept until it was told.
func (w *writer) dropOldest() (removed bool, err error) {
	seqs, err := w.oldestUpTo(w.last, time.Time{})
	if err != nil || len(seqs) == 0 {
		return false, err
	}
	return true, w.transact(func(b *batch) error {
		for name, c := range w.log.cursors {
			if err := w.lose(b, name, c, seqs); err != nil {
				return err
			}
		}
		return w.remove(b, seqs)
	})
}

// lose moves a cursor past those of seqs that it has not passed.
func (w *writer) lose(b *batch, name string, c *cursor, seqs []uint64) error {
	for len(seqs) > 0 && seqs[0] <= c.pos {
		seqs = seqs[1:]
	}
	if len(seqs) == 0 {
		return nil
	}
	w.lossRow++
	l := loss{Loss{name, len(seqs), seqs[0], seqs[len(seqs)-1]}, []int64{w.lossRow}}
	if err := w.moveTo(name, place{l.Last, c.id}, c.seen); err != nil {
		return err
	}
	if _, err := w.putLoss.exec(w.lossRow, name, int64(l.Records), int64(l.First), int64(l.Last)); err != nil {
		return err
	}
	b.after(func() {
		w.log.changeCursor(name, func(c *cursor) { c.pos = l.Last })
		w.log.notify.loss(l)
	})
	return nil
}

// oldestUpTo returns a step's worth of the oldest records.
func (w *writer) oldestUpTo(last uint64, before time.Time) (seqs []uint64, err error) {
	bytes := 0
	err = w.oldest.each(func(row []driver.Value) error {
		seq, _ := row[0].(int64)
		appended, _ := row[1].(int64)
		size, _ := row[2].(int64)
		if uint64(seq) > last || !before.IsZero() && appended >= nanos(before) {
			return errStop
		}
		seqs = append(seqs, uint64(seq))
		if bytes += int(size); len(seqs) == removeStep || bytes >= w.limits.group {
			return errStop
		}
		return nil
	}, int64(w.log.pruned))
	return seqs, err
}

func (w *writer) remove(b *batch, seqs []uint64) error {
	last := seqs[len(seqs)-1]
	if _, err := w.prune.exec(int64(last)); err != nil {
		return err
	}
	if _, err := w.pruneOutcomes.exec(int64((last+1)<<outcomeShift), int64(last)); err != nil {
		return err
	}
	if _, err := w.setPruned.exec(int64(last), prunedSum(int64(last))); err != nil {
		return err
	}
	if _, err := w.pruneHoles.exec(int64(last)); err != nil {
		return err
	}
	b.after(func() {
		w.log.mu.Lock()
		w.log.pruned = last
		w.log.mu.Unlock()
		w.log.tail.drop(last)
	})
	return nil
}

// chore does one small step of what keeps the log tidy, if any is due.
func (w *writer) chore() {
	if w.due {
		w.due, w.tidying = false, true
		w.grown = w.limits.group
		w.makeRoom()
	}
	if !w.tidying || w.failed {
		return
	}
	more, err := w.tidy(time.Now())
	if err != nil {
		w.trouble(err)
	}
	w.tidying = more && err == nil // after an error: when it is due again
}

func (w *writer) tidy(now time.Time) (more bool, err error) {
	if err := w.tidyCursors(now); err != nil {
		return false, err
	}
	removed, err := w.removePassed(now.Add(-w.limits.Retention))
	if err != nil || removed {
		return removed, err
	}
	return w.giveBack()
}

// giveBack returns some of the free pages to the file system, and reports whether there are more.
func (w *writer) giveBack() (more bool, err error) {
	err = w.measure()
	before := w.log.free
	if err != nil || before <= w.limits.keepFree {
		return false, err
	}
	err = w.transact(func(*batch) error {
		_, err := w.vacuum.exec()
		return err
	})
	if err == nil {
		err = w.measure()
	}
	if err == nil && w.log.free <= w.limits.keepFree {
		_, err = w.mergeWAL.exec() // the file only shrinks then
	}
	return w.limits.keepFree < w.log.free && w.log.free < before, err
}

// trouble reports an error that kept records from being removed. Errors of the disk are left to
// the appends, which meet them too.
func (w *writer) trouble(err error) {
	if isCorrupt(err) && !w.mend(err) {
		w.log.notify.damage(0, fmt.Errorf("remove old records: %w", err))
	}
}

// told removes the losses in rows from the file: they were told.
func (l *Log) told(rows []int64) {
	r := &request{lazy: true, done: make(chan struct{}), run: func(*batch) error {
		for _, row := range rows {
			if _, err := l.writer.delLoss.exec(row); err != nil {
				return err
			}
		}
		return nil
	}}
	// Nobody waits for it: a loss whose row stays is told again after the next Open.
	_ = l.queue.put(context.Background(), r)
}

func (w *writer) loadLosses() error {
	s, err := w.db.prepare("SELECT id, cursor, records, first, last FROM losses ORDER BY id")
	if err != nil {
		return err
	}
	err = s.each(func(row []driver.Value) error {
		name, _ := row[1].(string)
		var n [5]int64
		for i, v := range row {
			n[i], _ = v.(int64)
		}
		w.lossRow = n[0]
		w.log.notify.loss(loss{Loss{name, int(n[2]), uint64(n[3]), uint64(n[4])}, []int64{n[0]}})
		return nil
	})
	return errors.Join(err, s.Close())
}
