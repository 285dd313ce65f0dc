package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
)

func TestRefusedFiles(t *testing.T) {
	good := func(t *testing.T, sql ...string) string {
		dir := t.TempDir()
		l := open(t, dir, store.DefaultConfig())
		_, err := l.Append(t.Context(), recordOf("x"))
		must(t, err)
		must(t, l.Close())
		execSQL(t, filepath.Join(dir, "filelessd.db"), sql...)
		return dir
	}
	for _, test := range []struct {
		name string
		dir  func(t *testing.T) string
		want string
	}{
		{"text", func(t *testing.T) string {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "filelessd.db"), bytes.Repeat([]byte("not a database. "), 1000))
			return dir
		}, "DB is damaged or not a database (move it away to start with an empty log): "},
		{"other program", func(t *testing.T) string {
			dir := t.TempDir()
			execSQL(t, filepath.Join(dir, "filelessd.db"), "CREATE TABLE t (x)")
			return dir
		}, "DB: it is the database of another program"},
		{"other application ID", func(t *testing.T) string {
			return good(t, "PRAGMA application_id = 7")
		}, "DB: it is the database of another program"},
		{"newer", func(t *testing.T) string {
			return good(t, "PRAGMA user_version = 9", "UPDATE meta SET value = 9 WHERE name = 'schema'")
		}, "DB: it was written by a newer filelessd: schema 9, this one knows 2"},
		{"a directory in its place", func(t *testing.T) string {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "filelessd.db"), 0o700))
			return dir
		}, "DB: DB is not a regular file"},
		{"a file where the directory goes", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			writeFile(t, path, nil)
			return path
		}, "create the data directory: mkdir DIR: not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := test.dir(t)
			path := filepath.Join(dir, "filelessd.db")
			before, _ := os.ReadFile(path)
			for range 2 { // the lock is released
				_, err := store.Open(t.Context(), dir, store.DefaultConfig())
				want := strings.NewReplacer("DB", path, "DIR", dir).Replace(test.want)
				if err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("open: %v\nwant: %s", err, want)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestRefusedConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := store.Open(t.Context(), dir, store.Config{OnFull: "explode"}); err == nil {
		t.Error("a bad configuration was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Open(ctx, dir, store.DefaultConfig()); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory was made")
	}
}
