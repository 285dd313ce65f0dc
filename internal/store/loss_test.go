package store_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// losses collects what OnLoss is told.
type losses struct {
	mu   sync.Mutex
	told []string
	n    map[string]int
}

func (ls *losses) add(l store.Loss) error {
	cursor, records, first, last := l.Cursor, l.Records, l.First, l.Last
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
	return nil
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
			must(t, l.Settle(t.Context(), "slow", store.Settlement{UpTo: 3}))
		}
		if i%50 == 0 {
			must(t, l.Settle(t.Context(), "fast", store.Settlement{UpTo: uint64(i)}))
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
	l := open(t, dir, small("drop_oldest"), store.OnLoss(func(store.Loss) error {
		told <- true
		<-hang
		return nil
	}))
	openCursor(t, l, "slow", 0)
	for i := 0; len(told) == 0; i++ {
		_, err := l.Append(t.Context(), bigRecord(i))
		must(t, err)
	}
	must(t, l.Settle(t.Context(), "slow", store.Settlement{UpTo: 1})) // behind it, nothing is written any more
	crashed := copyLog(t, dir)                                        // before the callback returned
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
	l = open(t, crashed, small("drop_oldest"), store.OnLoss(func(store.Loss) error {
		t.Error("a loss was told again after it was heard")
		return nil
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
