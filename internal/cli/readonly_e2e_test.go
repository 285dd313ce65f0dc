package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// somebody is a user to whom modes apply, which they do not to root.
const somebody = 65534

// TestReadOnlyDataDir: where the daemon may not write, it says what is in its way and what to do.
func TestReadOnlyDataDir(t *testing.T) {
	user := os.Geteuid()
	if user == 0 {
		user = somebody
	}
	for _, test := range []struct {
		name  string
		spoil func(data string) error
	}{
		{"the directory", func(data string) error { return os.Chmod(data, 0o500) }},
		{"the lock", func(data string) error { return os.Chmod(filepath.Join(data, "lock"), 0o400) }},
		{"the log", func(data string) error { return os.Chmod(filepath.Join(data, "filelessd.db"), 0o400) }},
		{"the log can not be read", func(data string) error { return os.Chmod(filepath.Join(data, "filelessd.db"), 0) }},
		{"the write-ahead log", func(data string) error {
			return os.WriteFile(filepath.Join(data, "filelessd.db-wal"), nil, 0o400)
		}},
		{"a directory above it", func(data string) error {
			if err := os.RemoveAll(data); err != nil {
				return err
			}
			return os.Chmod(filepath.Dir(data), 0o500)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDaemon(t, "http://127.0.0.1:1/", "")
			data := filepath.Join(d.dir, "data")
			d.run().signal(syscall.SIGTERM)
			if err := test.spoil(data); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(d.dir, 0o700); _ = os.Chmod(data, 0o700) }) // so that it can be removed
			own(t, d.dir, user)
			code, stderr := runAs(t, user, "run", "-c", d.config)
			if code != exitFailed || !strings.Contains(stderr, data) || !strings.Contains(stderr, "permission denied") ||
				!strings.Contains(stderr, "whose number is "+strconv.Itoa(user)+": chown or chmod it, or set data_dir") {
				t.Errorf("exit status %d; %s", code, stderr)
			}
			if strings.Count(stderr, "\n") != 1 {
				t.Errorf("not one line: %s", stderr)
			}
		})
	}
}

// own gives a directory and all in it to a user, and has the way to it passable.
func own(t *testing.T, dir string, user int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // of a test
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, user, user) //nolint:gosec // nobody else is in this directory
	})
	if err != nil {
		t.Fatal(err)
	}
}

// runAs runs the program as a user to its end. The test binary lies where others may not look: its own
// link to it leads there all the same.
func runAs(t *testing.T, user int, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), errs.String()
}
