package source

import (
	"context"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

func TestGRPCManyQueued(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		n := 30_000
		if mode == "sub" {
			n = 5000
		}
		f := startFalco(t)
		f.Push(numbered(0, n)...)
		k, most := newTaker(), 0
		stop := run(t, openGRPC(t, f.config(mode), testEnv(t)), func(ctx context.Context, events []event.Event) error {
			most = max(most, len(events))
			return k.handle(ctx, events)
		})
		wantRules(t, k.wait(t, n), rules(0, n))
		stop()
		if most > batchSize {
			t.Errorf("a batch of %d", most)
		}
	})
}

// TestGRPCBackpressure counts how many alerts are out of Falco's queue and not handled.
func TestGRPCBackpressure(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		const n = 1500
		f := startFalco(t)
		f.Push(numbered(0, n)...)
		handled, most := 0, 0
		k := newTaker()
		run(t, openGRPC(t, f.config(mode), testEnv(t)), func(ctx context.Context, events []event.Event) error {
			// Everything that will come without a further read is to have come: wait for the server
			// to pop nothing more.
			most = max(most, f.settled()-handled)
			handled += len(events)
			return k.handle(ctx, events)
		})
		k.wait(t, n)
		// What the source holds, and what fits its window, with the alert that only half does. And
		// what only falcosim takes out of the queue, since grpc-go's server buffers 64 KiB for a
		// stream before it waits for the window: 36 alerts of this size.
		size := len(numbered(0, 1)[0]) + 5
		ours := batchSize + window/size + 1
		theirs := 64<<10/size + 1
		if most > ours+theirs {
			t.Errorf("%d alerts were out of the queue and not handled, want at most %d, of which %d in the server",
				most, ours+theirs, theirs)
		}
		if most < batchSize {
			t.Errorf("only %d alerts were out of the queue: this test does not test", most)
		}
		if ours > 256 {
			t.Errorf("%d alerts are received and not synced, want at most 256", ours)
		}
	})
}

// settled returns how many alerts have left the queue once no more do.
func (f *simFalco) settled() int {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	sent := f.Stats().Sent
	for same := 0; same < 3; {
		<-again.C
		if now := f.Stats().Sent; now == sent {
			same++
		} else {
			sent, same = now, 0
		}
	}
	return sent
}

// TestUnsyncedBound holds the promise of at most 256 alerts against the smallest recorded one.
func TestUnsyncedBound(t *testing.T) {
	smallest := 1 << 30
	for _, name := range []string{
		"stable-rules", "enriched", "containers", "internal-drop", "internal-metrics", "mtls", "sub",
		"text-output", "bad-utf8",
	} {
		for _, frame := range recordedFrames(t, name) {
			smallest = min(smallest, len(frame))
		}
	}
	const prefix = 5 // of a gRPC message
	if n := batchSize + window/(smallest+prefix) + 1; n > 256 {
		t.Errorf("%d alerts of %d bytes are received and not synced, want at most 256", n, smallest)
	}
}
