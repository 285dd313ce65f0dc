package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

const (
	// batchSize is the most alerts that are taken before they are handed over, and so the most
	// that are received and not yet synced, apart from what fits the flow-control window. With
	// that, no more than 256 alerts are out of Falco's queue and not on disk: the window holds
	// 154 of the smallest alert that Falco was recorded to send (420 bytes), 35 of a usual one.
	batchSize = 96

	// hungAfter is how long a get may neither deliver nor end, or a request of a sub block.
	hungAfter = 30 * time.Second

	// stopBound is how long after the end of Run's context alerts may still come in and be handed
	// over.
	stopBound = 5 * time.Second

	// versionBound is how long Falco may take to say its version.
	versionBound = 2 * time.Second

	// firstPause doubles with every failure up to maxPause.
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// GRPC receives alerts over the gRPC outputs API of Falco up to 0.43.
//
// Falco has one queue for all its clients and forgets an alert when it writes it to a connection:
// no acknowledgement, no replay. So a GRPC takes few alerts at a time and reads on only when they
// are on disk; everything else waits in Falco. It calls get again and again by default, because
// an open sub can make Falco abort when it reloads its configuration.
type GRPC struct {
	health
	config GRPCConfig
	dial   dialFunc
	said   string // the kind of trouble with the connection that was logged last
}

// OpenGRPC checks c and reads its certificates, and does not connect yet.
func OpenGRPC(c GRPCConfig, env Env) (*GRPC, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if _, err := c.credentials(nil); err != nil {
		return nil, err
	}
	g := &GRPC{health: health{env: env}, config: c, dial: c.dial}
	g.enter("connecting", "")
	return g, nil
}

// Probe connects and asks for Falco's version, which Status shows then. It takes no alert away.
func (g *GRPC) Probe(ctx context.Context) error {
	c, err := g.open()
	if err != nil {
		return err
	}
	defer c.close()
	if err = c.connect(ctx); err == nil {
		err = c.versionErr
	}
	if err != nil {
		return errors.New(ExplainGRPC(err, g.config))
	}
	g.setPeer(c.peer, 0)
	return nil
}

// Run receives alerts until ctx ends. What is on its way at that moment is still taken and handed
// over, for a few seconds at most; the context that handle gets lasts as long.
func (g *GRPC) Run(ctx context.Context, handle Handle) error {
	late, cancel := outlive(ctx)
	defer cancel()
	for try := 0; ctx.Err() == nil; try++ {
		worked, err := g.session(ctx, late, handle)
		if late.Err() != nil {
			g.env.Log.Warn().Str("after", stopBound.String()).
				Msg("stopping: a call was cut short, and alerts on their way may be lost")
		}
		if ctx.Err() != nil {
			break
		}
		if worked {
			try = 0
		}
		g.disconnected(err)
		sleep(ctx, pause(try))
	}
	return nil
}

// session works on one channel until it breaks or ctx ends, and reports whether Falco answered.
// late is the context of what outlives ctx.
func (g *GRPC) session(ctx, late context.Context, handle Handle) (worked bool, err error) {
	c, err := g.open()
	if err != nil {
		return false, err
	}
	defer c.close()
	if g.config.Mode == "sub" {
		return g.sub(ctx, late, c, handle)
	}
	return g.poll(ctx, late, c, handle)
}

// decode turns frames into events. A frame that is no alert costs only itself.
func (g *GRPC) decode(batch []event.Event, f *frame) []event.Event {
	e, reason, err := f.event(g.env.Stamp())
	if err != nil {
		g.reject(reason, 1, err)
		return batch
	}
	return append(batch, e)
}

// deliver hands batch over, again and again until that succeeds or late ends: Falco has forgotten
// these alerts, so there is no other copy.
func (g *GRPC) deliver(late context.Context, f *falco, handle Handle, batch []event.Event) error {
	if len(batch) == 0 {
		return nil
	}
	for try := 0; ; try++ {
		err := handle(late, batch)
		if err == nil {
			g.took(batch[len(batch)-1].Received, f.peer)
			if try > 0 {
				g.env.Log.Info().Int("tries", try+1).Msg("alerts can be stored again")
			}
			return nil
		}
		g.trouble("alerts can not be stored: " + err.Error())
		if try == 0 {
			g.env.Log.Warn().Err(err).Msg("alerts can not be stored: none are taken from Falco until they can")
		}
		if !sleep(late, pause(try)) {
			g.env.Log.Error().Err(err).Int("alerts", len(batch)).
				Msg("stopping: these alerts could not be stored and are lost")
			return fmt.Errorf("%d alerts not stored: %w", len(batch), err)
		}
	}
}

// announce notes, once a connection, that Falco answers.
func (g *GRPC) announce(f *falco) {
	if f.announced {
		return
	}
	f.announced, g.said = true, ""
	g.enter("connected", "")
	g.setPeer(f.peer, f.pid())
	g.env.Log.Info().Str("peer", f.peer).Str("address", g.config.Address).Msg("connected to Falco")
}

// disconnected notes that the channel broke, or could not be opened. Only a new kind of trouble is
// logged: the next tries will mostly meet the same.
func (g *GRPC) disconnected(err error) {
	text := ExplainGRPC(err, g.config)
	g.enter("connecting", text)
	if kind := explainGRPC(err, g.config); g.said != kind {
		g.said = kind
		g.env.Log.Warn().Str("address", g.config.Address).Msg(text)
	}
}

func (g *GRPC) setPeer(peer string, process int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Peer, g.status.Process = peer, process
}

// pause is how long to wait after the try-th failure in a row, from 0: half of it is chance, so
// that many clients of one Falco do not come back in step.
func pause(try int) time.Duration {
	d := min(firstPause<<min(try, 10), maxPause)
	return d/2 + rand.N(d/2) //nolint:gosec // no secret depends on it
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
