package store

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	lib "modernc.org/sqlite/lib"
)

const (
	// lockTry is how long SQLite waits at a time for another program to end its transaction.
	lockTry = 50 * time.Millisecond
	// lockPatience is how long a group of requests waits for that in all.
	lockPatience = 5 * time.Second
	// closePatience is how long everything that is left when the log is closed may wait for it.
	closePatience = time.Second
)

// retryFailed is how often a disk that failed is tried when nobody appends.
const retryFailed = time.Second

// writer owns the one connection that writes. All its methods run on one goroutine.
type writer struct {
	log    *Log
	limits limits
	queue  *queue
	db     *conn
	every  time.Duration
	opened time.Time
	done   chan struct{}

	last     uint64 // sequence number of the newest record
	pageSize int64
	due      bool // a look for what is old is due
	tidying  bool // and has more to do
	failed   bool // the last transaction failed
	full     bool // there is no room, and none can be made
	grown    int  // bytes that were written since used was called
	lossRow  int64
	patience time.Duration // for another program's lock
	mended   time.Time     // when the file was mended, or that was tried
	// cursorsLost: there may have been cursors that are gone with the damage to a file. One that is not
	// known starts at the oldest record then.
	cursorsLost bool

	statements
}

func newWriter(l *Log, every time.Duration) *writer {
	return &writer{
		log: l, limits: l.limits, queue: l.queue, every: every,
		opened: time.Now(), done: make(chan struct{}),
	}
}

// connect opens the one connection that writes, if it is not open.
func (w *writer) connect() (err error) {
	if w.db != nil {
		return nil
	}
	if w.db, err = connect(w.log.path, busyTimeout(lockTry)); err != nil {
		w.db = nil
		return err
	}
	if err = w.configure(); err != nil {
		return errors.Join(err, w.disconnect())
	}
	return nil
}

func (w *writer) disconnect() error {
	if w.db == nil {
		return nil
	}
	err := w.db.Close()
	w.db = nil
	return err
}

func (w *writer) configure() error {
	var err error
	if w.pageSize, err = w.db.integer("PRAGMA page_size"); err != nil {
		return err
	}
	if mode, err := w.db.text("PRAGMA journal_mode = WAL"); err != nil {
		return err
	} else if mode != "wal" {
		return errors.New("no write-ahead log is possible on this file system (is it on the network?)")
	}
	err = w.db.exec("PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;" +
		"PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;" +
		"PRAGMA journal_size_limit = " + strconv.FormatInt(w.limits.reserve, 10) + ";" +
		"PRAGMA wal_autocheckpoint = " + strconv.FormatInt(w.limits.checkpoint/w.pageSize, 10))
	if err != nil {
		return err
	}
	return w.prepare(w.db)
}

// batch is what one transaction does. It takes effect once the commit returned.
type batch struct {
	last     uint64 // the newest sequence number, those of this transaction included
	appended []Record
	then     []func()
}

// after has f run once the transaction is on the disk.
func (b *batch) after(f func()) { b.then = append(b.then, f) }

// loop writes until the queue is closed and empty.
func (w *writer) loop() {
	defer close(w.done)
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	w.due = true
	for {
		w.queue.answer()
		select {
		case <-tick.C:
			w.due = true
		default:
		}
		group, sleep, open := w.queue.take()
		switch {
		case len(group) > 0:
			w.write(group)
			w.makeRoom()
		case !open:
			if !w.failed {
				w.noteErr(w.leave())
			}
			return
		case !w.due && (!w.tidying || w.failed):
			w.due = w.sleep(sleep, tick.C)
			continue
		}
		w.chore() // one small step, so that no group waits long
	}
}

// sleep waits for work, and reports whether it is maintenance. d bounds it; 0 does not.
func (w *writer) sleep(d time.Duration, tick <-chan time.Time) (due bool) {
	retry := w.failed && d == 0
	if retry {
		d = retryFailed
	}
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-w.queue.wake:
	case <-tick:
		return true
	case <-over:
		if retry {
			w.noteErr(w.transact(func(*batch) error {
				_, err := w.probe.exec(time.Now().UnixMilli())
				return err
			}))
		}
	}
	return false
}

// write runs a group as one transaction and tells those who wait for it.
func (w *writer) write(group []*request) {
	w.patience = lockPatience
	defer func() { w.patience = 0 }()
	do := func(b *batch) error {
		for _, r := range group {
			r.err = nil // of a first try
			if err := r.run(b); err != nil {
				return err
			}
		}
		return nil
	}
	err := w.transact(do)
	if isDamage(err) && (w.mend(err) || errors.Is(err, errUnsound)) {
		err = w.transact(do)
	}
	w.noteErr(err)
	w.queue.over()
	for _, r := range group {
		w.grown += r.size
		if err != nil {
			r.err = err
		}
		close(r.done)
	}
}

// noteErr keeps what Err returns. Only transactions that callers wait for count, and the tries of
// a disk that failed.
func (w *writer) noteErr(err error) {
	w.failed = err != nil
	if err == nil && w.full {
		err = ErrFull
	}
	w.log.setErr(err)
}

// transact runs do between BEGIN and COMMIT. When it returns nil, all of it is on the disk and in
// effect; otherwise nothing is.
func (w *writer) transact(do func(*batch) error) error {
	b := batch{last: w.last}
	err := w.lock()
	if err == nil {
		if err = do(&b); err == nil {
			_, err = w.commit.exec()
		}
		if err != nil {
			// SQLite has rolled back already after some errors, and says so with another one.
			_, _ = w.rollback.exec()
		}
	}
	if err != nil {
		return fmt.Errorf("write %w", explain(w.log.path, err))
	}
	w.last = b.last
	w.log.newest.Store(w.last)
	if len(b.appended) > 0 {
		w.log.tail.push(b.appended)
	}
	for _, f := range b.then {
		f()
	}
	return nil
}

// lock begins a transaction that writes. Only another program can be in its way, such as a sqlite3
// that somebody left open: a group waits for it for a while, maintenance comes back later, and
// closing the log does not take long whatever it does.
func (w *writer) lock() error {
	if err := w.connect(); err != nil {
		return err
	}
	for start := time.Now(); ; {
		_, err := w.begin.exec()
		if code(err) != lib.SQLITE_BUSY || time.Since(start) >= w.patience {
			return err
		}
		if closed := w.queue.closedAt(); !closed.IsZero() && time.Since(closed) >= closePatience {
			return err
		}
	}
}

// insert adds records, and returns how many were new.
func (w *writer) insert(b *batch, entries []entry) (added int, err error) {
	for i := range entries {
		e := &entries[i]
		seq := b.last + 1
		n, err := w.insertRecord.exec(int64(seq), e.appended, e.at, int64(withSeq(e.sum, seq)), e.id, e.Body)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			continue
		}
		e.Seq = seq
		b.last = seq
		b.appended = append(b.appended, e.Record)
		added++
	}
	return added, nil
}
