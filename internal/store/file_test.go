package store_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// files returns the names and permissions of what is in dir.
func files(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	got := map[string]fs.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		got[e.Name()] = info.Mode().Perm()
	}
	return got
}

func TestFiles(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "a b", "50% #1 ?x=y&_pragma=page_size(512)") // no part of it is an option
	l := open(t, dir, store.DefaultConfig())
	_, err := l.Append(t.Context(), recordOf("x"))
	must(t, err)
	want := map[string]fs.FileMode{
		"lock": 0o600, "filelessd.db": 0o600, "filelessd.db-wal": 0o600, "filelessd.db-shm": 0o600,
	}
	if d := cmp.Diff(want, files(t, dir)); d != "" {
		t.Errorf("open (-want +got):\n%s", d)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
	must(t, l.Close())
	delete(want, "filelessd.db-wal")
	delete(want, "filelessd.db-shm")
	if d := cmp.Diff(want, files(t, dir)); d != "" {
		t.Errorf("closed (-want +got):\n%s", d)
	}
}

// TestReadBeside: another program reads the file while the log is open.
func TestReadBeside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	openCursor(t, l, "siem", 0)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	hash := recordOf("x").ID
	for _, id := range []string{hash, "plain"} {
		_, err := l.Append(t.Context(), store.Record{ID: id, At: at, Body: []byte(`{"id":1}`)})
		must(t, err)
	}
	must(t, l.Settle(t.Context(), "siem", store.Settlement{UpTo: 1}))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "filelessd.db")+"?mode=ro")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	for query, want := range map[string]string{
		"SELECT group_concat(seq || ' ' || at || ' ' || id || ' ' || body, '; ') FROM record_text": "" +
			"1 2026-01-02T03:04:05.679Z " + hash + ` {"id":1}; ` +
			`2 2026-01-02T03:04:05.679Z plain {"id":1}`,
		"SELECT strftime('%Y', appended) >= '2026' FROM record_text": "1",
		"SELECT name || ' ' || pos FROM cursors":                     "siem 1",
		"PRAGMA integrity_check":                                     "ok",
		"PRAGMA application_id":                                      fmt.Sprint(0x666c7364),
		"PRAGMA user_version":                                        "2",
		"PRAGMA journal_mode":                                        "wal",
		"PRAGMA auto_vacuum":                                         "2",
		"SELECT count(*) FROM records WHERE id = x'" + hash + "' AND typeof(id)='blob'": "1",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
	_, err = l.Append(t.Context(), recordOf("y"))
	must(t, err)
}

// TestNumbersDoNotRepeat: a cursor can be ahead of what is left, where a file was put back from a
// copy or repaired. What it has passed must not get a second meaning.
func TestNumbersDoNotRepeat(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	for i := range 9 {
		_, err := l.Append(t.Context(), recordOf(fmt.Sprint(i)))
		must(t, err)
	}
	openCursor(t, l, "a", 0)
	must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: 7}))
	must(t, l.Close())
	execSQL(t, filepath.Join(dir, "filelessd.db"), "DELETE FROM records WHERE seq > 5")
	l = open(t, dir, store.DefaultConfig())
	openCursor(t, l, "a", 7)
	_, err := l.Append(t.Context(), recordOf("next"))
	must(t, err)
	recs, err := l.Read(t.Context(), 5, 9)
	if err != nil || len(recs) != 1 || recs[0].Seq != 8 {
		t.Errorf("read %+v, %v", recs, err)
	}
	if recs := readAll(t, l, 6); recs[4].Seq != 5 || recs[5].Seq != 8 {
		t.Errorf("read %+v", recs)
	}
	if s := stats(t, l); s.Damaged != 2 { // 6 and 7 are missing
		t.Errorf("%d records are damaged, want 2", s.Damaged)
	}
}
