package app

import (
	"context"
	"errors"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

// errStopping is for those who ask for what a daemon does not begin any more.
var errStopping = errors.New("the daemon is stopping")

// orEnd runs f and reports whether it has returned before ctx ended. A file can keep whoever opens it, or
// only looks at it, waiting for ever: a pipe without a writer, a network disk without its server. A stop
// must not wait for that. What f uses is its own from the end of ctx on.
func orEnd(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// openOrEnd opens a sink as openSink does. One that opens after the end of ctx is closed.
func (a *App) openOrEnd(ctx context.Context, c config.Sink, memory *deliver.Memory) (sink.Sink, error) {
	type opened struct {
		sink sink.Sink
		err  error
	}
	done := make(chan opened)
	go func() {
		s, err := a.openSink(ctx, c, memory)
		select {
		case done <- opened{s, err}:
		case <-ctx.Done():
			if err == nil {
				a.closeSink(c.Name, s)
			}
		}
	}()
	select {
	case o := <-done:
		return o.sink, o.err
	case <-ctx.Done():
		return nil, errStopping
	}
}
