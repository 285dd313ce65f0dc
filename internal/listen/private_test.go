package listen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPrivate: the socket is its owner's alone, whatever the umask; what a killed process left is
// taken over, and nothing else is.
func TestPrivate(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	for name, dir := range map[string]string{"short": "", "long": strings.Repeat("d", 150)} {
		t.Run(name, func(t *testing.T) {
			base, err := os.MkdirTemp("", "p")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(base) })
			base = filepath.Join(base, dir)
			if err := os.MkdirAll(base, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(base, "control.sock")
			if _, err := DialPrivate(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("nobody there: %v", err)
			}
			l, err := Private(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != os.ModeSocket|0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			c, err := DialPrivate(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if err := l.(*privateListener).Listener.Close(); err != nil { // as a kill: the file stays
				t.Fatal(err)
			}
			if _, err := DialPrivate(t.Context(), path); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("left over: %v", err)
			}
			l, err = Private(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after a close: %v", err)
			}
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Private(t.Context(), path); err == nil || !strings.Contains(err.Error(), "no socket") {
				t.Errorf("a file in the way: %v", err)
			}
		})
	}
}
