package store_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

const page = 4096

// sample is a log to be damaged: as it is after it was closed, or with all in the write-ahead log.
type sample struct {
	db, wal []byte
	recs    []store.Record
}

func newSample(t *testing.T, closed bool) (s sample) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	for _, name := range []string{"a", "b"} {
		openCursor(t, l, name, 0)
	}
	for i := range 150 {
		r := recordOf(fmt.Sprint("sample", i))
		if i%50 == 49 {
			r.Body = bytes.Repeat(r.Body, 10)
		}
		_, err := l.Append(t.Context(), r)
		must(t, err)
		r.Seq = uint64(i) + 1
		s.recs = append(s.recs, r)
		if i%10 == 9 {
			must(t, l.Settle(t.Context(), "a", store.Settlement{
				UpTo:     uint64(i / 2),
				Changes:  []store.Change{{Kind: "dead", Key: fmt.Sprint(i), Body: []byte("letter of a")}},
				Outcomes: []store.Outcome{{Seq: uint64(i), Result: "delivered"}},
			}))
		}
	}
	must(t, l.Settle(t.Context(), "b", store.Settlement{UpTo: 120}))
	if closed {
		must(t, l.Close())
	} else {
		s.wal = readFile(t, filepath.Join(dir, "filelessd.db-wal"))
	}
	s.db = readFile(t, filepath.Join(dir, "filelessd.db"))
	return s
}

// intact reports which records have their whole row on a page that is whole: what was cut off, and
// the page of a flipped byte, are not.
func (s *sample) intact(db, wal []byte) (ok []bool) {
	ok = make([]bool, len(s.recs))
	for i, r := range s.recs {
		if len(r.Body) > 3500 {
			continue // it goes on on other pages
		}
		ok[i] = holds(s.db, db, 0, page, r.Body) || holds(s.wal, wal, 32, page+24, r.Body)
	}
	return ok
}

// holds reports whether the last page with body in it is the same before and after. Those before it
// can hold what is left of a row that has moved.
func holds(before, after []byte, start, size int, body []byte) (same bool) {
	for at := start; at+size <= len(before); at += size {
		if bytes.Contains(before[at:at+size], body) {
			same = at+size <= len(after) && bytes.Equal(before[at:at+size], after[at:at+size])
		}
	}
	return same
}

// damaged opens a log of damaged files and reads all that can be read. The log has to go on: an append
// works, and what is appended is read behind the rest.
type damaged struct {
	recs  []store.Record
	lost  int
	told  []string
	state int
	pos   map[string]uint64
	err   error
}

func openDamaged(t *testing.T, db, wal []byte) (d damaged) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "filelessd.db")
	writeFile(t, path, db)
	if wal != nil {
		writeFile(t, path+"-wal", wal)
	}
	var mu sync.Mutex
	l, err := store.Open(t.Context(), dir, store.DefaultConfig(),
		store.OnDamage(func(seq uint64, err error) {
			mu.Lock()
			defer mu.Unlock()
			d.told = append(d.told, fmt.Sprint(seq, " ", err))
			if seq > 0 {
				d.lost++
			}
		}),
		store.OnLoss(func(l store.Loss) error {
			mu.Lock()
			defer mu.Unlock()
			d.lost += l.Records
			return nil
		}))
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
		d.err = err
		return d
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	last := recordOf("behind the damage")
	if _, err := l.Append(ctx, last); err != nil {
		t.Errorf("append: %v", err)
		cancel()
	}
	for after := uint64(0); ; {
		got, err := l.Read(ctx, after, 40)
		if err != nil {
			t.Errorf("read behind %d of %d: %v", after, l.LastSeq(), err)
			break
		}
		d.recs = append(d.recs, got...)
		if after = got[len(got)-1].Seq; got[len(got)-1].ID == last.ID {
			d.recs = d.recs[:len(d.recs)-1]
			break
		}
	}
	d.pos = map[string]uint64{}
	for _, name := range []string{"a", "b"} {
		pos, state, err := l.OpenCursor(ctx, name, store.StartNow)
		if err != nil {
			t.Errorf("cursor %s: %v", name, err)
		}
		d.pos[name] = pos
		d.state += len(state)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return d
}

// check fails the test unless what could be read came back, and came back right.
func (s *sample) check(t *testing.T, what string, db, wal []byte) damaged {
	t.Helper()
	d := openDamaged(t, db, wal)
	got := map[uint64]bool{}
	last := uint64(0)
	for _, r := range d.recs {
		if r.Seq <= last || r.Seq > uint64(len(s.recs)) {
			t.Fatalf("%s: record %d behind %d", what, r.Seq, last)
		}
		if w := s.recs[r.Seq-1]; r.ID != w.ID || !bytes.Equal(r.Body, w.Body) {
			t.Fatalf("%s: record %d came back wrong", what, r.Seq)
		}
		got[r.Seq], last = true, r.Seq
	}
	missing := 0
	for i, ok := range s.intact(db, wal) {
		if ok && !got[uint64(i)+1] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%s: %d records are on whole pages and did not come back; %v; told %q", what, missing, d.err, d.told)
	}
	if d.err == nil {
		for name, most := range map[string]uint64{"a": 74, "b": 120} {
			if d.pos[name] > most {
				t.Errorf("%s: cursor %s is at %d, and was at %d at most", what, name, d.pos[name], most)
			}
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return d
}

// TestTruncated cuts the file at every hundredth byte (in a short run, at some).
func TestTruncated(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	step := 100
	if !soak {
		step = len(s.db) / 25 / 100 * 100
	}
	var cuts []int
	for n := 0; n < len(s.db); n += step {
		cuts = append(cuts, n)
	}
	for end := len(s.db) - page; end > len(s.db)-4*page; end -= page {
		cuts = append(cuts, end+8, end+68) // of a page that is there but for its rows
	}
	refused := 0
	for _, n := range cuts {
		d := s.check(t, fmt.Sprintf("cut at %d of %d", n, len(s.db)), s.db[:n], nil)
		if d.err != nil {
			refused++
		}
	}
	t.Logf("cut each %d bytes of %d, %d refused", step, len(s.db), refused)
}

// TestHoleAtTheEnd: numbers that were lost at the end of the log are not used again, because readers pass
// over them.
func TestHoleAtTheEnd(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t)
	execSQL(t, filepath.Join(dir, "filelessd.db"), "DELETE FROM records WHERE seq > 2900", "INSERT INTO holes VALUES (2901, 3000)")
	l := open(t, dir, store.DefaultConfig())
	_, err := l.Append(t.Context(), recordOf("behind the hole"))
	must(t, err)
	recs, err := l.Read(t.Context(), 2900, 10)
	must(t, err)
	if recs[0].Seq != 3001 {
		t.Errorf("%d records, the first is %d", len(recs), recs[0].Seq)
	}
}
