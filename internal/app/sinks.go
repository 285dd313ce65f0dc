package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/sink"
)

// worker is a sink with what delivers to it. It does not change: a reload puts another in its place,
// which can have the same *deliver.Worker.
type worker struct {
	name, kind string
	config     config.Sink
	sink       sink.Sink
	memory     *deliver.Memory
	*deliver.Worker
}

// workers are those of the sinks that reports go to now, by name.
type workers struct {
	mu   sync.Mutex
	list []*worker // never changed in place
}

func (s *workers) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (s *workers) set(list []*worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
}

// of returns the worker of a sink, nil if there is none.
func (s *workers) of(sink string) *worker {
	for _, w := range s.all() {
		if w.name == sink {
			return w
		}
	}
	return nil
}

// close closes the sinks, whose workers have ended.
func (s *workers) close() error {
	var errs []error
	for _, w := range slices.Backward(s.all()) {
		if err := w.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("sink %s: %w", w.name, err))
		}
	}
	return errors.Join(errs...)
}

// openSink opens what reports of c go to, and nothing else.
func (a *App) openSink(ctx context.Context, c config.Sink, memory *deliver.Memory) (sink.Sink, error) {
	s, err := c.Kind.Open(ctx, c.Config, sink.Env{
		Name: c.Name, Version: a.options.Version, Render: render.Render, Stdout: a.options.Stdout, State: memory,
	})
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	return s, nil
}

// newWorker makes what delivers to s by conf, which is where c is from. The sink's cursor is open then.
func (a *App) newWorker(ctx context.Context, c config.Sink, s sink.Sink, memory *deliver.Memory, conf *config.Config) (*worker, error) {
	w, err := deliver.New(ctx, deliver.Options{
		Name: c.Name, Sink: s, Policy: c.Policy, When: c.When, Log: a.store, State: a.store, Metrics: a.delivery,
		Grouping: conf.Grouping, Silences: a.silences, Version: a.options.Version, Memory: memory,
		Expand:    a.expand,
		Logger:    a.log.With().Str("sink", c.Name).Logger(),
		DeadBytes: a.deadRoom(conf),
		Dropped:   a.metrics.lost.WithLabelValues("dead_letters").Inc,
	})
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	return &worker{c.Name, c.Type, c, s, memory, w}, nil
}

// deadRoom is the room of the dead letters of each sink of conf. All sinks together take no more than a
// sixteenth of the log's, which is there for reports, and has its room from the start on.
func (a *App) deadRoom(conf *config.Config) int {
	return int(min(32<<20, int64(a.config.Store.MaxBytes)/16/int64(len(conf.Sinks))))
}
