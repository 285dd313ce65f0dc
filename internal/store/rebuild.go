package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Files beside that of the log, by what is added to its name.
const (
	// unfinished is a new file that is being filled.
	unfinished = ".rebuilding"
	// rebuilt is one that is complete, and takes the place of the log.
	rebuilt = ".rebuilt"
	// aside is the damaged file, for whoever wants to look at it. Only the newest is kept.
	aside = ".damaged"
)

var errNothing = errors.New("no record can be read in it")

// rebuild makes a new file of what can be read of a damaged one, and sets the damaged one aside. A
// crash at any moment leaves the damaged file, or the new one complete. With an error nothing has
// changed, but where it is said.
func rebuild(path string, k *known) (found salvaged, err error) {
	m, err := openImage(path, path+"-wal")
	if err != nil {
		return found, err
	}
	to := path + unfinished
	if err := newFile(to); err != nil {
		return found, errors.Join(err, m.Close())
	}
	found, err = salvage(m, to, k)
	if err == nil && found.rows == 0 && !m.isOurs() {
		err = errNothing
	}
	if err = errors.Join(err, m.Close()); err == nil {
		err = syncFile(to)
	}
	if err != nil {
		return found, errors.Join(err, removeFiles(to))
	}
	if err := os.Rename(to, path+rebuilt); err != nil {
		return found, err
	}
	return found, finishRebuild(path)
}

// finishRebuild puts a new file that is complete in the place of the damaged one. It is called again
// after a crash, and then does what is left to be done.
func finishRebuild(path string) error {
	if err := removeFiles(path + unfinished); err != nil {
		return err
	}
	if _, err := os.Stat(path + rebuilt); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	// From here on the damaged file goes: the new one has to be on the disk under its name.
	if err := syncDirs(filepath.Dir(path)); err != nil {
		return err
	}
	if err := setAside(path); err != nil {
		return fmt.Errorf("set the damaged file aside: %w", err)
	}
	if err := removeFiles(path + "-shm"); err != nil {
		return err
	}
	if err := os.Rename(path+rebuilt, path); err != nil {
		return err
	}
	return syncDirs(filepath.Dir(path))
}

// setAside moves the log and then its "-wal" aside, in the place of those that are kept from before.
func setAside(path string) error {
	if _, err := os.Stat(path); err == nil {
		// That of an older one would stand beside this one, if this one has none.
		if err := removeFiles(path + aside + "-wal"); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		err := os.Rename(path+suffix, path+aside+suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // done before a crash
			return err
		}
	}
	return nil
}

// isOurs reports whether the header of the file says that it is a log.
func (m *image) isOurs() bool {
	b := make([]byte, pageSize)
	ok, err := m.page(view{}, 1, b)
	return err == nil && ok && string(b[68:72]) == "flsd"
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// newFile makes sure that an empty file is at path, readable for its owner only.
func newFile(path string) error {
	if err := removeFiles(path, path+"-wal", path+"-shm", path+"-journal"); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func removeFiles(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
