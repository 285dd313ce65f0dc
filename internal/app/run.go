package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/filelessd/filelessd/pkg/event"
)

// Run takes and delivers alerts until ctx ends or a part that is needed fails, then stops: sources
// first, then delivery, until its end or for drain_timeout, then everything else.
func (a *App) Run(ctx context.Context) error {
	failed := make(chan error, len(a.sources)+4)
	serverCtx, stopServer := context.WithCancel(context.Background())
	server := a.runServers(serverCtx, failed)
	workerCtx, cutDelivery := context.WithCancel(context.Background())
	drain := make(chan struct{})
	reloadCtx, stopReloads := context.WithCancel(ctx)
	delivery := a.runWorkers(workerCtx, reloadCtx, drain)
	sourceCtx, stopSources := context.WithCancel(context.Background())
	intake := a.runSources(sourceCtx, failed)
	a.log.Info().Str("version", a.options.Version).Int("sources", len(a.sources)).Int("sinks", len(a.workers.all())).Msg("ready")
	notify(daemon.SdNotifyReady)
	stopTelling := a.tellSystemd()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		a.log.Error().Err(err).Msg("a part failed; stopping")
	}

	stopTelling()
	stopReloads()
	<-a.reloads.over // a reload that was under way has said READY=1
	// The rest of the time is for closing: the whole stop keeps to drain_timeout.
	total := a.reloads.inForce.Load().DrainTimeout
	notify(stoppingFor(total))
	deadline := time.Now().Add(total - min(total/10, 500*time.Millisecond))
	a.log.Info().Stringer("drain_timeout", total).Msg("stopping")
	a.stopping.Store(true)
	stopSources()
	waitUntil(intake, deadline)
	close(drain)
	readers := a.drainReports()
	if !waitUntil(delivery, deadline) {
		a.log.Warn().Interface("backlog", a.backlog()).Msg("drain_timeout is over; the rest is delivered after the next start")
	}
	cutDelivery()
	<-delivery
	if grace := time.Now().Add(readersGrace); deadline.After(grace) {
		deadline = grace
	}
	waitUntil(readers, deadline)
	err = errors.Join(err, a.cleanup())
	<-readers
	<-intake
	stopServer()
	<-server
	a.log.Info().Msg("stopped")
	return err
}

// readersGrace is how long those who read reports over gRPC get behind the sinks. They can go on where
// they were after the next start.
const readersGrace = time.Second

// drainReports has the report service send what the log holds, and end.
func (a *App) drainReports() <-chan struct{} {
	return group(func(run func(func())) {
		if a.reports != nil {
			run(a.reports.Drain)
		}
	})
}

// runServers runs what shows and takes commands. The control socket and the report service are closed
// by cleanup, before the log is; the plain server shows how the rest of the stop goes.
func (a *App) runServers(ctx context.Context, failed chan<- error) <-chan struct{} {
	return group(func(run func(func())) {
		run(func() {
			if err := a.control.Run(ctx); err != nil {
				failed <- fmt.Errorf("control socket: %w", err)
			}
		})
		if a.reports != nil {
			run(func() {
				if err := a.reports.Run(); err != nil {
					failed <- fmt.Errorf("grpc: %w", err)
				}
			})
		}
		if a.pprof != nil {
			run(func() {
				if err := a.pprof.Run(ctx); err != nil {
					failed <- fmt.Errorf("pprof: %w", err)
				}
			})
		}
		if a.server == nil {
			return
		}
		run(func() {
			if err := a.server.Run(ctx); err != nil {
				failed <- fmt.Errorf("http: %w", err)
			}
		})
	})
}

func (a *App) runSources(ctx context.Context, failed chan<- error) <-chan struct{} {
	return group(func(run func(func())) {
		for _, s := range a.sources {
			counters := a.metrics.ofSource(s.name)
			run(func() { s.watch.Run(ctx) })
			run(func() {
				err := s.Run(ctx, s.watch.Handle(func(ctx context.Context, events []event.Event) error {
					return a.intake.handle(ctx, counters, events)
				}))
				if err != nil {
					failed <- fmt.Errorf("source %s: %w", s.name, err)
				}
			})
		}
	})
}

// runWorkers runs delivery, and the reloads that can change it, until reloadCtx ends.
func (a *App) runWorkers(ctx, reloadCtx context.Context, drain <-chan struct{}) <-chan struct{} {
	return group(func(run func(func())) {
		deliver := func(w *worker) {
			run(func() {
				if err := w.Run(ctx, drain); err != nil {
					a.log.Error().Err(err).Str("sink", w.name).Msg("how far the sink is could not be saved; some reports will be repeated")
				}
			})
		}
		for _, w := range a.workers.all() {
			deliver(w)
		}
		run(func() { a.runReloads(reloadCtx, run, deliver) })
	})
}

func (a *App) backlog() map[string]uint64 {
	all := map[string]uint64{}
	for _, w := range a.workers.all() {
		if n := w.Status().Backlog; n > 0 {
			all[w.name] = n
		}
	}
	return all
}

// group runs functions on their own goroutines and returns a channel that closes when all ended.
func group(start func(run func(func()))) <-chan struct{} {
	var wg sync.WaitGroup
	start(wg.Go)
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	return ended
}

// waitUntil reports whether ended closed before the deadline.
func waitUntil(ended <-chan struct{}, deadline time.Time) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

// notify tells systemd, if it started the program.
func notify(state string) {
	// Without systemd there is nobody to tell, and an error has no reader.
	_, _ = daemon.SdNotify(false, state)
}
