package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxID bounds an ID, so that the index holds several a page.
const maxID = 1000

// Log is the durable log. Its methods may be called from any goroutine.
type Log struct {
	path    string
	limits  limits
	lock    *os.File
	queue   *queue
	tail    tail
	readers readers
	notify  *notifier
	newest  atomic.Uint64
	failure atomic.Pointer[error]
	holes   atomic.Pointer[holes]
	mending atomic.Bool // the file is rebuilt, which takes its time

	unanswered unanswered

	mu      sync.Mutex // guards what the writer changes and Stats reads
	cursors map[string]*cursor
	pruned  uint64 // no record up to here exists any more
	free    int64  // bytes of free pages inside the file

	writer *writer
	stop   sync.Once
	closed error
}

// Append stores records and returns when they are on the disk. A record whose ID is known, or came
// earlier in recs, is skipped; added is the number of those that were not. Their Seq is not set.
//
// If ctx ends while the records wait for the disk, Append returns its error and they are stored
// nevertheless: whoever appends them again adds nothing. ErrFull means that no record was stored;
// any other error that none was acknowledged.
func (l *Log) Append(ctx context.Context, recs ...Record) (added int, err error) {
	if len(recs) == 0 {
		return 0, nil
	}
	now := time.Now()
	entries := make([]entry, len(recs))
	size := 0
	for i, r := range recs {
		if err := l.check(r); err != nil {
			return 0, err
		}
		entries[i] = encode(r, now)
		size += len(r.Body) + recordOverhead
	}
	n := 0 // not added: the writer may still be at it when ctx has ended
	r := &request{size: size}
	r.run = func(b *batch) (err error) {
		if l.writer.full {
			r.err = ErrFull
			return nil
		}
		n, err = l.writer.insert(b, entries)
		return err
	}
	if err := l.do(ctx, r); err != nil {
		return 0, err
	}
	return n, nil
}

// check refuses what would fail in the transaction and take others with it.
func (l *Log) check(r Record) error {
	if n := len(r.ID); n == 0 || n > maxID {
		return fmt.Errorf("append: an ID of %d bytes; want 1 to %d", n, maxID)
	}
	if n := len(r.Body); n > l.limits.body {
		return fmt.Errorf("append %.64q: a body of %d bytes; max_bytes allows %d", r.ID, n, l.limits.body)
	}
	return nil
}

// do hands r to the writer and waits until its transaction is on the disk.
func (l *Log) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if err := l.queue.put(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isOpen returns ErrClosed once the log was closed.
func (l *Log) isOpen() error {
	if !l.queue.closedAt().IsZero() {
		return ErrClosed
	}
	return nil
}

// LastSeq returns the sequence number of the newest record, 0 if there never was one.
func (l *Log) LastSeq() uint64 { return l.newest.Load() }

// Err says why the log can not append at present; it is nil while it can. A disk that failed is
// tried again every second, so that Err becomes nil without anybody appending.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Ping returns nil once the goroutine that writes has answered, and ctx's error if it does not. It asks
// nothing of the disk: a log that can not append for want of room answers at once, and so does one that
// is being mended or was closed.
func (l *Log) Ping(ctx context.Context) error {
	if l.mending.Load() {
		return nil
	}
	select {
	case <-l.queue.ping():
		return nil
	case <-l.writer.done:
		return nil
	case <-ctx.Done():
		if l.mending.Load() {
			return nil
		}
		return ctx.Err()
	}
}

func (l *Log) setErr(err error) {
	if err == nil {
		l.failure.Store(nil)
		return
	}
	l.failure.Store(&err)
}

// Close writes what waits, ends all reads with ErrClosed and releases the directory.
func (l *Log) Close() error {
	l.stop.Do(func() {
		l.queue.close()
		<-l.writer.done
		l.tail.close()
		l.notify.close()
		l.closed = l.release()
	})
	return l.closed
}

// release closes what Open opened.
func (l *Log) release() error {
	return errors.Join(l.disconnect(), unlockDir(l.lock))
}

// disconnect closes the connections, the writer's last: the last one to be closed merges the
// write-ahead log into the file.
func (l *Log) disconnect() error {
	errs := []error{l.readers.close()}
	if l.writer != nil {
		if err := l.writer.disconnect(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", l.path, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Log) setHoles(list holes) { l.holes.Store(&list) }
