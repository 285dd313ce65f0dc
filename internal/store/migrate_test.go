package store_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// schema1 puts a log of schema 1 into a directory, as filelessd left it before there was schema 2.
func schema1(t *testing.T) (dir string) {
	t.Helper()
	f, err := os.Open("testdata/schema1.db.gz")
	must(t, err)
	z, err := gzip.NewReader(f)
	must(t, err)
	b, err := io.ReadAll(z)
	must(t, err)
	must(t, f.Close())
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "filelessd.db"), b)
	return dir
}

// recordsOfSchema1 are the records in it.
func recordsOfSchema1() (recs []store.Record) {
	for i := range 36 {
		r := recordOf(fmt.Sprint("schema 1, record ", i))
		if i%9 == 8 {
			r.Body = bytes.Repeat(r.Body, 12)
		}
		recs = append(recs, r)
	}
	recs = append(recs, store.Record{ID: "plain", At: time.Unix(1767323045, 678900000), Body: []byte{}},
		store.Record{ID: "no time", Body: []byte(`{"id":1}`)})
	for i := range recs {
		recs[i].Seq = uint64(i) + 1
	}
	return recs[2:]
}

// isSchema1 fails the test unless all that was in the file is in the log.
func isSchema1(t *testing.T, l *store.Log) {
	t.Helper()
	want := recordsOfSchema1()
	for i, r := range readAll(t, l, len(want)) {
		if w := want[i]; r.Seq != w.Seq || r.ID != w.ID || !r.At.Equal(w.At) || !bytes.Equal(r.Body, w.Body) {
			t.Errorf("record %d is %d, %s, at %s, %d bytes", w.Seq, r.Seq, r.ID, r.At, len(r.Body))
		}
		if r.Time.Year() != 2026 {
			t.Errorf("record %d came %s", r.Seq, r.Time)
		}
	}
	for _, c := range []struct {
		name  string
		pos   uint64
		state []store.Change
	}{
		{"siem", 30, []store.Change{{Kind: "dead", Key: "a", Body: []byte("letter")}, {Kind: "parked", Key: "b", Body: []byte{}}}},
		{"chat", 38, []store.Change{{Kind: "breaker", Key: "since", Body: []byte("2026-01-02")}}},
		{"fresh", 0, nil},
	} {
		pos, state, err := l.OpenCursor(t.Context(), c.name, store.StartNow)
		if err != nil || pos != c.pos || !cmp.Equal(c.state, state) {
			t.Errorf("cursor %s at %d with %v, %v", c.name, pos, state, err)
		}
	}
	state, err := l.LoadState(t.Context(), "source file")
	if err != nil || len(state) != 1 || string(state[0].Body) != "4711" {
		t.Errorf("the state of a source: %v, %v", state, err)
	}
	if s := stats(t, l); s.Damaged != 0 || s.Records != 36 {
		t.Errorf("%+v", s)
	}
}

// TestMigration: a file of schema 1 is brought to the present one with all that is in it.
func TestMigration(t *testing.T) {
	dir := schema1(t)
	var lost losses
	l := open(t, dir, store.DefaultConfig(), store.OnLoss(lost.add))
	isSchema1(t, l)
	for _, name := range []string{"siem", "chat", "fresh"} {
		must(t, l.Settle(t.Context(), name, store.Settlement{Outcomes: []store.Outcome{{Seq: 20, Result: "of " + name}}}))
	}
	openCursor(t, l, "new", 2)
	must(t, l.Settle(t.Context(), "new", store.Settlement{Outcomes: []store.Outcome{{Seq: 20, Result: "of new"}}}))
	got, err := l.Outcomes(t.Context(), 20)
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, o := range got {
		if o.Result != "of "+o.Cursor {
			t.Errorf("%+v", o)
		}
	}
	_, err = l.Append(t.Context(), recordOf("behind the migration"))
	must(t, err)
	waitFor(t, func() bool { lost.mu.Lock(); defer lost.mu.Unlock(); return lost.n["siem"] == 2 })
	must(t, l.Close())
	l = open(t, dir, store.DefaultConfig(), store.OnDamage(func(seq uint64, err error) { t.Error(seq, err) }))
	if s := stats(t, l); s.Newest != 39 {
		t.Errorf("%+v", s)
	}
	must(t, l.Close())

	fresh := t.TempDir()
	must(t, open(t, fresh, store.DefaultConfig()).Close())
	if d := cmp.Diff(columns(t, fresh), columns(t, dir)); d != "" {
		t.Errorf("a new file and a migrated one differ (-new +migrated):\n%s", d)
	}
}

// columns describes the tables of a log.
func columns(t *testing.T, dir string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "filelessd.db"))
	must(t, err)
	defer func() { must(t, db.Close()) }()
	err = db.QueryRowContext(t.Context(), `SELECT group_concat(m.name || '.' || i.name || ' ' || i.type || ' ' || i."notnull", char(10))
		FROM (SELECT name FROM sqlite_master WHERE type IN ('table', 'view', 'index') ORDER BY name) m,
		pragma_table_info(m.name) i`).Scan(&text)
	must(t, err)
	if !strings.Contains(text, "outcomes.body BLOB 1") {
		t.Fatalf("the tables are\n%s", text)
	}
	return text
}
