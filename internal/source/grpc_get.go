package source

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/grpc"

	"github.com/filelessd/filelessd/pkg/event"
)

// errHung is the cause of a call that was cancelled because Falco did nothing any more.
var errHung = errors.New("no answer for " + hungAfter.String())

// poll calls get again and again: at once while alerts come, else after the configured pause.
func (g *GRPC) poll(ctx, late context.Context, f *falco, handle Handle) (worked bool, err error) {
	for ctx.Err() == nil {
		if err := f.connect(ctx); err != nil {
			return worked, err
		}
		n, err := g.get(late, f, handle)
		if err != nil {
			return worked, f.explained(err)
		}
		worked = true
		if n == 0 {
			sleep(ctx, g.config.Poll)
		}
	}
	return worked, nil
}

// get makes one call, which brings what Falco has queued, and hands it over in batches: the stream
// is read on only when the batch before is on disk. It returns how many alerts came.
func (g *GRPC) get(late context.Context, f *falco, handle Handle) (n int, err error) {
	call, cancel := context.WithCancelCause(late)
	defer cancel(nil)
	hung := time.AfterFunc(hungAfter, func() { cancel(errHung) })
	defer hung.Stop()

	stream, err := f.outputs.Get(call, &outputs.Request{})
	if err != nil {
		return 0, causeOf(call, err)
	}
	for {
		batch, err := g.take(stream, hung)
		hung.Stop()
		if err == nil || errors.Is(err, io.EOF) || len(batch) > 0 {
			g.announce(f)
		}
		n += len(batch)
		if err := g.deliver(late, f, handle, batch); err != nil {
			return n, err
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, causeOf(call, err)
		}
		hung.Reset(hungAfter)
	}
}

// take receives one batch. With an error, io.EOF at the end of the call, the batch holds what came
// before it.
func (g *GRPC) take(stream grpc.ClientStream, hung *time.Timer) (batch []event.Event, err error) {
	for range batchSize {
		var f frame
		if err := stream.RecvMsg(&f); err != nil {
			return batch, err
		}
		hung.Reset(hungAfter)
		batch = g.decode(batch, &f)
	}
	return batch, nil
}

// causeOf returns why call was cancelled, if it was, or else err.
func causeOf(call context.Context, err error) error {
	if cause := context.Cause(call); cause != nil {
		return cause
	}
	return err
}
