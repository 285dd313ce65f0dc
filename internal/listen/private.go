package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is how long the path of a unix socket can be; the kernel's limit is 108 with the
// zero behind it.
const maxSocketPath = 107

// Private listens on a unix socket that only the user of this process can connect to. A socket that
// is there already is removed: the caller has to know that nobody listens on it any more.
func Private(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	// Set on the descriptor, the mode is that of the file from its first moment: with a chmod behind
	// the bind, who is quick could connect between the two.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if controlErr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	l, err := config.Listen(ctx, "unix", short)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // by its short name, which need not last
	}
	return &privateListener{l, path}, done()
}

// Unix is Private for a path that others may use too: it leaves a socket alone on which somebody
// answers.
func Unix(ctx context.Context, path string) (net.Listener, error) {
	if c, err := DialPrivate(ctx, path); err == nil {
		return nil, errors.Join(fmt.Errorf("%s is in use: somebody listens on it", path), c.Close())
	}
	return Private(ctx, path)
}

type privateListener struct {
	net.Listener
	path string
}

func (l *privateListener) Close() error {
	err := l.Listener.Close()
	if removed := os.Remove(l.path); err == nil && !errors.Is(removed, fs.ErrNotExist) {
		err = removed
	}
	return err
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("%s is in the way: it is no socket", path)
	}
	return os.Remove(path)
}

// DialPrivate connects to a socket of Private's.
func DialPrivate(ctx context.Context, path string) (net.Conn, error) {
	if _, err := os.Lstat(path); err != nil {
		return nil, err
	}
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return c, done()
}

// shorten returns a name for path that the kernel takes: through an open directory, if path is too
// long. done is to be called when the name is not needed any more.
func shorten(path string) (short string, done func() error, err error) {
	if len(path) <= maxSocketPath {
		return path, func() error { return nil }, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), dir.Close, nil
}
