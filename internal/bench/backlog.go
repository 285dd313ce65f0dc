package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// thousands is how often a backlog of 1,000 is drained to compare with: it is over in a moment, so one
// says little.
const thousands = 3

// runBacklog fills the log while the webhook is down, stops the program, and measures what it does
// when it starts with that.
func (r *row) runBacklog(ctx context.Context) error {
	few := min(1000, r.n/10)
	var rates []float64
	for i := range thousands {
		rate, err := r.drainFew(ctx, i, few)
		if err != nil {
			return err
		}
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	r.result.DrainThousand = rates[len(rates)/2]

	if err := r.fill(ctx, thousands*few, r.n); err != nil {
		return err
	}
	r.result.StoreMB = mb(dirSize(r.target.dir))
	before := r.receivers[tested].Counts().Distinct
	if err := r.receivers[tested].Set(ctx, rig.Fault{}); err != nil {
		return err
	}
	clock := startClock()
	r.began = time.Now()
	if err := r.target.start(ctx); err != nil {
		return err
	}
	r.result.ReadyMs = ms(time.Since(r.target.process.Began))
	r.sampler = rig.Sample(ctx, r.target.pid, r.target.metrics)
	_, peak, err := rig.RSS(r.target.pid)
	if err != nil {
		return err
	}
	r.await(ctx)
	usage := r.sampler.Stop(ctx)
	usage.Peak = max(usage.Peak, peak)
	stored := r.result.StoreMB
	r.measured(usage, clock)
	r.result.StoreMB = stored
	// Of what was drained now, and not of what was to compare with.
	drained := r.receivers[tested].Counts()
	r.result.Sinks[0].PerSecond = perSecond(drained.Distinct-before, drained.Last.Sub(r.began))
	return r.after(ctx, 0)
}

// drainFew returns the rate at which a small backlog drains, from the start of the program too.
func (r *row) drainFew(ctx context.Context, i, few int) (float64, error) {
	if err := r.fill(ctx, i*few, (i+1)*few); err != nil {
		return 0, err
	}
	if err := r.receivers[tested].Set(ctx, rig.Fault{}); err != nil {
		return 0, err
	}
	if err := r.target.start(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	before := r.receivers[tested].Counts()
	r.await(ctx)
	after := r.receivers[tested].Counts()
	if after.Distinct < (i+1)*few {
		return 0, fmt.Errorf("of a backlog of %d, %d came", few, after.Distinct-before.Distinct)
	}
	return perSecond(after.Distinct-before.Distinct, after.Last.Sub(began)), r.target.stop(syscall.SIGTERM)
}

// fill starts the program with the webhook down, posts, and stops it.
func (r *row) fill(ctx context.Context, from, to int) error {
	if err := r.receivers[tested].Set(ctx, rig.Fault{Down: true}); err != nil {
		return err
	}
	if err := r.target.start(ctx); err != nil {
		return err
	}
	began := time.Now()
	rig.Load{URL: r.target.url, Posters: r.posters, Shape: r.shape, From: from, To: to, Batch: 256}.Run(ctx, r.sent)
	r.result.Intake = perSecond(to-from, time.Since(began))
	return r.target.stop(syscall.SIGTERM)
}
