package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	lib "modernc.org/sqlite/lib"
)

// mendAgain is how long a file that was mended, or could not be, is left alone: what is damaged again
// at once is not mended by doing the same again.
const mendAgain = time.Minute

// mend is called when SQLite found the file damaged. It reports whether what failed should be tried
// again: the file was rebuilt, or SQLite finds nothing wrong with it any more, as after a disk that did
// not answer. Meanwhile nothing is read or written; what is in memory goes into the new file.
func (w *writer) mend(cause error) bool {
	if !w.mayMend() {
		return false
	}
	w.mended = time.Now()
	w.log.mending.Store(true)
	defer w.log.mending.Store(false)
	w.log.readers.suspend()
	defer w.log.readers.resume()
	err := w.disconnect()
	if err == nil && !soundFile(w.log.path) {
		err = w.rebuild(cause)
	}
	if err != nil {
		w.log.notify.tellDamage(fmt.Errorf("the log is damaged (%w) and could not be rebuilt: %w", cause, err))
	}
	if err = errors.Join(err, w.connect()); err != nil {
		return false
	}
	newest, err := w.db.integer("SELECT ifnull(max(seq), 0) FROM records")
	if err != nil {
		return false
	}
	if uint64(newest) > w.last { // what was damaged when it was loaded has hidden some
		w.last = uint64(newest)
		w.log.newest.Store(w.last)
		w.log.tail.restart(w.last)
	}
	return true
}

// soundFile reports whether SQLite finds nothing wrong with the structure of a file. A quick_check would not
// see an entry of an index that leads to no row.
func soundFile(path string) bool {
	db, err := connect(path, busyTimeout(lockPatience))
	if err != nil {
		return false
	}
	answer, err := db.text("PRAGMA integrity_check(1)")
	return errors.Join(err, db.Close()) == nil && answer == "ok"
}

// rebuild makes a new file of the damaged one and of what is in memory.
func (w *writer) rebuild(cause error) error {
	k := &known{last: w.last, pruned: w.log.pruned, lossRow: w.lossRow, recs: w.log.tail.all()}
	w.log.mu.Lock()
	k.cursors = maps.Clone(w.log.cursors)
	w.log.mu.Unlock()
	found, err := rebuild(w.log.path, k)
	if err != nil {
		return explain(w.log.path, err)
	}
	w.log.notify.rebuilt(w.log.path, cause, &found)
	w.log.setHoles(found.holes)
	if found.lost.Records > 0 {
		w.lossRow = found.lossRow
		w.log.notify.loss(loss{found.lost, []int64{found.lossRow}})
	}
	return nil
}

// rebuilt tells of a new file.
func (n *notifier) rebuilt(path string, cause error, found *salvaged) {
	n.tellDamage(fmt.Errorf("the log was damaged (%w) and has been rebuilt: %s; the damaged file is %s", cause, found, path+aside))
}

var errUnsound = errors.New("the structure of the file is damaged")

// isDamage reports whether an error of the writer says that the file is not what it was.
func isDamage(err error) bool {
	return isCorrupt(err) || code(err) == lib.SQLITE_CONSTRAINT || errors.Is(err, errUnsound)
}

// askToMend has the writer look at the file, because a reader found it damaged. It returns nil if
// reading should be tried again.
func (l *Log) askToMend(ctx context.Context, cause error) error {
	asked := false
	return l.do(ctx, &request{run: func(*batch) error {
		if asked || !l.writer.mayMend() {
			return nil
		}
		asked = true
		return fmt.Errorf("%w: %w", errUnsound, cause)
	}})
}

// mayMend reports whether mend would do anything.
func (w *writer) mayMend() bool {
	return !w.log.notify.noRebuild && (w.mended.IsZero() || time.Since(w.mended) >= mendAgain)
}

// all returns what is in the tail.
func (t *tail) all() []Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recs[:len(t.recs):len(t.recs)]
}
