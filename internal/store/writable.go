package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	lib "modernc.org/sqlite/lib"
)

// mayWrite looks whether the system lets this user write the files of a log, and make others beside them.
// SQLite opens what it may not write all the same, and fails when something is appended, in words that do
// not help. It has to be called before SQLite has the files: to close one would drop its locks.
func mayWrite(path string) error {
	probe := filepath.Join(filepath.Dir(path), ".writable")
	f, err := os.OpenFile(probe, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(probe))
	}
	if isForbidden(err) {
		return fmt.Errorf("create files in the data directory: %w", err)
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		if err == nil {
			err = f.Close()
		}
		if isForbidden(err) {
			return err // of anything else, SQLite knows more
		}
	}
	return nil
}

func isForbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// advise adds to an error of a directory that can not be written what has to be done.
func advise(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w (%s has to be on a file system that can be written: remount it, or set data_dir)", err, dir)
	case isForbidden(err), code(err) == lib.SQLITE_READONLY, code(err) == lib.SQLITE_CANTOPEN:
		return fmt.Errorf("%w (%s and what is in it has to be writable for the user that filelessd runs as, whose number is %d: "+
			"chown or chmod it, or set data_dir)", err, dir, os.Geteuid())
	}
	return err
}
