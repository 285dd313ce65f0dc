package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

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
func (s *workers) close() error { return closeSinks(s.all()...) }

// closeBound is how long a sink may take to close.
const closeBound = 2 * time.Second

// closeSink closes a sink. One that does not come to its end, such as a file on a disk that does not answer, is
// left to itself: neither the next reload nor a stop waits for it.
func closeSink(name string, s sink.Sink) (err error) {
	ended := make(chan error, 1)
	go func() { ended <- s.Close() }()
	over := time.NewTimer(closeBound)
	defer over.Stop()
	select {
	case err = <-ended:
	case <-over.C:
		err = fmt.Errorf("not closed within %s, and left to itself", closeBound)
	}
	if err != nil {
		return fmt.Errorf("sink %s: %w", name, err)
	}
	return nil
}

// closeSinks closes the sinks of these workers at the same time.
func closeSinks(all ...*worker) error {
	errs := make([]error, len(all))
	var closing sync.WaitGroup
	for i, w := range all {
		closing.Go(func() { errs[i] = closeSink(w.name, w.sink) })
	}
	closing.Wait()
	return errors.Join(errs...)
}

// openSink opens what reports of c go to, and nothing else.
func (a *App) openSink(ctx context.Context, c config.Sink, memory *deliver.Memory) (sink.Sink, error) {
	s, err := c.Kind.Open(ctx, c.Config, sink.Env{
		Name: c.Name, Version: a.options.Version, Render: render.Render, Stdout: a.options.Stdout, State: memory,
	})
	if err != nil {
		// Sinks leave their secrets out. They may still be written by others, and this goes to the log, to
		// whoever asked for a reload, and to those who may see the status.
		return nil, fmt.Errorf("sink %s: %w", c.Name, sink.Hide(err, secretsIn(reflect.ValueOf(c.Config))...))
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
