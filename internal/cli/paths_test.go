package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/sinks"
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

// TestLoadAgain: a running daemon that lost its file keeps to what the file said.
func TestLoadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := []byte("sources:\n  hook: {type: falco_http}\nsinks:\n  out: {type: stdout}\n")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{sinks: sinks.Builtin(), IO: IO{LookupEnv: os.LookupEnv}}
	first, err := p.loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	load := p.loadAgain("", first) // as if file was the one that is read if no other is named
	if again, err := load(); err != nil || again.File() != file {
		t.Errorf("read again: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without its file: %v", err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe in its place: %v", err)
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
