package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// heard is what a log tells of.
type heard struct {
	mu     sync.Mutex
	damage []string
	losses []store.Loss
}

func (h *heard) options() []store.Option {
	return []store.Option{
		store.OnDamage(func(seq uint64, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.damage = append(h.damage, fmt.Sprint(seq, " ", err))
		}),
		store.OnLoss(func(l store.Loss) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.losses = append(h.losses, l)
			return nil
		}),
	}
}

// zero overwrites pages of a file with zeros, below a log that has it open: those that begin with a
// byte, which says what kind they are, from a page on. It returns how many.
func zero(t *testing.T, path string, kind byte, from, most int) (n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	b := make([]byte, page)
	for i := from; n < most; i++ {
		if _, err := f.ReadAt(b, int64(i)*page); err != nil {
			break
		}
		if b[0] == kind {
			_, err := f.WriteAt(make([]byte, page), int64(i)*page)
			must(t, err)
			n++
		}
	}
	must(t, f.Close())
	return n
}

// filled is a closed log of 3000 records, two cursors, state and outcomes.
func filled(t *testing.T) (dir string, recs []store.Record) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	openCursor(t, l, "a", 0)
	openCursor(t, l, "b", 0)
	for i := range 3000 {
		r := recordOf(fmt.Sprint("filled", i))
		r.Body = r.Body[:64]
		recs = append(recs, r)
	}
	_, err := l.Append(t.Context(), recs...)
	must(t, err)
	must(t, l.Settle(t.Context(), "a", store.Settlement{
		UpTo: 1000, Changes: []store.Change{{Kind: "dead", Key: "x", Body: []byte("letter")}},
		Outcomes: []store.Outcome{{Seq: 17, Result: "dead"}},
	}))
	must(t, l.SaveState(t.Context(), "source", store.Change{Kind: "offset", Key: "y", Body: []byte("12")}))
	must(t, l.Close())
	return dir, recs
}

// isFilled fails the test unless all but the lost is in the log.
func isFilled(t *testing.T, l *store.Log, recs []store.Record, lost int) {
	t.Helper()
	got := readAll(t, l, len(recs)-lost)
	for _, r := range got {
		if w := recs[r.Seq-1]; r.ID != w.ID || !bytes.Equal(r.Body, w.Body) {
			t.Fatalf("record %d is %s", r.Seq, r.ID)
		}
	}
	pos, state, err := l.OpenCursor(t.Context(), "a", store.StartNow)
	if err != nil || pos != 1000 || len(state) != 1 || string(state[0].Body) != "letter" {
		t.Errorf("cursor a at %d with %v, %v", pos, state, err)
	}
	openCursor(t, l, "b", 0)
	if o, err := l.Outcomes(t.Context(), 17); err != nil || len(o) != 1 || o[0].Result != "dead" || o[0].Cursor != "a" {
		t.Errorf("outcomes: %+v, %v", o, err)
	}
	if state, err := l.LoadState(t.Context(), "source"); err != nil || len(state) != 1 {
		t.Errorf("state of a source: %v, %v", state, err)
	}
}

// TestMendedByAppend: an append that meets damage has the file rebuilt, and is stored.
func TestMendedByAppend(t *testing.T) {
	dir, recs := filled(t)
	synctest.Test(t, func(t *testing.T) {
		var h heard
		l := open(t, dir, store.DefaultConfig(), h.options()...)
		path := filepath.Join(dir, "filelessd.db")
		for round := range 2 {
			if zero(t, path, 0x0a, 9, 1000) == 0 { // the index
				t.Fatal("no page of the index was found")
			}
			for i := range 50 {
				r := recordOf(fmt.Sprint("more", round, i))
				n, err := l.Append(t.Context(), r)
				if err != nil || n != 1 {
					t.Fatalf("append to a damaged log: %d, %v", n, err)
				}
				r.Seq = uint64(len(recs)) + 1
				recs = append(recs, r)
			}
			n, err := l.Append(t.Context(), recs[5], recs[len(recs)-3]) // the index knows all of them
			if err != nil || n != 0 {
				t.Fatalf("append of known records: %d, %v", n, err)
			}
			isFilled(t, l, recs, 0)
			must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: 1}))
			time.Sleep(2 * time.Minute)
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Error(err)
			}
		}
		must(t, l.Close())
		if len(h.damage) != 2 || !strings.Contains(h.damage[0], "has been rebuilt: 3000 records and 2 cursors could be read; the damaged file is "+path+".damaged") {
			t.Errorf("told %q", h.damage)
		}
		if len(h.losses) > 0 {
			t.Errorf("lost %+v", h.losses)
		}
	})
	want := []string{"filelessd.db", "filelessd.db.damaged", "lock"}
	if got := names(t, dir); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the directory holds %v", got)
	}
	l := open(t, dir, store.DefaultConfig())
	isFilled(t, l, recs, 0)
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestMendedByRead: a reader that meets damage has the file rebuilt, goes on behind what is lost, and
// the loss is told once, as a number.
func TestMendedByRead(t *testing.T) {
	dir, recs := filled(t)
	var h heard
	l := open(t, dir, store.DefaultConfig(), h.options()...)
	path := filepath.Join(dir, "filelessd.db")
	if zero(t, path, 0x0d, 20, 3) != 3 {
		t.Fatal("no pages of records were found")
	}
	first, err := l.Read(t.Context(), 0, 10)
	if err != nil || len(first) != 10 {
		t.Fatalf("read %d, %v", len(first), err)
	}
	last := recordOf("behind all")
	_, err = l.Append(t.Context(), last)
	must(t, err)
	got := 0
	for after := uint64(0); after < 3001; {
		rs, err := l.Read(t.Context(), after, 500)
		must(t, err)
		got += len(rs)
		after = rs[len(rs)-1].Seq
	}
	lost := 3001 - got
	if lost < 3 || lost > 150 {
		t.Fatalf("%d records are gone with three pages", lost)
	}
	isFilled(t, l, append(recs, last), lost)
	must(t, l.Close())
	if len(h.losses) != 1 || h.losses[0].Records != lost || h.losses[0].Cursor != "" {
		t.Errorf("lost %+v, want %d", h.losses, lost)
	}
	if len(h.damage) != 1 || !strings.HasPrefix(h.damage[0], "0 the log was damaged (") {
		t.Errorf("told %q", h.damage)
	}
	h = heard{}
	l = open(t, dir, store.DefaultConfig(), h.options()...)
	isFilled(t, l, append(recs, last), lost)
	rep, err := l.Check(t.Context(), nil)
	if err != nil || !rep.OK() || int(rep.Lost) != lost || int(rep.Records) != got {
		t.Errorf("%+v, %v", rep, err)
	}
	must(t, l.Close())
	if len(h.losses)+len(h.damage) > 0 {
		t.Errorf("told again: %+v %q", h.losses, h.damage)
	}
}

// TestCursorsLost: where the cursors are gone with the damage, those that are opened next start at the
// oldest record, and an hour later new ones start at the newest again.
func TestCursorsLost(t *testing.T) {
	dir, _ := filled(t)
	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	copy(b[4*page:5*page], make([]byte, page)) // the table of cursors: the first page is the schema, the second maps pages
	writeFile(t, path, b)
	synctest.Test(t, func(t *testing.T) {
		var h heard
		l := open(t, dir, store.DefaultConfig(), h.options()...)
		if pos, _, err := l.OpenCursor(t.Context(), "a", store.StartNow); pos != 0 || err != nil {
			t.Errorf("a starts at %d, %v", pos, err)
		}
		must(t, l.Close())
		l = open(t, dir, store.DefaultConfig())
		if pos, _, err := l.OpenCursor(t.Context(), "b", store.StartNow); pos != 0 || err != nil {
			t.Errorf("b starts at %d, %v", pos, err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if pos, _, err := l.OpenCursor(t.Context(), "new", store.StartNow); pos != 3000 || err != nil {
			t.Errorf("a new one starts at %d, %v", pos, err)
		}
		must(t, l.Close())
		if len(h.damage) != 1 || !strings.Contains(h.damage[0], "3000 records and 0 cursors could be read; a cursor that is missing starts at the oldest record") {
			t.Errorf("told %q", h.damage)
		}
	})
}
