package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func openLog(t *testing.T, opts ...Option) *Log {
	t.Helper()
	l, err := Open(t.Context(), t.TempDir(), DefaultConfig(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Log) mustClose(t *testing.T) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// hold keeps the writer inside a transaction until release is called.
func hold(t *testing.T, l *Log) (release func()) {
	t.Helper()
	in, out := make(chan bool), make(chan bool)
	r := &request{done: make(chan struct{}), run: func(*batch) error {
		close(in)
		<-out
		return nil
	}}
	if err := l.queue.put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	<-in
	return func() { close(out) }
}

func short(i int) Record {
	return Record{ID: fmt.Sprint(i), Body: []byte("body"), At: time.Unix(1, 0)}
}

// TestGroupCommit: what waits while a transaction runs goes into the next one, and whoever waits is
// told once that is on the disk.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t)
		defer l.mustClose(t)
		release := hold(t, l)
		results := make(chan int, 50)
		for i := range cap(results) {
			go func() {
				n, err := l.Append(t.Context(), short(i), short(i+1))
				if err != nil {
					t.Error(err)
				}
				results <- n
			}()
		}
		var groups []*batch
		for range 2 { // behind the others
			r := &request{done: make(chan struct{}), lazy: true, run: func(b *batch) error {
				groups = append(groups, b)
				return nil
			}}
			if err := l.queue.put(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(results) > 0 || l.LastSeq() > 0 {
			t.Fatal("acknowledged before the commit")
		}
		release()
		sum := 0
		for range cap(results) {
			sum += <-results
		}
		if sum != 51 || l.LastSeq() != 51 {
			t.Errorf("%d records added, the last is %d; want 51", sum, l.LastSeq())
		}
		if len(groups) != 2 || groups[0] != groups[1] || len(groups[0].appended) != 51 {
			t.Errorf("the appends took several transactions")
		}
	})
}

// TestSettleRides: a Settle goes with an Append that comes, and does not wait long for one.
func TestSettleRides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t)
		defer l.mustClose(t)
		if _, _, err := l.OpenCursor(t.Context(), "a", StartNow); err != nil {
			t.Fatal(err)
		}
		took := func(f func()) time.Duration {
			start := time.Now()
			f()
			return time.Since(start)
		}
		settle := func() {
			if err := l.Settle(t.Context(), "a", Settlement{UpTo: 0}); err != nil {
				t.Error(err)
			}
		}
		if d := took(settle); d != company {
			t.Errorf("a settle on its own took %v", d)
		}
		appended := took(func() {
			if _, err := l.Append(t.Context(), short(1)); err != nil {
				t.Error(err)
			}
		})
		if appended != 0 {
			t.Errorf("an append waited %v", appended)
		}
		done := make(chan time.Duration)
		go func() { done <- took(settle) }()
		time.Sleep(5 * time.Millisecond)
		if _, err := l.Append(t.Context(), short(2)); err != nil {
			t.Error(err)
		}
		if d := <-done; d != 5*time.Millisecond {
			t.Errorf("a settle that an append followed 5 ms later took %v", d)
		}
	})
}

// cancelOnce returns a context that ends once n requests wait for the writer.
func cancelOnce(t *testing.T, l *Log, n int) (ctx context.Context, cancel func()) {
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		waitQueued(l, n)
		cancel()
	}()
	return ctx, cancel
}

// waitQueued waits until so many requests wait for the writer.
func waitQueued(l *Log, n int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.queue.len() < n {
		<-tick.C
	}
}

// TestAppendGoesOn: who stops waiting leaves the work behind, and it is done.
func TestAppendGoesOn(t *testing.T) {
	l := openLog(t)
	defer l.mustClose(t)
	if _, _, err := l.OpenCursor(t.Context(), "a", StartNow); err != nil {
		t.Fatal(err)
	}
	release := hold(t, l)
	recs, changes := []Record{short(1), short(2)}, []Change{{"k", "x", []byte("y")}}
	ctx, cancel := cancelOnce(t, l, 1)
	if n, err := l.Append(ctx, recs...); !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("append: %d, %v", n, err)
	}
	cancel()
	ctx, cancel = cancelOnce(t, l, 2)
	if err := l.Settle(ctx, "a", Settlement{UpTo: 1, Changes: changes}); !errors.Is(err, context.Canceled) {
		t.Errorf("settle: %v", err)
	}
	cancel()
	recs[0], recs[1], changes[0] = short(8), short(9), Change{} // the slices are the caller's again
	release()
	if n, err := l.Append(t.Context(), short(1), short(3)); err != nil || n != 1 {
		t.Errorf("append: %d, %v", n, err)
	}
	got, err := l.Read(t.Context(), 0, 9)
	if err != nil || len(got) != 3 || got[1].ID != "2" {
		t.Errorf("read %+v, %v", got, err)
	}
	if pos, state, err := l.OpenCursor(t.Context(), "a", StartNow); err != nil || pos != 1 || len(state) != 1 || state[0].Key != "x" {
		t.Errorf("cursor at %d with %+v, %v", pos, state, err)
	}
}

// TestValue: what a record stands for stays with it as long as it is in memory.
func TestValue(t *testing.T) {
	l := openLog(t)
	defer l.mustClose(t)
	r := short(1)
	r.Value = &r
	if _, err := l.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []any{&r, nil} {
		recs, err := l.Read(t.Context(), 0, 1)
		if err != nil || recs[0].Value != want || recs[0].ID != "1" {
			t.Errorf("read %+v, %v", recs, err)
		}
		l.tail.mu.Lock()
		l.tail.cut(len(l.tail.recs)) // out of memory, onto the disk
		l.tail.mu.Unlock()
	}
}

// TestTooLarge: what could never be stored is refused before it takes others with it.
func TestTooLarge(t *testing.T) {
	c := DefaultConfig()
	c.MaxBytes = 16 << 20
	l, err := Open(t.Context(), t.TempDir(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.mustClose(t)
	r := short(1)
	r.Body = make([]byte, 2<<20)
	if _, err := l.Append(t.Context(), r); err != nil {
		t.Error(err)
	}
	r = short(2)
	r.Body = make([]byte, 2<<20+1)
	if _, err := l.Append(t.Context(), short(3), r); err == nil || l.LastSeq() != 1 {
		t.Errorf("append: %v; the last is %d", err, l.LastSeq())
	}
}
