package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// hog holds SQLite's write lock on the file of l until release is called, as another program can.
func hog(t *testing.T, l *Log) (release func()) {
	t.Helper()
	db, err := connect(l.path, "busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(db.exec("ROLLBACK"), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestLockedByAnother: while another program writes, an append waits; when that ends, it is stored.
func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	defer l.mustClose(t)
	release := hog(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 10*lockTry)
	defer cancel()
	if _, err := l.Append(ctx, short(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append: %v", err)
	}
	release()
	if n, err := l.Append(t.Context(), short(1), short(2)); err != nil || n != 1 || l.LastSeq() != 2 {
		t.Errorf("append: %d, %v; %d records", n, err, l.LastSeq())
	}
}

// TestClosedWhileLocked: however much waits, another program's lock holds up the end only for a
// moment, and everybody who waits is told.
func TestClosedWhileLocked(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	release := hog(t, l)
	first := &request{done: make(chan struct{}), run: func(*batch) error { return nil }}
	if err := l.queue.put(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(time.Millisecond); l.queue.len() > 0; { // the writer is at it
		<-tick.C
	}
	const n = 5 * maxGroup
	results := make(chan error)
	for i := range n {
		go func() {
			_, err := l.Append(t.Context(), short(i))
			results <- err
		}()
	}
	waitQueued(l, n)
	closed := make(chan error)
	start := time.Now()
	go func() { closed <- l.Close() }()
	for range n {
		if err := <-results; err == nil || !strings.Contains(err.Error(), "another program keeps it locked") {
			t.Fatalf("append: %v", err)
		}
	}
	err := <-closed
	if took := time.Since(start); took > 2*lockPatience || err != nil { // five groups would take 25 s
		t.Errorf("closing took %s: %v", took, err)
	}
	release()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}
