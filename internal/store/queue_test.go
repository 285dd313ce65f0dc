package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueGroups(t *testing.T) {
	for _, test := range []struct {
		name  string
		sizes []int // of the requests; lazy ones are negative
		want  []int // how many each transaction takes
	}{
		{"nothing", nil, nil},
		{"all at once", []int{1, 1, -1, 1}, []int{4}},
		{"by bytes", []int{60, 40, 1, 99, 100, 1}, []int{2, 2, 1, 1}},
		{"one too large", []int{1, 500, 1}, []int{1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQueue(100)
			for _, size := range test.sizes {
				r := &request{size: max(size, -size), lazy: size < 0}
				if err := q.put(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			for i, want := range test.want {
				group, _, open := q.take()
				if len(group) != want || !open {
					t.Fatalf("transaction %d has %d requests, want %d", i, len(group), want)
				}
			}
			if group, sleep, open := q.take(); len(group) > 0 || sleep != 0 || !open {
				t.Fatalf("%d requests left, sleep %v, open %v", len(group), sleep, open)
			}
			if q.bytes != 0 || q.urgent != 0 {
				t.Fatalf("%d bytes, %d urgent ones left", q.bytes, q.urgent)
			}
		})
	}
}

func TestQueueLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1000)
		put := func(r *request) {
			t.Helper()
			if err := q.put(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		take := func(want int, wantSleep time.Duration) {
			t.Helper()
			group, sleep, _ := q.take()
			if len(group) != want || sleep != wantSleep {
				t.Fatalf("%d requests, sleep %v; want %d, %v", len(group), sleep, want, wantSleep)
			}
		}
		put(&request{lazy: true})
		take(0, company)
		time.Sleep(company / 2)
		put(&request{lazy: true})
		take(0, company/2) // the first one counts
		put(&request{})
		take(3, 0)
		put(&request{lazy: true})
		time.Sleep(company)
		take(1, 0)
		put(&request{lazy: true})
		q.close()
		take(1, 0)
		if _, _, open := q.take(); open {
			t.Fatal("open after close")
		}
		if err := q.put(t.Context(), &request{}); !errors.Is(err, ErrClosed) {
			t.Fatalf("put after close: %v", err)
		}
	})
}

// TestQueueExpects: where several append at a time, a transaction waits for about as many as before.
func TestQueueExpects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1000)
		put := func(n int) {
			t.Helper()
			for range n {
				if err := q.put(t.Context(), &request{size: 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		take := func(want int, wantSleep time.Duration) {
			t.Helper()
			group, sleep, _ := q.take()
			if len(group) != want || sleep != wantSleep {
				t.Fatalf("%d requests, sleep %v; want %d, %v", len(group), sleep, want, wantSleep)
			}
		}
		for range 3 {
			put(1)
			take(1, 0) // alone: nothing to wait for
			q.over()
		}
		put(1)
		take(1, 0)
		put(2) // they came meanwhile, and the one before will be back
		q.over()
		take(0, patience)
		<-q.wake
		put(1)
		<-q.wake
		take(3, 0)
		q.over()
		put(1)
		time.Sleep(patience / 2)
		take(0, patience/2)
		put(1)
		time.Sleep(patience / 2)
		take(2, 0) // the third is late
		q.over()
		put(2)
		take(2, 0) // and no longer expected
		q.over()
		put(1)
		take(0, patience)
		q.close()
		take(1, 0)
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(maxQueued)
		if err := q.put(t.Context(), &request{size: 2 * maxQueued}); err != nil {
			t.Fatal(err) // into an empty queue anything goes
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := q.put(ctx, &request{size: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("put into a full queue: %v", err)
		}
		errs := make(chan error, 3)
		for range cap(errs) {
			go func() { errs <- q.put(t.Context(), &request{size: maxQueued * 3 / 4}) }()
		}
		synctest.Wait()
		if len(errs) > 0 {
			t.Fatal("put did not wait for room")
		}
		q.take()
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(errs) > 0 {
			t.Fatal("there was room for one")
		}
		q.close()
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Fatalf("a put that waited for a queue that closed: %v", err)
			}
		}
	})
}
