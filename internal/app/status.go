package app

import (
	"context"
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
	for _, w := range a.workers {
		parts["sink "+w.name] = "ok"
		if w.Status().BreakerOpen {
			parts["sink "+w.name] = "down"
		}
	}
	return parts
}

// status is the body of /statusz.
func (a *App) status(ctx context.Context) any {
	type sourceStatus struct {
		Type string `json:"type"`
		source.Status
	}
	type sinkStatus struct {
		Type string `json:"type"`
		deliver.Status
	}
	body := struct {
		Version string                  `json:"version"`
		Began   time.Time               `json:"began"`
		Sources map[string]sourceStatus `json:"sources"`
		Sinks   map[string]sinkStatus   `json:"sinks"`
		Store   store.Stats             `json:"store"`
	}{a.options.Version, a.began, map[string]sourceStatus{}, map[string]sinkStatus{}, store.Stats{}}
	for _, s := range a.sources {
		body.Sources[s.name] = sourceStatus{s.kind, s.Status()}
	}
	for _, w := range a.workers {
		body.Sinks[w.name] = sinkStatus{w.kind, w.Status()}
	}
	if stats, err := a.store.Stats(ctx); err == nil {
		body.Store = stats
	}
	return body
}
