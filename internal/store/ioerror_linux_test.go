package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// breakReads makes every read of the open file at path fail, as a disk does that is gone, until
// repair is called. SQLite's descriptors are replaced by one that may only write.
func breakReads(t *testing.T, path string) (repair func()) {
	t.Helper()
	unreadable, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	must(t, err)
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	saved := map[int]int{}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		must(t, err)
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && to == path && fd != unreadable {
			saved[fd] = -1
		}
	}
	for fd := range saved {
		saved[fd], err = syscall.Dup(fd)
		must(t, err)
		must(t, syscall.Dup3(unreadable, fd, syscall.O_CLOEXEC))
	}
	if len(saved) == 0 {
		t.Fatalf("%s is not open", path)
	}
	return func() {
		for fd, copied := range saved {
			must(t, syscall.Dup3(copied, fd, syscall.O_CLOEXEC))
			must(t, syscall.Close(copied))
		}
		must(t, syscall.Close(unreadable))
	}
}

// TestReadError: a disk that does not answer is an error and no damage. One that answers for some records,
// perhaps from memory, but not for others, is damaged once it goes on for a minute.
func TestReadError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testReadError)
}

func testReadError(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	const n = 200
	for i := 1; i <= n; i++ {
		r := bigRecord(i) // of several pages, which SQLite does not keep in its cache
		if i == 6 {
			r.Body = []byte("small")
		}
		_, err := l.Append(t.Context(), r)
		must(t, err)
	}
	must(t, l.Close())
	var reports []string
	l = open(t, dir, store.DefaultConfig(), store.OnDamage(func(seq uint64, _ error) {
		reports = append(reports, fmt.Sprint(seq))
	}))
	path := filepath.Join(dir, "filelessd.db")

	repair := breakReads(t, path)
	if recs, err := l.Read(t.Context(), 0, 9); err == nil || len(recs) > 0 {
		t.Errorf("read %d records from a disk that is gone, %v", len(recs), err)
	}
	if _, err := l.Get(t.Context(), bigRecord(1).ID); err == nil ||
		errors.Is(err, store.ErrNotFound) {
		t.Errorf("get from a disk that is gone: %v", err)
	}
	repair()

	if recs, err := l.Read(t.Context(), 0, 1); err != nil || recs[0].Seq != 1 {
		t.Fatalf("read %+v, %v", recs, err)
	}
	if s := stats(t, l); s.Damaged != 0 {
		t.Fatalf("%d records count as damaged", s.Damaged)
	}

	for range 2 { // both readers have the small one in their caches now
		_, err := l.Get(t.Context(), bigRecord(6).ID)
		must(t, err)
	}
	repair = breakReads(t, path)
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Second) {
		if recs, err := l.Read(t.Context(), 2, 1); err == nil || len(recs) > 0 || len(reports) > 0 {
			t.Errorf("after %s: read %d records, %v, reported %s", time.Since(began), len(recs), err, reports)
		}
	}
	recs, err := l.Read(t.Context(), 2, 1)
	repair()
	if err != nil || recs[0].Seq != 6 {
		t.Errorf("read %d records, %v", len(recs), err)
	}
	must(t, l.Close())
	if got := fmt.Sprint(reports); got != "[3 4 5]" {
		t.Errorf("reported %s", got)
	}
}
