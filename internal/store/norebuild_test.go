package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
)

// TestNoRebuild: with this option nothing is changed.
func TestNoRebuild(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t)
	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	b[0] = 'X'
	writeFile(t, path, b)
	_, err := store.Open(t.Context(), dir, store.DefaultConfig(), store.NoRebuild())
	if err == nil || !strings.Contains(err.Error(), path+" is damaged or not a database") {
		t.Errorf("open: %v", err)
	}
	if !bytes.Equal(b, readFile(t, path)) {
		t.Error("the file was changed")
	}

	// SQLite takes a write-ahead log up to its damage, and overwrites the rest.
	s := newSample(t, false)
	writeFile(t, path, s.db)
	wal := flipped(s.wal, []flip{{len(s.wal) / 2, 3}})
	writeFile(t, path+"-wal", wal)
	_, err = store.Open(t.Context(), dir, store.DefaultConfig(), store.NoRebuild())
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "its write-ahead log is damaged before its end") {
		t.Errorf("open: %v", err)
	}
	if !bytes.Equal(s.db, readFile(t, path)) || !bytes.Equal(wal, readFile(t, path+"-wal")) {
		t.Error("the files were changed")
	}
}

// TestUnreadable: a file that can not be read is no damaged file. Nothing is moved.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir, recs := filled(t)
	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	b[0] = 'X'
	writeFile(t, path, b)
	must(t, os.Mkdir(path+"-wal", 0o700)) // reading it fails
	_, err := store.Open(t.Context(), dir, store.DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), path+"-wal is not a regular file") {
		t.Errorf("open: %v", err)
	}
	if got := strings.Join(names(t, dir), " "); got != "filelessd.db filelessd.db-wal lock" || !bytes.Equal(b, readFile(t, path)) {
		t.Errorf("something was changed; the directory holds %s", got)
	}
	must(t, os.Remove(path+"-wal"))
	l := open(t, dir, store.DefaultConfig())
	isFilled(t, l, recs, 0)
}

// TestDamagedSchema1: a damaged file of the first schema is rescued too.
func TestDamagedSchema1(t *testing.T) {
	t.Parallel()
	dir := schema1(t)
	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	for i := range 100 {
		b[i] = 0
	}
	writeFile(t, path, b)
	isSchema1(t, open(t, dir, store.DefaultConfig()))
}
