package app

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// fifo puts in the place of a file what makes everybody wait who opens it: nobody writes.
func fifo(t *testing.T, file string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(file), syscall.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for who still waits
		if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
}

// TestStopWhileAFileDoesNotAnswer: a stop does not wait for a reload that a file holds up.
func TestStopWhileAFileDoesNotAnswer(t *testing.T) {
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A}\n")
	fifo(t, r.file)
	done := make(chan error, 1)
	go func() {
		_, err := r.app.Reload(t.Context(), "a test")
		done <- err
	}()
	r.waitFor("the reload", func() bool { return strings.Contains(stacks(), "config.Load(") })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("a configuration that could not be read is in force")
	}
}

// TestReloadFilesOfSinks: what a sink reads has to be a file that ends.
func TestReloadFilesOfSinks(t *testing.T) {
	good := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, good)
	file := filepath.Join(t.TempDir(), "ca.pem")
	fifo(t, file)
	for _, name := range []string{file, "/dev/zero", t.TempDir()} {
		_, err := r.reload("sinks:\n  soc: {type: webhook, url: URL_B, tls: {ca_file: " + name + "}}\n")
		if err == nil || !strings.Contains(err.Error(), "sinks.soc.tls.ca_file: "+name+": not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.awaits("URL_A", r.post(1, 3)...)
}

// stacks are those of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
