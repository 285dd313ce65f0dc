package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
)

// The tests here run in virtual time, over connections in memory.

// grpcBubble runs test with a source that has the default poll of 100 ms. serve starts the server.
func grpcBubble(t *testing.T, mode string, serve func(net.Listener) (stop func()), test func(t *testing.T, g *GRPC)) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 20)
		defer serve(l)()
		c := DefaultGRPCConfig()
		c.Mode = mode
		g := openGRPC(t, c, testEnv(t))
		g.dial = func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx) }
		test(t, g)
	})
}

// bySim serves with falcosim.
func bySim(f *falcosim.Server) func(net.Listener) func() {
	return func(l net.Listener) func() {
		if err := f.Listen(func() (net.Listener, error) { return l, nil }); err != nil {
			panic(err)
		}
		return f.Abort
	}
}

// An oddFalco behaves as no Falco was seen to, but might.
type oddFalco struct {
	outputs.UnimplementedServiceServer
	get  func(outputs.Service_GetServer) error
	sub  func(outputs.Service_SubServer) error
	gets atomic.Int64
	subs atomic.Int64
}

func (o *oddFalco) Get(_ *outputs.Request, stream outputs.Service_GetServer) error {
	o.gets.Add(1)
	return o.get(stream)
}

func (o *oddFalco) Sub(stream outputs.Service_SubServer) error {
	o.subs.Add(1)
	return o.sub(stream)
}

func (o *oddFalco) serve(l net.Listener) func() {
	srv := grpc.NewServer(grpc.WaitForHandlers(true), grpc.ForceServerCodecV2(sendFrames{encoding.GetCodecV2(proto.Name)}))
	outputs.RegisterServiceServer(srv, o)
	return serveOn(srv, l)
}

func serveOn(srv *grpc.Server, l net.Listener) func() {
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	return func() {
		srv.Stop()
		serving.Wait()
	}
}

type sendFrames struct{ encoding.CodecV2 }

func (c sendFrames) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(falcosim.Frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// sendSlowly sends n alerts with a pause before each.
func sendSlowly(stream grpc.ServerStream, from, n int, gap time.Duration) error {
	for i := range n {
		time.Sleep(gap)
		if err := stream.SendMsg(numbered(from+i, 1)[0]); err != nil {
			return err
		}
	}
	return nil
}

// TestGRPCLoneAlert is about how long an alert waits that comes alone: at most a poll.
func TestGRPCLoneAlert(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		f := falcosim.New(falcosim.Options{})
		grpcBubble(t, mode, bySim(f), func(t *testing.T, g *GRPC) {
			var came atomic.Pointer[time.Time]
			run(t, g, func(context.Context, []event.Event) error {
				now := time.Now()
				came.Store(&now)
				return nil
			})
			for range 20 {
				time.Sleep(12345 * time.Millisecond)
				f.Push(numbered(0, 1)...)
				pushed := time.Now()
				came.Store(nil)
				time.Sleep(g.config.Poll)
				synctest.Wait()
				if at := came.Load(); at == nil || at.Sub(pushed) > g.config.Poll {
					t.Fatalf("%s: pushed at %s, came at %v", mode, pushed, at)
				}
			}
		})
	}
}

func TestGRPCAsksSteadily(t *testing.T) {
	f := falcosim.New(falcosim.Options{})
	grpcBubble(t, "get", bySim(f), func(t *testing.T, g *GRPC) {
		stop := run(t, g, newTaker().handle)
		time.Sleep(time.Minute)
		stop()
		if got := f.Stats(); got.Gets < 590 || got.Gets > 601 || got.Versions != 1 {
			t.Errorf("in a minute: %+v", got)
		}
	})
}

// TestGRPCStoreDown leaves the store down for long: Falco is not asked, and the log stays short.
func TestGRPCStoreDown(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		f := falcosim.New(falcosim.Options{})
		grpcBubble(t, mode, bySim(f), func(t *testing.T, g *GRPC) {
			var log logText
			g.env.Log = g.env.Log.Output(&log)
			var up atomic.Bool
			k := newTaker()
			f.Push(numbered(0, 1)...)
			stop := run(t, g, func(ctx context.Context, events []event.Event) error {
				if !up.Load() {
					return errors.New("disk full")
				}
				return k.handle(ctx, events)
			})
			time.Sleep(time.Second)
			before := f.Stats()
			f.Push(numbered(1, 1000)...)
			time.Sleep(time.Hour)
			if got := f.Stats(); got.Gets != before.Gets || got.Sent != before.Sent {
				t.Errorf("%s: Falco was asked while nothing could be stored: %+v, then %+v", mode, before, got)
			}
			if n := log.count("alerts can not be stored"); n != 1 {
				t.Errorf("%s: logged %d times", mode, n)
			}
			up.Store(true)
			time.Sleep(maxPause + time.Second)
			stop()
			wantRules(t, k.taken(), rules(0, 1001))
		})
	}
}

func TestGRPCHungGet(t *testing.T) {
	o := new(oddFalco)
	o.get = func(stream outputs.Service_GetServer) error {
		if err := sendSlowly(stream, 3*int(o.gets.Load()-1), 3, 20*time.Second); err != nil {
			return err
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	grpcBubble(t, "get", o.serve, func(t *testing.T, g *GRPC) {
		k := newTaker()
		began := time.Now()
		stop := run(t, g, k.handle)
		time.Sleep(89 * time.Second) // 20 s before each alert, and almost 30 s of silence
		synctest.Wait()
		if n := o.gets.Load(); n != 1 {
			t.Fatalf("%d calls after %s, want the first still open", n, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		wantRules(t, k.taken(), rules(0, 3))
		if n := o.gets.Load(); n != 2 {
			t.Errorf("%d calls after %s, want 2", n, time.Since(began))
		}
		if s := g.Status(); !strings.Contains(s.LastError, "Falco hangs") || s.State != "connecting" {
			t.Errorf("status %+v", s)
		}
		time.Sleep(61 * time.Second)
		stop()
		wantRules(t, k.taken(), rules(0, 6))
	})
}

// TestGRPCHungSub has a server that reads no requests, until none can be sent.
func TestGRPCHungSub(t *testing.T) {
	o := new(oddFalco)
	o.sub = func(stream outputs.Service_SubServer) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	grpcBubble(t, "sub", o.serve, func(t *testing.T, g *GRPC) {
		var log logText
		g.env.Log = g.env.Log.Output(&log)
		run(t, g, newTaker().handle)
		time.Sleep(time.Hour) // 128 KiB of empty requests: the window, and what grpc-go buffers
		if o.subs.Load() != 2 || log.count("Falco hangs") != 1 {
			t.Errorf("%d streams, %+v, and in the log:\n%s", o.subs.Load(), g.Status(), &log)
		}
	})
}

func TestGRPCHungVersion(t *testing.T) {
	o := &oddFalco{get: func(stream outputs.Service_GetServer) error { return sendSlowly(stream, 0, 1, time.Second) }}
	serve := func(l net.Listener) func() {
		srv := grpc.NewServer(grpc.WaitForHandlers(true), grpc.ForceServerCodecV2(sendFrames{encoding.GetCodecV2(proto.Name)}))
		outputs.RegisterServiceServer(srv, o)
		version.RegisterServiceServer(srv, hungVersion{})
		return serveOn(srv, l)
	}
	grpcBubble(t, "get", serve, func(t *testing.T, g *GRPC) {
		k := newTaker()
		run(t, g, k.handle)
		time.Sleep(versionBound + time.Second + time.Millisecond)
		synctest.Wait()
		if len(k.taken()) == 0 {
			t.Error("no alert came")
		}
		if s := g.Status(); s.State != "connected" || s.Peer != "Falco of unknown version" {
			t.Errorf("status %+v", s)
		}
		if err := g.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("probe: %v", err)
		}
	})
}

type hungVersion struct {
	version.UnimplementedServiceServer
}

func (hungVersion) Version(ctx context.Context, _ *version.Request) (*version.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestGRPCNoConnection counts the tries while Falco is away, and what is logged of them.
func TestGRPCNoConnection(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		grpcBubble(t, mode, new(oddFalco).serve, func(t *testing.T, g *GRPC) {
			var log logText
			g.env.Log = g.env.Log.Output(&log)
			var tries []time.Time
			g.dial = func(context.Context) (net.Conn, error) {
				tries = append(tries, time.Now())
				return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("try %d: %w", len(tries), syscall.EACCES)}
			}
			stop := run(t, g, newTaker().handle)
			time.Sleep(10 * time.Minute)
			stop()
			if n := len(tries); n < 120 || n > 250 {
				t.Errorf("%d tries in 10 minutes", n)
			}
			for i := 1; i < len(tries); i++ {
				if gap := tries[i].Sub(tries[i-1]); gap > maxPause || gap < firstPause/2 {
					t.Errorf("pause %d is %s", i, gap)
				}
			}
			if gap := tries[1].Sub(tries[0]); gap > firstPause {
				t.Errorf("the first pause is %s", gap)
			}
			if n := log.count("no permission to connect to"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, &log)
			}
			if s := g.Status(); s.State != "connecting" || !strings.Contains(s.LastError, "permission denied") {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestGRPCNotFalco meets a server that speaks gRPC and is no Falco.
func TestGRPCNotFalco(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		serve := func(l net.Listener) func() { return serveOn(grpc.NewServer(), l) }
		grpcBubble(t, mode, serve, func(t *testing.T, g *GRPC) {
			var log logText
			g.env.Log = g.env.Log.Output(&log)
			stop := run(t, g, newTaker().handle)
			time.Sleep(2 * time.Minute)
			stop()
			if s := g.Status(); s.State != "connecting" || !strings.Contains(s.LastError, "has no falco.outputs.service") {
				t.Errorf("status %+v", s)
			}
			if n := log.count("\n"); n != 1 {
				t.Errorf("%d lines were logged, want 1:\n%s", n, &log)
			}
			if err := g.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "it is not Falco") {
				t.Errorf("probe: %v", err)
			}
		})
	}
}
