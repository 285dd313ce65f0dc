package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
)

// TestGRPCStopLosesNothing stops in the middle of a stream of alerts, again and again: what is not
// handed over must still be in the queue.
func TestGRPCStopLosesNothing(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		f := falcosim.New(falcosim.Options{})
		grpcBubble(t, mode, bySim(f), func(t *testing.T, g *GRPC) {
			k, pushed := newTaker(), 0
			push := func(n int) {
				f.Push(numbered(pushed, n)...)
				pushed += n
			}
			for i := range 20 {
				push(300)
				stopping := make(chan struct{})
				first := sync.OnceFunc(func() { close(stopping) })
				stop := run(t, g, func(ctx context.Context, events []event.Event) error {
					first()
					if i%2 == 0 {
						time.Sleep(time.Millisecond) // a sync
					}
					return k.handle(ctx, events)
				})
				<-stopping
				push(50) // for the call that runs, or for the queue
				stop()
				if s := f.Stats(); s.Sent != len(k.taken()) {
					t.Fatalf("%s: %d alerts left the queue, %d were handed over", mode, s.Sent, len(k.taken()))
				}
			}
			stop := run(t, g, k.handle)
			time.Sleep(time.Second)
			stop()
			wantRules(t, k.taken(), rules(0, pushed))
		})
	}
}

func TestGRPCStopWithFailingStore(t *testing.T) {
	noLeak(t)
	f := startFalco(t)
	f.Push(numbered(0, 3)...)
	failed := make(chan struct{}, 1000)
	recovered := false
	k := newTaker()
	var mu sync.Mutex
	stop := run(t, openGRPC(t, f.config("get"), testEnv(t)), func(ctx context.Context, events []event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if recovered {
			return k.handle(ctx, events)
		}
		failed <- struct{}{}
		return errors.New("disk full")
	})
	<-failed
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	mu.Lock()
	recovered = true // while the source stops
	mu.Unlock()
	<-stopped
	wantRules(t, k.taken(), rules(0, 3))
}

// TestGRPCStopStoreDown has a store that comes back at the very last moment: too late for the batch
// at hand, not for what was received behind it.
func TestGRPCStopStoreDown(t *testing.T) {
	f := falcosim.New(falcosim.Options{})
	grpcBubble(t, "sub", bySim(f), func(t *testing.T, g *GRPC) {
		var log logText
		g.env.Log = g.env.Log.Output(&log)
		k, refused := newTaker(), 0
		f.Push(numbered(0, 300)...)
		stop := run(t, g, func(ctx context.Context, events []event.Event) error {
			if ctx.Err() == nil {
				refused = len(events)
				return errors.New("disk full")
			}
			return k.handle(ctx, events)
		})
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if d := time.Since(began); d != stopBound {
			t.Errorf("stopped after %s, want %s", d, stopBound)
		}
		wantRules(t, k.taken(), rules(refused, batchSize-refused))
		if log.count("are lost") != 1 || log.count(fmt.Sprintf(`"alerts":%d,`, refused)) != 1 ||
			log.count("may be lost") != 1 {
			t.Errorf("the loss of %d is not in the log:\n%s", refused, &log)
		}
	})
}

// TestGRPCFalcoStopsWhileStoreIsDown: a sub whose client neither asks nor cancels blocks Falco's stop,
// and a store that is down must not make this client one. What was received is kept.
func TestGRPCFalcoStopsWhileStoreIsDown(t *testing.T) {
	for _, alerts := range []int{3, 300} { // 300 are more than this side takes, so Falco blocks in writing
		f := falcosim.New(falcosim.Options{})
		grpcBubble(t, "sub", bySim(f), func(t *testing.T, g *GRPC) {
			k, up := newTaker(), make(chan struct{})
			f.Push(numbered(0, alerts)...)
			stop := run(t, g, func(ctx context.Context, events []event.Event) error {
				<-up // a disk that does not answer
				return k.handle(ctx, events)
			})
			time.Sleep(time.Second)
			began := time.Now()
			if err := f.Stop(); err != nil {
				t.Error(err)
			}
			if d := time.Since(began); d > stopBound+time.Second {
				t.Errorf("Falco stopped after %s", d)
			}
			close(up)
			time.Sleep(time.Second)
			stop()
			if got, want := len(k.taken()), min(alerts, batchSize); got < want {
				t.Errorf("%d alerts kept, want at least the %d that were received", got, want)
			}
		})
	}
}

// TestGRPCStopFinishesGet stops while a get is under way.
func TestGRPCStopFinishesGet(t *testing.T) {
	o := &oddFalco{get: func(stream outputs.Service_GetServer) error {
		return sendSlowly(stream, 0, 5, 500*time.Millisecond)
	}}
	grpcBubble(t, "get", o.serve, func(t *testing.T, g *GRPC) {
		k := newTaker()
		stop := run(t, g, func(ctx context.Context, events []event.Event) error {
			if ctx.Err() != nil {
				t.Error("handle got a context that has ended")
			}
			return k.handle(ctx, events)
		})
		time.Sleep(700 * time.Millisecond)
		stop()
		wantRules(t, k.taken(), rules(0, 5))
		if n := o.gets.Load(); n != 1 {
			t.Errorf("%d calls, want no new one", n)
		}
	})
}

// TestGRPCStopBound stops while a call goes on for ever.
func TestGRPCStopBound(t *testing.T) {
	o := &oddFalco{
		get: func(stream outputs.Service_GetServer) error { return sendSlowly(stream, 0, 1e9, 100*time.Millisecond) },
		sub: func(stream outputs.Service_SubServer) error { return sendSlowly(stream, 0, 1e9, 100*time.Millisecond) },
	}
	for _, mode := range []string{"get", "sub"} {
		grpcBubble(t, mode, o.serve, func(t *testing.T, g *GRPC) {
			k := newTaker()
			stop := run(t, g, k.handle)
			time.Sleep(3050 * time.Millisecond)
			began := time.Now()
			stop()
			if d := time.Since(began); d != stopBound {
				t.Errorf("%s: stopped after %s, want %s", mode, d, stopBound)
			}
			if n := len(k.taken()); n != 80 {
				t.Errorf("%s: %d alerts of 80 sent by then", mode, n)
			}
		})
	}
}

// TestGRPCStopSub stops a sub that still delivers, and then is silent.
func TestGRPCStopSub(t *testing.T) {
	ended := make(chan error, 1)
	o := new(oddFalco)
	o.sub = func(stream outputs.Service_SubServer) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := sendSlowly(stream, 0, 20, 150*time.Millisecond); err != nil {
			return err
		}
		for {
			if _, err := stream.Recv(); err != nil {
				ended <- err
				return err
			}
		}
	}
	grpcBubble(t, "sub", o.serve, func(t *testing.T, g *GRPC) {
		k := newTaker()
		stop := run(t, g, k.handle)
		time.Sleep(time.Second)
		stop()
		wantRules(t, k.taken(), rules(0, 20))
		synctest.Wait()
		if err := <-ended; errors.Is(err, io.EOF) {
			t.Error("the stream was half-closed, and not cancelled")
		}
	})
}

func TestGRPCStopBeforeAnything(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		grpcBubble(t, mode, new(oddFalco).serve, func(t *testing.T, g *GRPC) {
			g.dial = func(ctx context.Context) (net.Conn, error) { // a black hole
				<-ctx.Done()
				return nil, ctx.Err()
			}
			stop := run(t, g, newTaker().handle)
			time.Sleep(time.Second)
			began := time.Now()
			stop()
			if d := time.Since(began); d != 0 {
				t.Errorf("%s: stopped after %s", mode, d)
			}
		})
	}
}
