package store_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// small is the smallest log there can be.
func small(onFull string) store.Config {
	return store.Config{Retention: time.Hour, MaxBytes: 16 << 20, OnFull: onFull}
}

func bigRecord(i int) store.Record {
	r := recordOf(fmt.Sprint("big", i))
	r.Body = append(make([]byte, 50_000), fmt.Sprint(i)...)
	return r
}

func stats(t *testing.T, l *store.Log) store.Stats {
	t.Helper()
	s, err := l.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openCursor(t *testing.T, l *store.Log, name string, want uint64) {
	t.Helper()
	pos, _, err := l.OpenCursor(t.Context(), name, store.StartOldest)
	if err != nil || pos != want {
		t.Fatalf("cursor %s at %d, want %d; %v", name, pos, want, err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, small("drop_oldest"))
		openCursor(t, l, "fast", 0)
		openCursor(t, l, "slow", 0)
		add := func(first, last int) {
			t.Helper()
			for i := first; i <= last; i++ {
				_, err := l.Append(t.Context(), bigRecord(i))
				must(t, err)
			}
		}
		holds := func(oldest, newest uint64) {
			t.Helper()
			synctest.Wait()
			if s := stats(t, l); s.Oldest != oldest || s.Newest != newest {
				t.Fatalf("records %d to %d, want %d to %d", s.Oldest, s.Newest, oldest, newest)
			}
			if oldest == 0 {
				return
			}
			for after := uint64(0); after < oldest; after += 10 { // from the disk and from memory
				if recs, err := l.Read(t.Context(), after, 1); err != nil || recs[0].Seq != max(oldest, after+1) {
					t.Fatalf("read behind %d: %d, %v", after, recs[0].Seq, err)
				}
			}
		}
		add(1, 60)
		must(t, l.Settle(t.Context(), "fast", store.Settlement{UpTo: 60}))
		must(t, l.Settle(t.Context(), "slow", store.Settlement{UpTo: 10}))
		holds(1, 60)
		time.Sleep(30 * time.Minute)
		add(61, 80)
		must(t, l.Settle(t.Context(), "fast", store.Settlement{UpTo: 80}))
		holds(1, 80)
		time.Sleep(31 * time.Minute)
		holds(11, 80) // old enough, but one cursor still needs the others
		must(t, l.Settle(t.Context(), "slow", store.Settlement{UpTo: 80}))
		time.Sleep(2 * time.Minute)
		holds(61, 80) // not old enough
		time.Sleep(time.Hour)
		holds(0, 0)
		if _, err := l.Get(t.Context(), bigRecord(80).ID); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("get of a record that is gone: %v", err)
		}
		if s := stats(t, l); s.FreeBytes > 1<<20 || s.Bytes > 5<<20 {
			t.Fatalf("%d bytes, %d of them free, for no record", s.Bytes, s.FreeBytes)
		}
		must(t, l.Close())

		// Nothing is left to tell the next number, but numbers do not repeat; IDs may.
		l = open(t, dir, small("drop_oldest"))
		add(1, 1)
		holds(81, 81)
	})
}

func TestPassedRecordsGoFirst(t *testing.T) {
	t.Parallel()
	for _, onFull := range []string{"drop_oldest", "refuse"} {
		t.Run(onFull, func(t *testing.T) {
			l := open(t, t.TempDir(), small(onFull), store.OnLoss(func(lost store.Loss) error {
				t.Errorf("%+v", lost)
				return nil
			}))
			openCursor(t, l, "a", 0)
			for i := 1; i <= 450; i++ { // more than there is room for
				_, err := l.Append(t.Context(), bigRecord(i))
				must(t, err)
				if i%90 == 0 {
					must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: uint64(i)}))
				}
			}
			if s := stats(t, l); s.Bytes > 16<<20 || s.Records < 150 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, small("refuse"))
	openCursor(t, l, "a", 0)
	fill := func(i int) int {
		t.Helper()
		for ; ; i++ {
			n, err := l.Append(t.Context(), bigRecord(i))
			if errors.Is(err, store.ErrFull) {
				return i - 1
			}
			if err != nil || n != 1 {
				t.Fatalf("append: %d, %v", n, err)
			}
		}
	}
	last := fill(1)
	if last < 150 || last > 320 {
		t.Fatalf("full after %d records of 50 kB", last)
	}
	if !errors.Is(l.Err(), store.ErrFull) {
		t.Fatalf("Err: %v", l.Err())
	}
	must(t, l.Ping(t.Context())) // it is full, and alive
	must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: 1, Changes: []store.Change{{Kind: "k", Key: "x", Body: []byte("y")}}}))
	must(t, l.SaveState(t.Context(), "file", store.Change{Kind: "k", Key: "x", Body: []byte("y")}))
	if s := stats(t, l); s.Newest != uint64(last) || s.Bytes > 16<<20 {
		t.Fatalf("%+v", s)
	}
	must(t, l.Close())
	l = open(t, dir, small("refuse"))
	openCursor(t, l, "a", 1)
	last = fill(last + 1) // the merged write-ahead log may have left a little room
	must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: uint64(last)}))
	waitFor(t, func() bool { return l.Err() == nil })
	if again := fill(last+1) - last; again < 20 {
		t.Fatalf("full again after %d records", again)
	}
}

func TestFreePagesAreGivenBack(t *testing.T) {
	t.Parallel()
	c := small("drop_oldest")
	c.MaxBytes = 64 << 20
	c.Retention = 0
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, c)
		openCursor(t, l, "a", 0)
		for i := 1; i <= 400; i++ {
			_, err := l.Append(t.Context(), bigRecord(i))
			must(t, err)
		}
		full := stats(t, l).Bytes
		must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: 400}))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := stats(t, l); s.Records != 0 || s.FreeBytes > 5<<20 || s.Bytes > full-10<<20 {
			t.Errorf("%+v, from %d bytes", s, full)
		}
		must(t, l.Close())
	})
}
