package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUnreadableIsNotMissing: the daemon must not run with its defaults because the configuration
// that is there can not be looked at.
func TestUnreadableIsNotMissing(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if missing(loop) || missing(dir) || !missing(filepath.Join(dir, "none")) {
		t.Error("what is missing, and what is not, is mixed up")
	}
}

// TestCheckConnectDoesNotWaitForAPipe: opening one waits for who writes into it.
func TestCheckConnectDoesNotWaitForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "events.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := tryFile(pipe)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("said of a pipe: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("waits for the other end of a pipe")
	}
}
