package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
)

// The tests here are about what Falco does to its clients: it reloads, stops, dies, and shares its
// queue.

// numbered makes frames that their rules tell apart, about as long as Falco's.
func numbered(from, n int) []falcosim.Frame {
	frames := make([]falcosim.Frame, n)
	for i := range frames {
		m := message(nil).text(fieldRule, fmt.Sprint(from+i)).text(fieldOutput, strings.Repeat("x", 1800))
		frames[i] = falcosim.Frame(m)
	}
	return frames
}

func rules(from, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint(from+i))
	}
	return names
}

func inModes(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range []string{"get", "sub"} {
		t.Run(mode, func(t *testing.T) {
			noLeak(t)
			test(t, mode)
		})
	}
}

func TestGRPCReload(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		f := startFalco(t)
		g := openGRPC(t, f.config(mode), testEnv(t))
		k := newTaker()
		stop := run(t, g, k.handle)
		const reloads = 5
		for i := range reloads {
			f.Push(numbered(10*i, 5)...)
			k.wait(t, 10*i+5)
			if err := f.Reload(); err != nil {
				t.Fatal(err)
			}
			f.Push(numbered(10*i+5, 5)...)
			k.wait(t, 10*i+10)
			// A get that was about to begin at the reload is the first call of the new connection.
			// The version is asked before the next one.
			waitUntil(t, f.Stats, func(s falcosim.Stats) bool { return s.Versions >= i+2 })
		}
		stop()
		wantRules(t, k.taken(), rules(0, 10*reloads))
	})
}

func TestGRPCRestart(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		f := startFalco(t)
		var log logText
		env := testEnv(t)
		env.Log = env.Log.Output(&log)
		g := openGRPC(t, f.config(mode), env)
		k := newTaker()
		stop := run(t, g, k.handle)
		f.Push(numbered(0, 5)...)
		k.wait(t, 5)
		if s := g.Status(); s.State != "connected" || s.Peer != "Falco 0.43.1 (engine 0.58.0)" {
			t.Errorf("status %+v", s)
		}
		f.Abort() // its socket stays
		waitStatus(t, g, func(s Status) bool { return strings.Contains(s.LastError, "nobody listens") })
		f.start(t)
		f.Push(numbered(5, 5)...)
		k.wait(t, 10)
		if err := f.Stop(); err != nil { // its socket goes
			t.Fatal(err)
		}
		waitStatus(t, g, func(s Status) bool { return strings.Contains(s.LastError, "no socket at "+f.path) })
		f.start(t)
		f.Push(numbered(10, 5)...)
		k.wait(t, 15)
		stop()
		wantRules(t, k.taken(), rules(0, 15))
		if n := log.count("connected to Falco"); n != 3 {
			t.Errorf("logged %d connections, want 3:\n%s", n, &log)
		}
		if n := log.count("no socket at"); n != 1 {
			t.Errorf("logged %d times that the socket is gone, want once:\n%s", n, &log)
		}
	})
}

// waitStatus waits until the status is as ok wants it.
func waitStatus(t *testing.T, g *GRPC, ok func(Status) bool) {
	t.Helper()
	waitUntil(t, g.Status, ok)
}

// waitUntil looks again and again until what it sees is ok.
func waitUntil[S any](t *testing.T, look func() S, ok func(S) bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		seen := look()
		if ok(seen) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%+v", seen)
		}
	}
}

// TestGRPCStartsBeforeFalco also covers a Falco that comes back after a while.
func TestGRPCStartsBeforeFalco(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		f := startFalco(t)
		if err := f.Stop(); err != nil {
			t.Fatal(err)
		}
		g := openGRPC(t, f.config(mode), testEnv(t))
		k := newTaker()
		run(t, g, k.handle)
		waitStatus(t, g, func(s Status) bool { return s.LastError != "" && s.State == "connecting" })
		f.start(t)
		f.Push(numbered(0, 1)...)
		k.wait(t, 1)
		// The alert is noted once the handle that took it has returned.
		waitStatus(t, g, func(s Status) bool { return !s.LastAlert.IsZero() })
		if s := g.Status(); s.State != "connected" || s.LastError != "" {
			t.Errorf("status %+v", s)
		}
	})
}

// TestGRPCSplit has two sources and a plain client share the queue.
func TestGRPCSplit(t *testing.T) {
	noLeak(t)
	const n = 2000
	f := startFalco(t)
	k := newTaker()
	for _, mode := range []string{"get", "sub"} {
		run(t, openGRPC(t, f.config(mode), testEnv(t)), k.handle)
	}
	conn, err := grpc.NewClient("unix:"+f.path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var plain sync.WaitGroup
	for i := 0; i < n; i += 10 {
		f.Push(numbered(i, 10)...)
		if i%200 == 0 {
			plain.Go(func() {
				stream, err := outputs.NewServiceClient(conn).Get(t.Context(), &outputs.Request{})
				for err == nil {
					var r *outputs.Response
					if r, err = stream.Recv(); err == nil {
						_ = k.handle(t.Context(), []event.Event{{Rule: r.GetRule()}})
					}
				}
			})
		}
	}
	plain.Wait()
	got, want := k.wait(t, n), rules(0, n)
	slices.Sort(got)
	slices.Sort(want)
	wantRules(t, got, want)
}

func TestGRPCInvalidUTF8(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		f := startFalco(t)
		for _, frame := range recordedFrames(t, "bad-utf8") {
			f.Push(frame)
		}
		k := newTaker()
		var path string
		run(t, openGRPC(t, f.config(mode), testEnv(t)), func(ctx context.Context, events []event.Event) error {
			for i := range events {
				if p, ok := events[i].Field("proc.exepath"); ok && strings.HasPrefix(p, "memfd:bad") {
					path = p
				}
			}
			return k.handle(ctx, events)
		})
		shadow := "Read sensitive file untrusted"
		wantRules(t, k.wait(t, 5), []string{shadow, event.StockMemfdRule, shadow, event.StockMemfdRule, shadow})
		if path != "memfd:bad\xff\xfename" {
			t.Errorf("proc.exepath is %q", path)
		}
	})
}

// TestGRPCRecordings replays all recorded messages byte for byte.
func TestGRPCRecordings(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		f := startFalco(t)
		var want []string
		for _, name := range []string{"stable-rules", "enriched", "containers", "internal-drop", "internal-metrics"} {
			for _, frame := range recordedFrames(t, name) {
				f.Push(frame)
				e, err := decodeFrame(frame, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, e.ID())
			}
		}
		got := make(chan string, len(want))
		env := testEnv(t)
		env.Rejected = func(reason string) { t.Errorf("rejected: %s", reason) }
		run(t, openGRPC(t, f.config(mode), env), func(_ context.Context, events []event.Event) error {
			for i := range events {
				got <- events[i].ID()
			}
			return nil
		})
		late := time.After(patience)
		for i, id := range want {
			select {
			case g := <-got:
				if g != id {
					t.Fatalf("alert %d has another ID", i+1)
				}
			case <-late:
				t.Fatalf("%d of %d alerts came", i, len(want))
			}
		}
	})
}
