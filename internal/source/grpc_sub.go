package source

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/filelessd/filelessd/pkg/event"
)

// errEnded is the end of a sub stream with status OK, which only a Falco that goes away sends.
var errEnded = errors.New("the stream ended")

// At a stop, a sub is cancelled when nothing has come in as many rounds as this: each a pause as long
// as a poll, within bounds, and an answer of Falco's.
const (
	quietRounds = 3
	minQuiet    = 100 * time.Millisecond
	maxQuiet    = 300 * time.Millisecond
)

// A subscription is one sub stream: a goroutine that receives, and what it has received.
type subscription struct {
	stream outputs.Service_SubClient
	send   sync.Mutex
	cancel context.CancelCauseFunc
	frames chan frame    // closed at the end of the stream
	room   chan struct{} // holds one for each frame that is received and not yet synced
	err    error         // why the stream ended; to be read when frames is closed
}

// sub opens one stream and works on it until it ends. Falco answers a request with what is queued
// and then holds alerts back until the next, so requests go out on a steady tick.
func (g *GRPC) sub(ctx, late context.Context, f *falco, handle Handle) (worked bool, err error) {
	if err := f.connect(ctx); err != nil {
		return false, err
	}
	call, cancel := context.WithCancelCause(late)
	stream, err := f.outputs.Sub(call)
	if err != nil {
		cancel(nil)
		return false, f.explained(err)
	}
	s := &subscription{
		stream: stream, cancel: cancel,
		frames: make(chan frame, batchSize), room: make(chan struct{}, batchSize),
	}
	go s.receive(call)
	var leaving sync.WaitGroup
	leaving.Go(func() { s.letGo(call, f.channel, g.config.Poll) })
	err = g.follow(ctx, late, f, s, handle)
	// Never half-close: Falco would keep the stream, and its slot, for ever.
	cancel(nil)
	leaving.Wait()
	// What was received before the end still counts; the goroutine ends with the range.
	var rest []event.Event
	for frame := range s.frames {
		rest = g.decode(rest, &frame)
	}
	if lost := g.deliver(late, f, handle, rest); lost != nil {
		err = lost
	}
	return f.announced, f.explained(err)
}

// follow sends requests and hands over what comes, until the stream ends. When ctx ends no more
// requests go out, and follow returns once nothing has come for a moment.
func (g *GRPC) follow(ctx, late context.Context, f *falco, s *subscription, handle Handle) error {
	tick := time.NewTicker(g.config.Poll)
	defer tick.Stop()
	due, stop, quiet := tick.C, ctx.Done(), make(<-chan time.Time)
	silent := 0
	_ = s.request()
	for {
		select {
		case first, ok := <-s.frames:
			if !ok {
				return s.err
			}
			g.announce(f)
			batch, n := g.gather(s, &first)
			if err := g.deliver(late, f, handle, batch); err != nil {
				return err
			}
			s.release(n)
			silent = 0
		case <-due:
			g.announce(f)
			_ = s.request()
		case <-stop:
			stop, due, quiet = nil, nil, g.quiet()
		case <-quiet:
			// This side or the other may be slow, or far away. An answer on the same connection
			// comes after what was written to it before.
			_, _ = f.version(late)
			if len(s.frames) > 0 {
				silent = -1
			}
			if silent++; silent == quietRounds {
				return nil
			}
			quiet = g.quiet()
		}
	}
}

func (g *GRPC) quiet() <-chan time.Time {
	return time.After(min(max(g.config.Poll, minQuiet), maxQuiet))
}

// gather makes a batch of first and of what else is there already, and counts its frames.
func (g *GRPC) gather(s *subscription, first *frame) (batch []event.Event, n int) {
	batch = g.decode(batch, first)
	for n = 1; n < batchSize; n++ {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return batch, n
			}
			batch = g.decode(batch, &f)
		default:
			return batch, n
		}
	}
	return batch, n
}

// receive reads the stream to its end, but no further than there is room.
func (s *subscription) receive(call context.Context) {
	defer close(s.frames)
	for {
		select {
		case s.room <- struct{}{}:
		case <-call.Done():
			s.err = context.Cause(call)
			return
		}
		var f frame
		err := s.stream.RecvMsg(&f)
		if errors.Is(err, io.EOF) {
			s.err = errEnded
			return
		}
		if err != nil {
			s.err = causeOf(call, err)
			return
		}
		s.frames <- f
	}
}

// letGo lets Falco stop, or reload, while alerts can not be stored and follow is busy with trying:
// Falco's stop waits until its client asks once more, or cancels. That Falco goes shows in the channel,
// which is no longer ready then. From there on requests go out, and what Falco had sent before the
// stream ended can still be received. Only when Falco is held up in sending, since nobody reads, the
// stream is cancelled, and what was on its way is lost.
func (s *subscription) letGo(call context.Context, channel *grpc.ClientConn, every time.Duration) {
	for state := channel.GetState(); state == connectivity.Ready; state = channel.GetState() {
		if !channel.WaitForStateChange(call, state) {
			return
		}
	}
	for began := time.Now(); time.Since(began) < stopBound; {
		if !sleep(call, every) || s.request() != nil {
			return
		}
	}
	s.cancel(errEnded)
}

func (s *subscription) release(n int) {
	for range n {
		<-s.room
	}
}

// request asks for what is queued. An error says that the stream is over; receive gets the reason.
func (s *subscription) request() error {
	s.send.Lock() // a stream has one sender at a time
	defer s.send.Unlock()
	hung := time.AfterFunc(hungAfter, func() { s.cancel(errHung) })
	defer hung.Stop()
	return s.stream.Send(&outputs.Request{})
}
