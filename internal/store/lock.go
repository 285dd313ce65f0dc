package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockDir takes the lock that keeps a second filelessd away from dir. It is held until the file is
// closed, and gone with the process however it ends. Two writers would not harm the database, but
// each would wait for records that only the other knows of.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s is in use by another filelessd%s", dir, holder(f))
	case err != nil:
		err = fmt.Errorf("lock %s: %w", f.Name(), err)
	default:
		leaveID(f)
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// unlockDir releases the lock. Closing alone would not, as long as a child that is being started
// has the descriptor too.
func unlockDir(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// leaveID writes the process ID into the lock, for the message to a second process. That it may
// fail on a full disk costs nothing but a part of that message.
func leaveID(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
}

func holder(f *os.File) string {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}
