package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestPing: the log answers whether or not it can append, while it is mended, and after it was closed. It
// does not answer when its writer is stuck.
func TestPing(t *testing.T) {
	l := openLog(t)
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return l.Ping(ctx)
	}
	must := func(when string, want error) {
		t.Helper()
		if err := ping(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", when, err, want)
		}
	}
	must("open", nil)

	release, begun := make(chan struct{}), make(chan struct{})
	stuck := &request{done: make(chan struct{}), run: func(*batch) error {
		close(begun)
		<-release
		return nil
	}}
	if err := l.queue.put(t.Context(), stuck); err != nil {
		t.Fatal(err)
	}
	<-begun
	must("stuck", context.DeadlineExceeded)
	l.mending.Store(true)
	must("mending", nil)
	l.mending.Store(false)
	close(release)
	<-stuck.done
	must("again", nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	must("closed", nil)
}
