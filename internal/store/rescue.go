package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// rescue is a copy of a write-ahead log with damage in its middle. SQLite takes what is before it and
// overwrites the rest, without a word.
const rescue = "-wal.rescue"

// errWAL is for whoever may not change anything: SQLite would, as soon as it has the file.
var errWAL = errors.New("its write-ahead log is damaged before its end")

// keepWAL copies the write-ahead log if SQLite would leave out transactions that were committed: where
// a frame is damaged and a commit comes behind it. With onlyLook that is an error.
func keepWAL(path string, onlyLook bool) error {
	if fileSize(path+"-wal") == 0 {
		return nil
	}
	m, err := openImage(path, path+"-wal")
	if err != nil {
		return err
	}
	broken := m.broken
	if err := m.Close(); err != nil || !broken {
		return err
	}
	if onlyLook {
		return errWAL
	}
	if _, err := os.Stat(path + rescue); err == nil {
		return nil // a start before this one did not come to its end
	}
	const partial = rescue + ".partial"
	if err := copyFile(path+"-wal", path+partial); err != nil {
		return err
	}
	if err := os.Rename(path+partial, path+rescue); err != nil {
		return err
	}
	return syncDirs(filepath.Dir(path))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// rescueRecords puts back into the log the records that a copy of a write-ahead log has behind the
// damage. They are older than anything that can be appended from now on.
func (w *writer) rescueRecords() error {
	path := w.log.path
	if _, err := os.Stat(path + rescue); err != nil || w.log.notify.noRebuild {
		return nil //nolint:nilerr // there is nothing to do
	}
	m, err := openImage(path, path+rescue)
	if err != nil {
		return err
	}
	last, found := w.last, 0
	w.patience = lockPatience
	err = w.transact(func(b *batch) (err error) {
		if found, err = w.putRescued(m); err != nil {
			return err
		}
		newest, err := w.db.integer("SELECT ifnull(max(seq), 0) FROM records")
		b.last = max(b.last, uint64(newest))
		if err == nil {
			err = w.noteHoles(last, b.last)
		}
		if err == nil {
			_, err = w.setMeta.exec(int64(1), metaLost) // they can be behind the damage too
		}
		return err
	})
	w.patience = 0
	if err = errors.Join(err, m.Close()); err != nil {
		return fmt.Errorf("rescue records from %s: %w", path+rescue, err)
	}
	w.log.notify.tellDamage(fmt.Errorf("%s-wal was damaged: %d records behind the damage were read from a copy, which is %s",
		path, found, path+aside+"-wal"))
	return os.Rename(path+rescue, path+aside+"-wal")
}

// putRescued inserts what can be read, and returns how many records were not there before.
func (w *writer) putRescued(m *image) (found int, err error) {
	put, err := w.db.prepare("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ifnull(?, x''))")
	if err != nil {
		return 0, err
	}
	s := &scanner{image: m, view: m.late(), over: make([]byte, pageSize)}
	page := make([]byte, pageSize)
	for n := range m.beyond {
		ok, err := m.page(s.view, n, page)
		if err == nil && ok {
			err = s.rows(n, page, func(r row) error {
				cols, ok := recordOfRow(r)
				if !ok || uint64(r.key) <= w.log.pruned {
					return nil
				}
				n, err := put.exec(cols...)
				found += int(n)
				return err
			})
		}
		if err != nil {
			return found, errors.Join(err, put.Close())
		}
	}
	return found, put.Close()
}

// recordOfRow returns the columns of a record, if a row is one and its checksum is good.
func recordOfRow(r row) (cols []any, ok bool) {
	if !r.table || !is(r.cols, "niiibb") && !is(r.cols, "niiitb") || r.key < 1 || r.key >= mostSeq {
		return nil, false
	}
	r.cols[0] = r.key
	if _, err := decode(r.cols); err != nil {
		return nil, false
	}
	for _, v := range r.cols {
		cols = append(cols, v)
	}
	return cols, true
}

// noteHoles notes which numbers behind first are missing up to last, as a loss.
func (w *writer) noteHoles(first, last uint64) error {
	gaps, err := findGaps(w.db, first, last)
	if err != nil || len(gaps) == 0 {
		return err
	}
	l := Loss{First: gaps[0].first, Last: gaps[len(gaps)-1].last}
	put, err := w.db.prepare("INSERT OR REPLACE INTO holes VALUES (?, ?)")
	if err != nil {
		return err
	}
	for _, g := range gaps {
		l.Records += g.size()
		if _, err := put.exec(int64(g.first), int64(g.last)); err != nil {
			return errors.Join(err, put.Close())
		}
	}
	w.lossRow++
	_, err = w.putLoss.exec(w.lossRow, l.Cursor, int64(l.Records), int64(l.First), int64(l.Last))
	return errors.Join(err, put.Close())
}

// findGaps returns the numbers behind first and up to last that no record has.
func findGaps(db *conn, first, last uint64) (gaps holes, err error) {
	s, err := db.prepare("SELECT prev + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, ?1) OVER (ORDER BY seq) AS prev FROM " +
		"(SELECT seq FROM records WHERE seq > ?1 UNION ALL SELECT ?2 + 1)) WHERE seq > prev + 1")
	if err != nil {
		return nil, err
	}
	err = s.each(func(row []driver.Value) error {
		first, _ := row[0].(int64)
		last, _ := row[1].(int64)
		gaps = append(gaps, hole{uint64(first), uint64(last)})
		return nil
	}, int64(first), int64(last))
	return gaps, errors.Join(err, s.Close())
}
