package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/filelessd/filelessd/internal/store"
)

// written is a log whose records are all in the write-ahead log, as a crash left it.
type written struct {
	db, wal []byte
	ends    []int // of the write-ahead log after each record
	recs    []store.Record
}

func write(t *testing.T, n int) (w written) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	openCursor(t, l, "a", 0)
	for i := range n {
		r := recordOf(fmt.Sprint("damage", i))
		_, err := l.Append(t.Context(), r)
		must(t, err)
		r.Seq = uint64(i) + 1
		w.recs = append(w.recs, r)
		info, err := os.Stat(filepath.Join(dir, "filelessd.db-wal"))
		must(t, err)
		w.ends = append(w.ends, int(info.Size()))
	}
	w.db = readFile(t, filepath.Join(dir, "filelessd.db"))
	w.wal = readFile(t, filepath.Join(dir, "filelessd.db-wal"))
	return w
}

// complete returns how many records the first n bytes of the write-ahead log hold.
func (w *written) complete(n int) int {
	i := 0
	for i < len(w.ends) && w.ends[i] <= n {
		i++
	}
	return i
}

// readable opens a log of these files and returns the records that can be read, and how many were
// reported as damaged. It closes the log again.
func readable(t *testing.T, db, wal []byte) (recs []store.Record, damaged int, err error) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "filelessd.db"), db)
	writeFile(t, filepath.Join(dir, "filelessd.db-wal"), wal)
	var mu sync.Mutex
	l, err := store.Open(t.Context(), dir, store.DefaultConfig(), store.OnDamage(func(uint64, error) {
		mu.Lock()
		defer mu.Unlock()
		damaged++
	}))
	if err != nil {
		if !strings.Contains(err.Error(), filepath.Join(dir, "filelessd.db")) {
			t.Errorf("the error does not name the file: %v", err)
		}
		return nil, 0, err
	}
	// A record behind the damage: readers have to get there.
	last := recordOf("behind the damage")
	_, aerr := l.Append(t.Context(), last)
	ctx, cancel := context.WithCancel(t.Context())
	if aerr != nil {
		cancel() // the index is hit: nothing to wait for
	}
	for after := uint64(0); ; {
		got, err := l.Read(ctx, after, 10)
		if err != nil {
			if aerr == nil {
				t.Errorf("read behind %d: %v", after, err)
			}
			break
		}
		after = got[len(got)-1].Seq
		if got[len(got)-1].ID == last.ID {
			recs = append(recs, got[:len(got)-1]...)
			break
		}
		recs = append(recs, got...)
	}
	cancel()
	if err := l.Close(); err != nil && aerr == nil {
		t.Errorf("close: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return recs, damaged, nil
}

// isPrefix fails the test unless got is a prefix of want with at least n records.
func isPrefix(t *testing.T, got, want []store.Record, n int) {
	t.Helper()
	if len(got) < n || len(got) > len(want) {
		t.Fatalf("%d records, want %d to %d", len(got), n, len(want))
	}
	for i, r := range got {
		if r.Seq != want[i].Seq || r.ID != want[i].ID || !bytes.Equal(r.Body, want[i].Body) {
			t.Fatalf("record %d is %d, %s", i, r.Seq, r.ID)
		}
	}
}

// TestTornWAL cuts the write-ahead log: what was complete before the cut is kept, and no more.
func TestTornWAL(t *testing.T) {
	t.Parallel()
	w := write(t, 12)
	cuts := []int{0, 1, 31, 32, 33, len(w.wal) - 1}
	for _, end := range w.ends[6:] {
		cuts = append(cuts, end-1, end, end+1)
	}
	step := 4096 + 24
	if soak {
		step = 61 // many
	}
	for n := w.ends[9]; n < len(w.wal); n += step {
		cuts = append(cuts, n+17)
	}
	for _, n := range cuts {
		n = min(n, len(w.wal))
		recs, damaged, err := readable(t, w.db, w.wal[:n])
		if err != nil || damaged > 0 {
			t.Fatalf("cut at %d: %d damaged, %v", n, damaged, err)
		}
		isPrefix(t, recs, w.recs[:w.complete(n)], w.complete(n))
	}
}

// TestOpenMergesWAL: what a process before left in the write-ahead log is written anew, whatever became of its
// syncs.
func TestOpenMergesWAL(t *testing.T) {
	t.Parallel()
	w := write(t, 12)
	dir := t.TempDir()
	wal := filepath.Join(dir, "filelessd.db-wal")
	writeFile(t, filepath.Join(dir, "filelessd.db"), w.db)
	writeFile(t, wal, w.wal)
	l := open(t, dir, store.DefaultConfig())
	if left := readFile(t, wal); len(left) > 0 {
		t.Errorf("%d bytes are left in it", len(left))
	}
	recs, err := l.Read(t.Context(), 0, 100)
	must(t, err)
	isPrefix(t, recs, w.recs, len(w.recs))
	must(t, l.Close())
}

// TestTornCommit: what a power cut leaves while a transaction is on its way to the disk can be its end
// without its beginning. Nobody was told of it, so nothing is missing, and nothing is damaged.
func TestTornCommit(t *testing.T) {
	t.Parallel()
	w := write(t, 12)
	const header, frame = 24, 24 + 4096
	first, end := w.ends[len(w.ends)-2], w.ends[len(w.ends)-1]
	if end-first < 2*frame {
		t.Fatalf("the last transaction has %d bytes: no beginning", end-first)
	}
	for at := first; at < end-frame; at += 512 {
		torn := bytes.Clone(w.wal)
		clear(torn[at:min(at+512, end-frame+header)]) // all but the header of the last frame, which commits
		recs, damaged, err := readable(t, w.db, torn)
		if err != nil || damaged > 0 {
			t.Fatalf("without the 512 bytes at %d of %d to %d: %d damaged, %v", at, first, end, damaged, err)
		}
		isPrefix(t, recs, w.recs, len(w.recs)-1)
	}
	// But with a transaction behind it, it was on the disk, and is told. Without its end, the two are as one.
	for at := w.ends[len(w.ends)-3]; at+512 <= first; at += 512 {
		if last := first - frame; at < last+header && at+512 > last {
			continue
		}
		hurt := bytes.Clone(w.wal)
		if clear(hurt[at : at+512]); bytes.Equal(hurt, w.wal) {
			continue
		}
		recs, damaged, err := readable(t, w.db, hurt)
		if err != nil || damaged == 0 || recs[len(recs)-1].ID != w.recs[len(w.recs)-1].ID {
			t.Fatalf("without the 512 bytes at %d, before %d: %d damaged, %v", at, first, damaged, err)
		}
	}
}

// TestFlippedWAL flips a bit of the write-ahead log: what came before it is kept, and of what came behind
// it nothing comes back wrong.
func TestFlippedWAL(t *testing.T) {
	t.Parallel()
	w := write(t, 12)
	r := random(t)
	for range rounds(12) {
		wal := bytes.Clone(w.wal)
		at := r.IntN(len(wal))
		wal[at] ^= 1 << r.IntN(8)
		recs, _, err := readable(t, w.db, wal)
		if err != nil {
			t.Fatalf("flipped byte %d: %v", at, err)
		}
		before := min(w.complete(at), len(recs))
		isPrefix(t, recs[:before], w.recs, w.complete(at))
		for i, r := range recs[before:] {
			if before+i > 0 && r.Seq <= recs[before+i-1].Seq || r.Seq > uint64(len(w.recs)) {
				t.Fatalf("flipped byte %d: record %d behind %d", at, r.Seq, recs[before+i-1].Seq)
			}
			if want := w.recs[r.Seq-1]; r.ID != want.ID || !bytes.Equal(r.Body, want.Body) {
				t.Fatalf("flipped byte %d: record %d came back wrong", at, r.Seq)
			}
		}
	}
}

// TestFlippedFile flips bits of the main file. Whatever happens, no record comes back wrong, and
// readers get past the damage.
func TestFlippedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	var want []store.Record
	for i := range 60 {
		want = append(want, recordOf(fmt.Sprint("flip", i)))
	}
	_, err := l.Append(t.Context(), want...)
	must(t, err)
	must(t, l.Close())
	file := readFile(t, filepath.Join(dir, "filelessd.db"))
	r := random(t)
	refused, skipped := 0, 0
	for range rounds(40) {
		db := bytes.Clone(file)
		for range 8 {
			db[r.IntN(len(db))] ^= 1 << r.IntN(8)
		}
		recs, damaged, err := readable(t, db, nil)
		if err != nil {
			refused++
			continue
		}
		if damaged > 0 {
			skipped++
		}
		for i, r := range recs {
			if i > 0 && r.Seq <= recs[i-1].Seq || r.Seq > 60 {
				t.Fatalf("record %d follows %d", r.Seq, recs[i-1].Seq)
			}
			if w := want[r.Seq-1]; r.ID != w.ID || !bytes.Equal(r.Body, w.Body) {
				t.Fatalf("record %d came back wrong: %q, %d bytes, want %s, %d bytes", r.Seq, r.ID, len(r.Body), w.ID, len(w.Body))
			}
		}
	}
	t.Logf("%d refused, %d with records left out", refused, skipped)
	if skipped == 0 {
		t.Error("no damage was found")
	}
}

// readAll reads the n records that a log has.
func readAll(t *testing.T, l *store.Log, n int) (all []store.Record) {
	t.Helper()
	for after := uint64(0); len(all) < n; after = all[len(all)-1].Seq {
		recs, err := l.Read(t.Context(), after, n)
		must(t, err)
		all = append(all, recs...)
	}
	return all
}

// TestDamagedRecord: one record is bad, the others are read, and one report is made.
func TestDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	for i := range 5 {
		r := recordOf(fmt.Sprint(i))
		r.Body = []byte(strings.Repeat(fmt.Sprint("body", i), 10))
		_, err := l.Append(t.Context(), r)
		must(t, err)
	}
	must(t, l.SaveState(t.Context(), "file", store.Change{Kind: "offset", Key: "x", Body: []byte("the offset")}))
	must(t, l.Close())
	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	for _, s := range []string{"body2body2", "the offset"} {
		at := bytes.Index(b, []byte(s))
		if at < 0 {
			t.Fatalf("%q is not in the file that was closed", s)
		}
		b[at] ^= 4
	}
	writeFile(t, path, b)

	var reports []string
	l = open(t, dir, store.DefaultConfig(), store.OnDamage(func(seq uint64, err error) {
		reports = append(reports, fmt.Sprint(seq, " ", errors.Is(err, store.ErrDamaged)))
	}))
	for range 2 {
		if recs := readAll(t, l, 4); recs[1].Seq != 2 || recs[2].Seq != 4 {
			t.Fatalf("%+v", recs)
		}
	}
	if _, err := l.Get(t.Context(), recordOf("2").ID); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("get: %v", err)
	}
	if state, err := l.LoadState(t.Context(), "file"); err != nil || len(state) > 0 {
		t.Errorf("state: %v, %v", state, err)
	}
	if s := stats(t, l); s.Damaged != 2 {
		t.Errorf("%d damaged", s.Damaged)
	}
	must(t, l.Close())
	if got := strings.Join(reports, ", "); got != "3 true, 0 true" {
		t.Errorf("reported %s", got)
	}
}

// TestDamageAtTheEnd: readers wait behind it and go on with what comes next.
func TestDamageAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	r := recordOf("x")
	r.Body = []byte("the only body")
	_, err := l.Append(t.Context(), r)
	must(t, err)
	must(t, l.Close())
	path := filepath.Join(dir, "filelessd.db")
	writeFile(t, path, bytes.Replace(readFile(t, path), []byte("the only body"), []byte("the lonely bo"), 1))
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, store.DefaultConfig())
		got := make(chan []store.Record)
		go func() {
			recs, err := l.Read(t.Context(), 0, 10)
			if err != nil {
				t.Error(err)
			}
			got <- recs
		}()
		synctest.Wait() // it waits, and does not try again and again
		_, err = l.Append(t.Context(), recordOf("y"))
		must(t, err)
		if recs := <-got; len(recs) != 1 || recs[0].Seq != 2 {
			t.Errorf("%+v", recs)
		}
		must(t, l.Close())
	})
}
