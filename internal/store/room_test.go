package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
		must(t, l.Settle(t.Context(), "fast", 60))
		must(t, l.Settle(t.Context(), "slow", 10))
		holds(1, 60)
		time.Sleep(30 * time.Minute)
		add(61, 80)
		must(t, l.Settle(t.Context(), "fast", 80))
		holds(1, 80)
		time.Sleep(31 * time.Minute)
		holds(11, 80) // old enough, but one cursor still needs the others
		must(t, l.Settle(t.Context(), "slow", 80))
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

// losses collects what OnLoss is told.
type losses struct {
	mu   sync.Mutex
	told []string
	n    map[string]int
}

func (ls *losses) add(cursor string, records int, first, last uint64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.n == nil {
		ls.n = map[string]int{}
	}
	ls.n[cursor] += records
	ls.told = append(ls.told, fmt.Sprint(cursor, " ", first, " ", last))
	if records != int(last-first+1) {
		ls.told = append(ls.told, fmt.Sprintf("but %d records", records))
	}
}

func TestDropOldest(t *testing.T) {
	t.Parallel()
	var lost losses
	dir := t.TempDir()
	l := open(t, dir, small("drop_oldest"), store.OnLoss(lost.add))
	openCursor(t, l, "fast", 0)
	openCursor(t, l, "slow", 0)
	openCursor(t, l, "slower", 0)
	const n = 600 // 30 MB
	for i := 1; i <= n; i++ {
		_, err := l.Append(t.Context(), bigRecord(i))
		must(t, err)
		if i == 5 {
			must(t, l.Settle(t.Context(), "slow", 3))
		}
		if i%50 == 0 {
			must(t, l.Settle(t.Context(), "fast", uint64(i)))
		}
		if s := stats(t, l); s.Bytes > 16<<20 {
			t.Fatalf("%d bytes after %d records", s.Bytes, i)
		}
	}
	s := stats(t, l)
	if s.Newest != n || s.Records < 150 || l.Err() != nil {
		t.Fatalf("%+v; %v", s, l.Err())
	}
	must(t, l.Close())

	// What was not told yet is told now.
	l = open(t, dir, small("drop_oldest"), store.OnLoss(lost.add))
	openCursor(t, l, "fast", n)
	openCursor(t, l, "slow", s.Oldest-1)
	openCursor(t, l, "slower", s.Oldest-1)
	recs, err := l.Read(t.Context(), 0, 1)
	if err != nil || recs[0].Seq != s.Oldest {
		t.Fatalf("the first is %d, want %d; %v", recs[0].Seq, s.Oldest, err)
	}
	_, err = l.Append(t.Context(), recordOf("one more"))
	must(t, err)
	waitFor(t, func() bool {
		lost.mu.Lock()
		defer lost.mu.Unlock()
		return lost.n["slow"] >= int(s.Oldest)-4 && lost.n["slower"] >= int(s.Oldest)-1
	})
	must(t, l.Close())
	if want := map[string]int{"slow": int(s.Oldest) - 4, "slower": int(s.Oldest) - 1}; !cmp.Equal(want, lost.n) {
		t.Errorf("lost %v, want %v: %q", lost.n, want, lost.told)
	}
	if slices.ContainsFunc(lost.told, func(s string) bool { return s[0] == 'b' }) {
		t.Errorf("told %q", lost.told)
	}
}

// waitFor waits for what another goroutine does.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("waited in vain")
		}
	}
}

func TestLossIsToldUntilHeard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told, hang := make(chan bool, 100), make(chan struct{})
	l := open(t, dir, small("drop_oldest"), store.OnLoss(func(string, int, uint64, uint64) {
		told <- true
		<-hang
	}))
	openCursor(t, l, "slow", 0)
	for i := 0; len(told) == 0; i++ {
		_, err := l.Append(t.Context(), bigRecord(i))
		must(t, err)
	}
	must(t, l.Settle(t.Context(), "slow", 1)) // behind it, nothing is written any more
	crashed := copyLog(t, dir)                // before the callback returned
	close(hang)

	var lost losses
	l = open(t, crashed, small("drop_oldest"), store.OnLoss(lost.add))
	waitFor(t, func() bool {
		lost.mu.Lock()
		defer lost.mu.Unlock()
		return len(lost.told) > 0
	})
	want := fmt.Sprint("slow 1 ", stats(t, l).Oldest-1)
	must(t, l.Close())
	if !slices.Equal(lost.told, []string{want}) {
		t.Errorf("told %q after the crash, want %q", lost.told, want)
	}
	l = open(t, crashed, small("drop_oldest"), store.OnLoss(func(string, int, uint64, uint64) {
		t.Error("a loss was told again after it was heard")
	}))
	_, err := l.Append(t.Context(), recordOf("x"))
	must(t, err)
	must(t, l.Close())
}

// copyLog copies the files of a log as a crash would leave them.
func copyLog(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"filelessd.db", "filelessd.db-wal"} {
		writeFile(t, filepath.Join(to, name), readFile(t, filepath.Join(dir, name)))
	}
	return to
}

func TestPassedRecordsGoFirst(t *testing.T) {
	t.Parallel()
	for _, onFull := range []string{"drop_oldest", "refuse"} {
		t.Run(onFull, func(t *testing.T) {
			l := open(t, t.TempDir(), small(onFull), store.OnLoss(func(cursor string, _ int, _, _ uint64) {
				t.Errorf("%s lost records", cursor)
			}))
			openCursor(t, l, "a", 0)
			for i := 1; i <= 450; i++ { // more than there is room for
				_, err := l.Append(t.Context(), bigRecord(i))
				must(t, err)
				if i%90 == 0 {
					must(t, l.Settle(t.Context(), "a", uint64(i)))
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
	must(t, l.Settle(t.Context(), "a", 1, store.Change{Kind: "k", Key: "x", Body: []byte("y")}))
	must(t, l.SaveState(t.Context(), "file", store.Change{Kind: "k", Key: "x", Body: []byte("y")}))
	if s := stats(t, l); s.Newest != uint64(last) || s.Bytes > 16<<20 {
		t.Fatalf("%+v", s)
	}
	must(t, l.Close())
	l = open(t, dir, small("refuse"))
	openCursor(t, l, "a", 1)
	last = fill(last + 1) // the merged write-ahead log may have left a little room
	must(t, l.Settle(t.Context(), "a", uint64(last)))
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
		must(t, l.Settle(t.Context(), "a", 400))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := stats(t, l); s.Records != 0 || s.FreeBytes > 5<<20 || s.Bytes > full-10<<20 {
			t.Errorf("%+v, from %d bytes", s, full)
		}
		must(t, l.Close())
	})
}

func TestCursorsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var forgotten []string
		onForget := store.OnForget(func(name string, pos uint64) {
			forgotten = append(forgotten, fmt.Sprint(name, " ", pos))
		})
		c, every := small("refuse"), store.MaintainEvery(10*time.Minute)
		l := open(t, dir, c, every, onForget)
		_, err := l.Append(t.Context(), recordOf("1"), recordOf("2"))
		must(t, err)
		for _, name := range []string{"stays", "closed", "gone", "removed"} {
			openCursor(t, l, name, 0)
			must(t, l.Settle(t.Context(), name, 1, store.Change{Kind: "k", Key: name, Body: []byte("x")}))
		}
		must(t, l.Forget(t.Context(), "removed"))
		if err := l.Forget(t.Context(), "removed"); !errors.Is(err, store.ErrNoCursor) {
			t.Fatalf("forget of an unknown cursor: %v", err)
		}
		time.Sleep(100 * time.Hour) // all are in use, though nothing moves
		crashed := open(t, copyLog(t, dir), c, every)
		time.Sleep(22 * time.Hour)
		if s := stats(t, crashed); len(s.Cursors) != 3 {
			t.Fatalf("22 hours after a crash: %+v", s.Cursors)
		}
		must(t, crashed.Close())
		must(t, l.CloseCursor(t.Context(), "closed"))
		time.Sleep(23 * time.Hour)
		must(t, l.Close())

		time.Sleep(30 * time.Minute)
		l = open(t, dir, c, every, onForget)
		openCursor(t, l, "stays", 1)
		names := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, c := range stats(t, l).Cursors {
				got = append(got, c.Name)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cursors %v, want %v", got, want)
			}
		}
		names("closed", "gone", "stays")
		time.Sleep(55 * time.Minute) // nothing is forgotten in the first hour
		names("closed", "gone", "stays")
		time.Sleep(10 * time.Minute)
		names("gone", "stays")
		time.Sleep(22 * time.Hour) // and half an hour, and 65 minutes, since it was last used
		names("gone", "stays")
		time.Sleep(2 * time.Hour)
		names("stays")
		if want := []string{"closed 1", "gone 1"}; !slices.Equal(forgotten, want) {
			t.Fatalf("forgotten %v, want %v", forgotten, want)
		}
		if err := l.Settle(t.Context(), "gone", 2); !errors.Is(err, store.ErrNoCursor) {
			t.Fatalf("settle of a forgotten cursor: %v", err)
		}
		_, state, err := l.OpenCursor(t.Context(), "gone", store.StartNow)
		if err != nil || len(state) > 0 {
			t.Fatalf("a forgotten cursor left %v, %v", state, err)
		}
		must(t, l.Close())
	})
}

// TestDownForLong: a program that was off for days still has its cursors.
func TestDownForLong(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, small("refuse"))
		_, err := l.Append(t.Context(), recordOf("1"), recordOf("2"))
		must(t, err)
		openCursor(t, l, "a", 0)
		must(t, l.Settle(t.Context(), "a", 1))
		must(t, l.Close())
		time.Sleep(1000 * time.Hour)
		l = open(t, dir, small("refuse"))
		synctest.Wait()
		openCursor(t, l, "a", 1)
		if recs, err := l.Read(context.Background(), 1, 1); err != nil || recs[0].Seq != 2 {
			t.Fatalf("%v, %v", recs, err)
		}
		must(t, l.Close())
	})
}
