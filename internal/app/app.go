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
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// Options is what the program around the daemon gives it.
type Options struct {
	Config  *config.Config
	Version string
	Stdout  io.Writer // of sinks that write there
	Log     zerolog.Logger
	// Load reads the configuration again; nil if that is not to be had.
	Load func() (*config.Config, error)
	// Hangup asks for that; nil for nobody.
	Hangup  <-chan os.Signal
	Sockets *listen.Sockets // that systemd has passed; nil for none
}

// App is a daemon that is built and not yet run, or running.
type App struct {
	options  Options
	config   *config.Config // of the start
	log      zerolog.Logger
	began    time.Time
	ports    listen.Ports
	registry *prometheus.Registry
	metrics  *metrics

	store    *store.Log
	intake   *intake
	silences *deliver.Silences
	delivery *deliver.Metrics
	workers  workers
	reloads  reloads
	sources  []*runningSource
	server   *server.Server
	reports  *server.Reports // nil if nothing is to listen
	pprof    *server.Pprof   // the same
	control  *server.Control

	stopping atomic.Bool // sources take nothing any more

	cleanups []cleanup
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
	a.ports = listen.Ports{Sockets: o.Sockets, Certificates: new(listen.Certificates)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup())
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.metrics = newMetrics(a.registry, o.Version)
	a.reloads.begin(a.config, a.registry)
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
	a.delivery = deliver.NewMetrics(a.registry)
	if err := a.openSinks(ctx); err != nil {
		return nil, err
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
	a.warnUnused()
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
	rules, err := a.newRules(base, a.config)
	if err != nil {
		return err
	}
	a.intake = newIntake(base, rules, a.store, a.metrics, a.log)
	a.metrics.startTechniques(base)
	return nil
}

// expand puts back what intake left out of the log, and adds what to do.
func (a *App) expand(r *report.Report) *report.Report { return a.desk().expand(r) }

// openSinks opens the sinks and their places in the log.
func (a *App) openSinks(ctx context.Context) error {
	a.onStop("the sinks", a.workers.close)
	for _, name := range slices.Sorted(maps.Keys(a.config.Sinks)) {
		c, memory := a.config.Sinks[name], new(deliver.Memory)
		s, err := a.openSink(ctx, c, memory)
		if err != nil {
			return err
		}
		w, err := a.newWorker(ctx, c, s, memory, a.config)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		a.workers.set(append(a.workers.all(), w))
		a.metrics.watchSink(name, w.Worker)
	}
	return nil
}

func (a *App) openSource(ctx context.Context, c config.Source, stamp func() time.Time) error {
	a.metrics.startSource(c.Name)
	env := source.Env{
		Name: c.Name, Log: a.log.With().Str("source", c.Name).Logger(), Stamp: stamp,
		Rejected: func(reason string) { a.metrics.rejected.WithLabelValues(c.Name, reason).Inc() },
		Offsets:  offsets{a.store, ownerOf(c.Name)},
		Ports:    a.ports,
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
