package store

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFailedGroup: when a transaction fails, nothing of it is left anywhere.
func TestFailedGroup(t *testing.T) { synctest.Test(t, failedGroup) }

func failedGroup(t *testing.T) {
	l := openLog(t)
	defer l.mustClose(t)
	ctx := t.Context()
	if _, err := l.Append(ctx, short(1), short(2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.OpenCursor(ctx, "a", StartOldest); err != nil {
		t.Fatal(err)
	}
	release := hold(t, l)
	calls := []func() error{
		func() error { _, err := l.Append(ctx, short(3)); return err },
		func() error {
			return l.Settle(ctx, "a", Settlement{UpTo: 2, Changes: []Change{{"k", "x", []byte("y")}}})
		},
		func() error { return l.Forget(ctx, "a") },
		func() error { return l.SaveState(ctx, "o", Change{"k", "x", []byte("y")}) },
		func() error { _, _, err := l.OpenCursor(ctx, "b", StartNow); return err },
	}
	errs := make(chan error, len(calls))
	for _, call := range calls {
		go func() { errs <- call() }()
		synctest.Wait() // it is queued
	}
	broken := errors.New("the disk is gone")
	err := l.queue.put(ctx, &request{done: make(chan struct{}), run: func(*batch) error { return broken }})
	if err != nil {
		t.Fatal(err)
	}
	release()
	for range calls {
		if err := <-errs; !errors.Is(err, broken) || !strings.Contains(err.Error(), l.path) {
			t.Errorf("a call of the group: %v", err)
		}
	}
	if err := l.Err(); !errors.Is(err, broken) {
		t.Errorf("Err: %v", err)
	}
	if _, err := l.Append(ctx, short(4)); err != nil || l.Err() != nil {
		t.Errorf("append after it: %v, Err: %v", err, l.Err())
	}
	recs, err := l.Read(ctx, 2, 9)
	if err != nil || len(recs) != 1 || recs[0].ID != "4" || recs[0].Seq != 3 {
		t.Errorf("read %+v, %v", recs, err)
	}
	s, err := l.Stats(ctx)
	if err != nil || len(s.Cursors) != 1 || s.Cursors[0].Name != "a" || s.Cursors[0].Pos != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if pos, state, err := l.OpenCursor(ctx, "a", StartNow); err != nil || pos != 0 || len(state) > 0 {
		t.Errorf("cursor at %d with %v, %v", pos, state, err)
	}
	if state, err := l.LoadState(ctx, "o"); err != nil || len(state) > 0 {
		t.Errorf("state %v, %v", state, err)
	}
}

// TestDiskFull: SQLite's own answer to a full disk.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t)
		defer l.mustClose(t)
		pages := func(n string) {
			t.Helper()
			r := &request{size: 1, run: func(*batch) error { return nil }}
			if err := l.do(t.Context(), r); err != nil { // the writer is idle behind it
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := l.writer.db.integer("PRAGMA max_page_count = " + n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Append(t.Context(), short(1)); err != nil {
			t.Fatal(err)
		}
		pages("1") // as many as there are
		big := short(2)
		big.Body = make([]byte, 100_000)
		for range 3 {
			_, err := l.Append(t.Context(), big)
			if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), l.path) {
				t.Fatalf("append: %v", err)
			}
		}
		if l.Err() == nil {
			t.Error("Err is nil")
		}
		if recs, err := l.Read(t.Context(), 0, 9); err != nil || len(recs) != 1 {
			t.Errorf("read %d records, %v", len(recs), err)
		}
		time.Sleep(2 * retryFailed) // a small write still fits
		if err := l.Err(); err != nil {
			t.Errorf("Err: %v", err)
		}
		pages("1000000")
		if n, err := l.Append(t.Context(), big); err != nil || n != 1 || l.LastSeq() != 2 {
			t.Errorf("append: %d, %v", n, err)
		}
	})
}
