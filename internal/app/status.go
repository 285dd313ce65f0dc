package app

import (
	"context"
	"os"
	"time"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
)

// problems are what keeps the daemon from taking alerts. That a listener is down ends the daemon, so
// what remains is the time in which it stops, and the log.
func (a *App) problems() []string {
	if a.stopping.Load() {
		return []string{"stopping: no more alerts are taken"}
	}
	if err := a.store.Err(); err != nil {
		return []string{"the store can not append: " + err.Error()}
	}
	return nil
}

// summary is the state of each part in a word.
func (a *App) summary() any {
	parts := map[string]string{}
	for _, s := range a.sources {
		parts["source "+s.name] = s.Status().State
	}
	for _, w := range a.workers.all() {
		parts["sink "+w.name] = "ok"
		if w.Status().BreakerOpen {
			parts["sink "+w.name] = "down"
		}
	}
	return parts
}

// Status is how the daemon is doing: the body of /statusz, and what `filelessd status` shows.
type Status struct {
	Version  string                  `json:"version"`
	Process  int                     `json:"process"`
	Began    time.Time               `json:"began"`
	Ready    bool                    `json:"ready"`
	Problems []string                `json:"problems"` // why it is not
	Sources  map[string]SourceStatus `json:"sources"`
	Sinks    map[string]SinkStatus   `json:"sinks"`
	Store    store.Stats             `json:"store"`
	// Configuration is which one is in force.
	Configuration ConfigurationStatus `json:"configuration"`
}

// SourceStatus is how a source is doing.
type SourceStatus struct {
	Type string `json:"type"`
	source.Status
}

// SinkStatus is how a sink is doing.
type SinkStatus struct {
	Type string `json:"type"`
	deliver.Status
}

func (a *App) status(ctx context.Context) any {
	problems := a.problems()
	s := Status{
		Version: a.options.Version, Process: os.Getpid(), Began: a.began, Ready: len(problems) == 0,
		Problems: append([]string{}, problems...), Sources: map[string]SourceStatus{}, Sinks: map[string]SinkStatus{},
		Configuration: a.reloads.status(),
	}
	for _, source := range a.sources {
		s.Sources[source.name] = SourceStatus{source.kind, source.Status()}
	}
	for _, w := range a.workers.all() {
		s.Sinks[w.name] = SinkStatus{w.kind, w.Status()}
	}
	if stats, err := a.store.Stats(ctx); err == nil {
		s.Store = stats
	}
	return s
}
