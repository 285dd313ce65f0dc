package app

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/pkg/sink"
)

// plan is a reload of which everything is done that can fail.
type plan struct {
	app     *App
	next    *config.Config
	rules   *rules
	changed []string
	renew   func() // the certificates of the listeners

	workers  []*worker // those in force then, by name
	added    []*worker
	replaced []replaced
	removed  []*worker
}

// replaced is a worker that goes on with something new.
type replaced struct {
	worker *worker
	by     deliver.Replacement
	before sink.Sink // to be closed; nil if it stays
}

// plan makes and opens what next has that is not there yet.
func (a *App) plan(ctx context.Context, next *config.Config) (_ *plan, err error) {
	p := &plan{app: a, next: next}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.undo())
		}
	}()
	if p.rules, err = a.newRules(a.intake.base, next); err != nil {
		return nil, server.Wrong(err)
	}
	if err := p.renewCertificates(ctx); err != nil {
		return nil, err
	}
	now := a.reloads.inForce.Load()
	p.note(!reflect.DeepEqual(now.Match, next.Match), "match")
	p.note(!reflect.DeepEqual(now.Grouping, next.Grouping), "grouping")
	p.note(now.DrainTimeout != next.DrainTimeout, "drain_timeout")
	p.note(now.Reload != next.Reload, "reload")
	// What opens by itself comes before what needs the log: mistakes are found before it is touched.
	var opened []*worker
	for _, name := range slices.Sorted(maps.Keys(next.Sinks)) {
		w, err := p.keep(ctx, next.Sinks[name], now)
		if err != nil {
			return nil, err
		}
		if w.Worker == nil {
			opened = append(opened, w)
		}
		p.workers = append(p.workers, w)
	}
	for _, w := range opened {
		made, err := a.newWorker(ctx, w.config, w.sink, w.memory, next)
		if err != nil {
			return nil, err
		}
		*w = *made
	}
	for _, w := range a.workers.all() {
		if _, stays := next.Sinks[w.name]; !stays {
			p.note(true, "sinks."+w.name)
			p.removed = append(p.removed, w)
		}
	}
	return p, nil
}

// renewCertificates reads those of the listeners that the daemon was started with. One that is another now, or
// none, needs a restart.
func (p *plan) renewCertificates(ctx context.Context) error {
	var changed []string
	var err error
	if !orEnd(ctx, func() { p.renew, changed, err = p.app.ports.Certificates.Renew(p.next.Listens) }) {
		return errStopping
	}
	if err != nil {
		return server.Wrong(err)
	}
	for _, address := range changed {
		p.note(true, "certificate of "+address)
	}
	return nil
}

func (p *plan) note(changed bool, what string) {
	if changed {
		p.changed = append(p.changed, what)
	}
}

// keep returns the worker of a sink as it will be, without a deliver.Worker if that is yet to be made.
func (p *plan) keep(ctx context.Context, c config.Sink, now *config.Config) (*worker, error) {
	before := p.app.workers.of(c.Name)
	if before != nil && before.config.SameDestination(c) {
		p.note(before.config.Policy != c.Policy, "sinks."+c.Name)
		after := *before
		after.config = c
		if before.config.Policy != c.Policy || now.Grouping != p.next.Grouping || p.app.deadRoom(now) != p.app.deadRoom(p.next) {
			p.replaced = append(p.replaced, replaced{&after, p.replacement(c, nil), nil})
		}
		return &after, nil
	}
	p.note(true, "sinks."+c.Name)
	memory := new(deliver.Memory)
	if before != nil {
		memory = before.memory
	}
	s, err := p.app.openOrEnd(ctx, c, memory)
	if err != nil {
		return nil, server.Wrong(err)
	}
	after := &worker{name: c.Name, kind: c.Type, config: c, sink: s, memory: memory}
	if before == nil {
		p.added = append(p.added, after)
		return after, nil
	}
	after.Worker = before.Worker
	p.replaced = append(p.replaced, replaced{after, p.replacement(c, s), before.sink})
	return after, nil
}

func (p *plan) replacement(c config.Sink, s sink.Sink) deliver.Replacement {
	return deliver.Replacement{Sink: s, Policy: c.Policy, When: c.When, Grouping: p.next.Grouping, DeadBytes: p.app.deadRoom(p.next)}
}

// undo closes what was opened for nothing.
func (p *plan) undo() error {
	opened := slices.Clone(p.added)
	for _, r := range p.replaced {
		if r.before != nil {
			opened = append(opened, r.worker)
		}
	}
	errs := []error{closeSinks(opened...)}
	for _, w := range p.added {
		if w.Worker != nil {
			p.app.delivery.Forget(w.name)
			errs = append(errs, p.app.closeCursor(w.name))
		}
	}
	return errors.Join(errs...)
}

// apply puts everything in place. What it returns closes as what was there before comes to its end: each
// delivery under way has until its timeout.
func (p *plan) apply(ctx context.Context, start func(func()), deliver func(*worker)) (ends []<-chan struct{}) {
	a := p.app
	after := func(released <-chan struct{}, do func()) {
		end := make(chan struct{})
		ends = append(ends, end)
		start(func() {
			defer close(end)
			<-released
			do()
		})
	}
	a.metrics.startRules(p.next.Match.Rules)
	a.intake.rules.Store(p.rules)
	p.renew()
	a.workers.set(p.workers)
	for _, w := range p.added {
		a.metrics.watchSink(w.name, w.Worker)
		deliver(w)
	}
	for _, r := range p.replaced {
		released, err := r.worker.Replace(context.WithoutCancel(ctx), r.by)
		if err != nil { // the worker has ended, and its sink is not used any more
			released = r.worker.Over()
		}
		after(released, func() { a.closeSink(r.worker.name, r.before) })
	}
	for _, w := range p.removed {
		_ = w.Leave(context.WithoutCancel(ctx)) // or it has left already
		after(w.Over(), func() {
			a.closeSink(w.name, w.sink)
			a.metrics.forgetSink(w.name)
			a.delivery.Forget(w.name)
			if err := a.closeCursor(w.name); err != nil {
				a.log.Error().Err(err).Str("sink", w.name).Msg("that the sink left the configuration could not be saved; it is forgotten a day after the next start")
			}
		})
	}
	return ends
}

func (a *App) closeSink(name string, s sink.Sink) {
	if s == nil {
		return
	}
	if err := closeSink(name, s); err != nil {
		a.log.Warn().Err(err).Msg("the sink that was there before did not close well")
	}
}

// closeCursor lets the place of a sink in the log be forgotten, in a day.
func (a *App) closeCursor(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return a.store.CloseCursor(ctx, name)
}
