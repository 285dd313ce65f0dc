package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// bench is what all rows share.
type bench struct {
	binary  string   // filelessd
	env     []string // of filelessd
	url     string   // of another receiver, if any
	exec    string
	pid     int
	receive string // where the other receiver's webhook points
	// patience is how long nothing may arrive before what is still missing is given up.
	patience time.Duration
}

const (
	// settleFor is how long a memory may take to go back: Go gives pages back in the background, and
	// collects garbage at the latest after two minutes.
	settleFor = 150 * time.Second
	// mostMessages is what "a handful" is.
	mostMessages = 50
)

// row is one run of a scenario.
type row struct {
	*bench
	scenario
	script    []rig.Fault
	sent      *rig.Sent
	receivers map[string]*rig.Receiver
	target    *target
	sampler   *rig.Sampler
	result    *result
	restarted chan error
	reloaded  chan error
	began     time.Time
	faultAt   time.Time
}

// run runs a scenario in a directory of its own.
func (b *bench) run(ctx context.Context, s scenario) (_ *result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &row{bench: b, scenario: s, sent: rig.NewSent(s.n), receivers: map[string]*rig.Receiver{}, reloaded: make(chan error, 1)}
	if r.script, err = rig.ParseScript(s.script); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "filelessd-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r.result = &result{
		Scenario: s.name, Alerts: s.n, Shape: string(s.shape), Posters: s.posters, Rate: s.rate, Script: s.script,
		Grouping: s.grouping, Version: b.version(ctx), Machine: thisMachine(), Began: time.Now().UTC(),
	}
	if s.kill != 0 {
		r.result.Kill = fmt.Sprintf("%s at %d", s.kill, s.killAt)
	}
	if err := r.open(ctx, dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	sync, err := fsync(dir)
	if err != nil {
		return nil, err
	}
	r.result.Reference.FsyncMs = ms(sync)
	if s.backlog {
		err = r.runBacklog(ctx)
	} else {
		err = r.runLoad(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, r.target.logged())
	}
	r.result.judge(s)
	return r.result, nil
}

// open opens the webhooks and prepares the program.
func (r *row) open(ctx context.Context, dir string) error {
	names := []string{tested}
	address := "127.0.0.1:0"
	switch {
	case r.url != "":
		address = r.receive
	case len(r.script) > 0:
		names = append(names, healthy)
	}
	urls := map[string]string{}
	for _, name := range names {
		receiver, err := rig.OpenReceiver(ctx, address, r.sent)
		if err != nil {
			return err
		}
		r.receivers[name], urls[name] = receiver, receiver.URL()
	}
	var err error
	r.target, err = r.newTarget(ctx, dir, r.scenario, urls)
	return err
}

func (r *row) close() error {
	var errs []error
	if r.target != nil {
		if r.target.process != nil {
			errs = append(errs, r.target.process.Kill())
		}
		errs = append(errs, r.target.close())
	}
	for _, receiver := range r.receivers {
		errs = append(errs, receiver.Close())
	}
	return errors.Join(errs...)
}

// runLoad posts, misbehaves and kills, and waits for the end.
func (r *row) runLoad(ctx context.Context) error {
	if err := r.target.start(ctx); err != nil {
		return err
	}
	idle, err := r.idle(ctx)
	if err != nil {
		return err
	}
	r.result.IdleMB = mb(idle)
	r.sampler = rig.Sample(ctx, r.target.pid, r.target.metrics)
	clock := startClock()
	r.began = time.Now()
	r.faultAt = r.began.Add(r.clean)
	r.post(ctx)
	r.result.Intake = perSecond(r.sent.Accepted(), time.Since(r.began))
	if r.restarted != nil {
		if err := <-r.restarted; err != nil {
			return err
		}
	}
	if r.reloads > 0 {
		if err := <-r.reloaded; err != nil {
			return err
		}
	}
	r.await(ctx)
	usage := r.sampler.Stop(ctx)
	r.measured(usage, clock)
	return r.after(ctx, idle)
}

// post runs the load with everything that happens meanwhile, and returns when all is posted and the
// script has come to its last step.
func (r *row) post(ctx context.Context) {
	var playing sync.WaitGroup
	playing.Go(func() {
		if err := r.receivers[tested].Play(ctx, r.script); err != nil {
			panic(err) // the port is taken: nothing that follows would mean anything
		}
	})
	load := rig.Load{URL: r.target.url, Posters: r.posters, Rate: r.rate, Shape: r.shape, To: r.n}
	if r.kill != 0 {
		r.restarted = make(chan error, 1)
		var once atomic.Bool
		load.Accepted = func(n int) {
			if n >= r.killAt && once.CompareAndSwap(false, true) {
				go func() { r.restarted <- r.restart(ctx) }()
			}
		}
	}
	if r.reloads > 0 {
		playing.Go(func() { r.reloaded <- r.reload(ctx) })
	}
	load.Run(ctx, r.sent)
	playing.Wait()
}

// restart ends the program by the signal of the row and starts it again.
func (r *row) restart(ctx context.Context) error {
	r.sampler.Look(ctx)
	if err := r.target.stop(r.kill); err != nil {
		return err
	}
	if err := r.target.start(ctx); err != nil {
		return err
	}
	r.result.ReadyMs = ms(time.Since(r.target.process.Began))
	r.sampler.Follow(r.target.pid)
	return nil
}

// await returns when every webhook has everything, or when nothing came for as long as patience is.
func (r *row) await(ctx context.Context) {
	for _, receiver := range r.receivers {
		has := func(c rig.Counts) int { return c.Distinct + c.Members }
		for {
			before := has(receiver.Counts())
			wait, cancel := context.WithTimeout(ctx, r.patience)
			all := receiver.Wait(wait.Done(), func(c rig.Counts) bool { return has(c) >= r.sent.Accepted() })
			cancel()
			if all || ctx.Err() != nil || has(receiver.Counts()) == before {
				break
			}
		}
	}
}

// measured writes down what was counted.
func (r *row) measured(usage rig.Usage, c clock) {
	c.fill(&r.result.Reference, usage.CPU)
	r.result.Accepted, r.result.Refused = r.sent.Accepted(), r.sent.Refused()
	r.result.PeakMB, r.result.Goroutines, r.result.FDs = mb(usage.Peak), usage.Goroutines, usage.FDs
	if n := r.result.Accepted; n > 0 {
		r.result.CPUMicros = round(float64(usage.CPU.Microseconds()) / float64(n))
	}
	last := r.began
	for _, name := range []string{tested, healthy} {
		receiver := r.receivers[name]
		if receiver == nil {
			continue
		}
		r.result.Sinks = append(r.result.Sinks, sinkOf(name, receiver.Tally, r.began, r.faultAt, r.grouping))
		if at := receiver.Counts().Last; at.After(last) {
			last = at
		}
	}
	if r.result.Reloads != nil {
		r.reloadsMeasured(r.receivers[tested].Tally)
	}
	r.result.Seconds = round(last.Sub(r.began).Seconds())
	r.result.StoreMB = mb(dirSize(r.target.dir))
}

// idle is the memory before the load.
func (r *row) idle(ctx context.Context) (int64, error) {
	if r.target.pid == 0 {
		return 0, nil
	}
	tick := time.NewTimer(time.Second)
	defer tick.Stop()
	select {
	case <-tick.C:
	case <-ctx.Done():
	}
	now, _, err := rig.RSS(r.target.pid)
	return now, err
}

// after looks at the memory once all is done: at once, or when it has gone back.
func (r *row) after(ctx context.Context, idle int64) error {
	if r.target.pid == 0 {
		return nil
	}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		now, _, err := rig.RSS(r.target.pid)
		if err != nil {
			return err
		}
		r.result.AfterMB, r.result.AfterS = mb(now), round(time.Since(began).Seconds())
		if !r.settle || now <= idle+mostGrowthMB<<20 || time.Since(began) > settleFor {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
