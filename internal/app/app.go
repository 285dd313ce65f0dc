// Package app wires the daemon: it builds every part in the order of their dependencies, runs them,
// and stops them in the direction of the data.
//
// The way of an alert: a source hands a batch to intake; intake matches, analyses and appends; a
// worker a sink reads the log and delivers.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Options is what the program around the daemon gives it.
type Options struct {
	Config  *config.Config
	Version string
	Stdout  io.Writer // of sinks that write there
	Log     zerolog.Logger
}

// App is a daemon that is built and not yet run, or running.
type App struct {
	options  Options
	config   *config.Config
	log      zerolog.Logger
	began    time.Time
	registry *prometheus.Registry
	metrics  *metrics

	store    *store.Log
	intake   *intake
	silences *deliver.Silences
	workers  []*worker
	sources  []*runningSource
	server   *server.Server
	reports  *server.Reports // nil if nothing is to listen
	pprof    *server.Pprof   // the same
	control  *server.Control

	stopping atomic.Bool // sources take nothing any more

	cleanups []cleanup
}

type worker struct {
	name, kind string
	*deliver.Worker
}

type runningSource struct {
	name, kind string
	source.Source
	watch *source.Watch
}

type cleanup struct {
	name string
	f    func() error
}

// New builds everything: the log is open and locked, sinks are open, ports are bound. What fails
// undoes what was built before it.
func New(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{options: o, config: o.Config, log: o.Log, began: time.Now(), registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup())
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.metrics = newMetrics(a.registry, o.Version)
	a.metrics.startRules(o.Config.Match.Rules)

	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	if err := a.newIntake(); err != nil {
		return nil, err
	}
	if err := a.openSilences(ctx); err != nil {
		return nil, err
	}
	delivery := deliver.NewMetrics(a.registry)
	for _, name := range slices.Sorted(maps.Keys(a.config.Sinks)) {
		if err := a.openSink(ctx, a.config.Sinks[name], delivery); err != nil {
			return nil, fmt.Errorf("sink %s: %w", name, err)
		}
	}
	stamp := source.NewStamp()
	for _, name := range slices.Sorted(maps.Keys(a.config.Sources)) {
		if err := a.openSource(ctx, a.config.Sources[name], stamp); err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
	}
	a.metrics.watchReady(a.problems)
	// The last to be built: it closes last too, and on its own.
	if err := a.openServer(ctx); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	if err := a.openReports(ctx); err != nil {
		return nil, fmt.Errorf("grpc: %w", err)
	}
	if err := a.openPprof(ctx); err != nil {
		return nil, fmt.Errorf("pprof: %w", err)
	}
	if err := a.openControl(ctx); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return a, nil
}

// onStop pushes what undoes a step; cleanup calls them in reverse.
func (a *App) onStop(name string, f func() error) {
	a.cleanups = append(a.cleanups, cleanup{name, f})
}

func (a *App) cleanup() error {
	var errs []error
	for _, c := range slices.Backward(a.cleanups) {
		if err := c.f(); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", c.name, err))
		}
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

func (a *App) openStore(ctx context.Context) error {
	opened := make(chan struct{}) // a loss that was not told yet comes before Open returns
	log, err := store.Open(ctx, a.config.DataDir, a.config.Store,
		store.OnLoss(func(l store.Loss) error {
			<-opened
			return a.lost(l)
		}),
		store.OnDamage(a.damaged), store.OnForget(a.forgot))
	if err != nil {
		return err
	}
	a.store = log
	a.metrics.watchStore(log, a.config.Store.MaxBytes)
	close(opened)
	a.onStop("the store", log.Close)
	return nil
}

func (a *App) newIntake() error {
	base, err := knowledge.Load()
	if err != nil {
		return err
	}
	set, err := match.New(base, a.config.Match, func(rule string, err error) {
		a.metrics.ruleErrors.WithLabelValues(rule).Inc()
		a.log.Warn().Err(err).Str("rule", rule).Msg("a rule of match.rules failed on an alert, which counts as not matching")
	})
	if err != nil {
		return err
	}
	analyzer, err := analyze.New(base, a.config.Match, a.options.Version)
	if err != nil {
		return err
	}
	a.intake = &intake{base: base, set: set, analyzer: analyzer, store: a.store, metrics: a.metrics, log: a.log}
	a.metrics.startTechniques(base)
	return nil
}

// expand puts back what intake left out of the log, and adds what to do.
func (a *App) expand(r *report.Report) *report.Report { return a.desk().expand(r) }

func (a *App) openSink(ctx context.Context, c config.Sink, m *deliver.Metrics) error {
	memory := new(deliver.Memory)
	s, err := c.Kind.Open(ctx, c.Config, sink.Env{
		Name: c.Name, Version: a.options.Version, Render: render.Render, Stdout: a.options.Stdout, State: memory,
	})
	if err != nil {
		return err
	}
	a.onStop("sink "+c.Name, s.Close)
	w, err := deliver.New(ctx, deliver.Options{
		Name: c.Name, Sink: s, Policy: c.Policy, When: c.When, Log: a.store, State: a.store, Metrics: m,
		Grouping: a.config.Grouping, Silences: a.silences, Version: a.options.Version, Memory: memory,
		Expand:    a.expand,
		Logger:    a.log.With().Str("sink", c.Name).Logger(),
		DeadBytes: deadRoom(int64(a.config.Store.MaxBytes), len(a.config.Sinks)),
		Dropped:   a.metrics.lost.WithLabelValues("dead_letters").Inc,
	})
	if err != nil {
		return err
	}
	a.workers = append(a.workers, &worker{c.Name, c.Type, w})
	a.metrics.watchSink(c.Name, w)
	return nil
}

// deadRoom is the room of a sink's dead letters. All sinks together take no more than a sixteenth of
// the log's, which is there for reports.
func deadRoom(maxBytes int64, sinks int) int {
	return int(min(32<<20, maxBytes/16/int64(sinks)))
}

func (a *App) openSource(ctx context.Context, c config.Source, stamp func() time.Time) error {
	a.metrics.startSource(c.Name)
	env := source.Env{
		Name: c.Name, Log: a.log.With().Str("source", c.Name).Logger(), Stamp: stamp,
		Rejected: func(reason string) { a.metrics.rejected.WithLabelValues(c.Name, reason).Inc() },
		Offsets:  offsets{a.store, ownerOf(c.Name)},
	}
	s, err := open(ctx, c, env)
	if err != nil {
		return err
	}
	if closer, ok := s.(io.Closer); ok {
		a.onStop("source "+c.Name, ignoreClosed(closer.Close))
	}
	watch, err := a.watchSource(ctx, c, s)
	if err != nil {
		return err
	}
	a.sources = append(a.sources, &runningSource{c.Name, c.Type, s, watch})
	a.metrics.watchSource(c.Name, s)
	return nil
}

// open is the one list of the types of sources.
func open(ctx context.Context, c config.Source, env source.Env) (source.Source, error) {
	switch {
	case c.GRPC != nil:
		return source.OpenGRPC(*c.GRPC, env)
	case c.HTTP != nil:
		return source.OpenHTTP(ctx, *c.HTTP, env)
	case c.File != nil:
		return source.OpenFile(*c.File, env)
	default:
		return nil, fmt.Errorf("unknown type %q", c.Type)
	}
}

// ignoreClosed is for what a run has closed already.
func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// offsets keeps a source's offsets in the store.
type offsets struct {
	store *store.Log
	owner string
}

const kindOffset = "offset"

func (o offsets) LoadOffset(ctx context.Context, key string) ([]byte, error) {
	state, err := o.store.LoadState(ctx, o.owner)
	if err != nil {
		return nil, err
	}
	for _, c := range state {
		if c.Kind == kindOffset && c.Key == key {
			return c.Body, nil
		}
	}
	return nil, nil
}

func (o offsets) SaveOffset(ctx context.Context, key string, offset []byte) error {
	return o.store.SaveState(ctx, o.owner, store.Change{Kind: kindOffset, Key: key, Body: offset})
}
