package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/server"
)

// A reload reads the configuration again and takes over what a running daemon can: rules, sinks with
// their policies, grouping. It makes and opens everything that is new first. If one thing fails, all of it
// is undone and the last good configuration stays in force; else all of it is put in place, which can not
// fail. Sources, the log and the listeners keep what they were started with, but for renewed certificates;
// what of them differs is named.

// Reloaded is what a reload did.
type Reloaded struct {
	Outcome string   `json:"outcome"` // applied, or unchanged
	File    string   `json:"file"`    // empty without one
	Hash    string   `json:"hash"`    // of the configuration in force: see config.Config
	Changed []string `json:"changed"` // what was taken over
	Restart []string `json:"restart"` // what differs from what the daemon was started with, and needs a restart
}

// The outcomes of a reload.
const (
	reloadApplied   = "applied"
	reloadUnchanged = "unchanged"
	reloadRejected  = "rejected"
)

// ConfigurationStatus is which configuration is in force, and how the last reload went.
type ConfigurationStatus struct {
	File    string    `json:"file"` // empty without one
	Hash    string    `json:"hash"`
	Loaded  time.Time `json:"loaded"` // when it came into force
	Restart []string  `json:"restart"`
	// At is when it was read again the last time; zero for never. Outcome is applied, unchanged or rejected.
	At      time.Time `json:"last_reload"`
	Outcome string    `json:"last_reload_outcome"`
	Error   string    `json:"last_reload_error"` // why it was rejected
}

// reloads are the reloads of a daemon. One is under way at a time.
type reloads struct {
	asked   chan reloadRequest
	over    chan struct{} // closed when there are no more
	inForce atomic.Pointer[config.Config]
	read    *config.Config // the last time, by the goroutine of the reloads; nil if it could not be

	mu   sync.Mutex
	last ConfigurationStatus

	success prometheus.Gauge
	at      prometheus.Gauge
	total   *prometheus.CounterVec
	info    *prometheus.GaugeVec
}

type reloadRequest struct {
	why    string
	answer chan<- reloadAnswer // has room
}

type reloadAnswer struct {
	did Reloaded
	err error
}

func (r *reloads) begin(c *config.Config, reg prometheus.Registerer) {
	r.asked, r.over = make(chan reloadRequest), make(chan struct{})
	r.success = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "filelessd_config_last_reload_successful", Help: "0 while the configuration that was read last was rejected, and the one before is in force.",
	})
	r.at = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "filelessd_config_last_reload_success_timestamp_seconds", Help: "When a configuration was read last that was not rejected.",
	})
	r.total = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "filelessd_config_reloads_total", Help: "Reloads by outcome: applied, unchanged, rejected.",
	}, []string{"outcome"})
	r.info = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "filelessd_config_info", Help: "Always 1, with the hash of the file of the configuration in force.",
	}, []string{"hash"})
	reg.MustRegister(r.success, r.at, r.total, r.info)
	for _, outcome := range []string{reloadApplied, reloadUnchanged, reloadRejected} {
		r.total.WithLabelValues(outcome)
	}
	r.setInForce(c, nil)
	r.success.Set(1)
	r.at.SetToCurrentTime()
}

func (r *reloads) setInForce(c *config.Config, restart []string) {
	before := r.inForce.Swap(c)
	r.info.WithLabelValues(c.Hash()).Set(1)
	if before != nil && before.Hash() != c.Hash() { // a scrape never finds none
		r.info.DeleteLabelValues(before.Hash())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last.File, r.last.Hash, r.last.Loaded, r.last.Restart = c.File(), c.Hash(), time.Now(), notNil(restart)
}

func (r *reloads) status() ConfigurationStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// ended takes note of how a reload went.
func (r *reloads) ended(outcome string, err error) {
	r.total.WithLabelValues(outcome).Inc()
	if err == nil {
		r.success.Set(1)
		r.at.SetToCurrentTime()
	} else {
		r.success.Set(0)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last.At, r.last.Outcome, r.last.Error = time.Now(), outcome, ""
	if err != nil {
		r.last.Error = err.Error()
	}
}

// Reload reads the configuration again, and returns when it is in force, or else why it is not. why says
// who asked.
func (a *App) Reload(ctx context.Context, why string) (Reloaded, error) {
	answer := make(chan reloadAnswer, 1)
	select {
	case a.reloads.asked <- reloadRequest{why, answer}:
	case <-a.reloads.over:
		return Reloaded{}, errStopping
	case <-ctx.Done():
		return Reloaded{}, ctx.Err()
	}
	over := a.reloads.over
	for {
		select {
		case got := <-answer:
			return got.did, got.err
		case <-over:
			if over = nil; len(answer) == 0 {
				return Reloaded{}, errStopping
			}
		case <-ctx.Done():
			return Reloaded{}, ctx.Err()
		}
	}
}

// runReloads does the reloads that are asked for, by whomever, until ctx ends. start runs something that
// ends with delivery.
func (a *App) runReloads(ctx context.Context, start func(func()), deliver func(*worker)) {
	defer close(a.reloads.over)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var watch *fileWatch
	if !orEnd(ctx, func() { watch = a.newFileWatch(time.Now()) }) {
		return
	}
	for {
		why, answer := "SIGHUP", chan<- reloadAnswer(nil)
		select {
		case <-ctx.Done():
			return
		case <-a.options.Hangup:
		case r := <-a.reloads.asked:
			why, answer = r.why, r.answer
		case now := <-look.C:
			wants := false
			if !orEnd(ctx, func() { wants = watch.wants(now) }) {
				return
			}
			if !wants {
				continue
			}
			why = "the files changed"
		}
		if !orEnd(ctx, func() { watch.reading(time.Now()) }) {
			return
		}
		did, err := a.reload(ctx, why, start, deliver)
		if answer != nil {
			answer <- reloadAnswer{did, err}
		}
		if !orEnd(ctx, func() { watch.read(a.reloads.inForce.Load(), a.reloads.read, err) }) {
			return
		}
	}
}

func (a *App) reload(ctx context.Context, why string, start func(func()), deliver func(*worker)) (Reloaded, error) {
	notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer notify(daemon.SdNotifyReady)
	did, err := a.tryReload(ctx, start, deliver)
	switch {
	case errors.Is(err, errStopping): // and not the configuration is at fault
		a.log.Info().Str("why", why).Msg("a stop came before the configuration was read again")
		return did, err
	case err != nil:
		did.Outcome = reloadRejected
		a.log.Error().Err(err).Str("why", why).Str("in_force", a.reloads.inForce.Load().Hash()).
			Msg("the configuration was read again and rejected; the last good one stays in force")
	case did.Outcome == reloadApplied:
		a.log.Info().Str("why", why).Str("file", did.File).Str("hash", did.Hash).Strs("changed", did.Changed).
			Msg("the configuration was read again and is in force")
	default:
		a.log.Info().Str("why", why).Str("hash", did.Hash).Msg("the configuration was read again and says nothing new")
	}
	if len(did.Restart) > 0 {
		a.log.Warn().Strs("keys", did.Restart).Msg("what the configuration says of these needs a restart; until then they are as they were")
	}
	a.reloads.ended(did.Outcome, err)
	return did, err
}

func (a *App) tryReload(ctx context.Context, start func(func()), deliver func(*worker)) (Reloaded, error) {
	if a.options.Load == nil {
		return Reloaded{}, server.Wrongf("this daemon was started without a configuration that could be read again")
	}
	a.reloads.read = nil
	var next *config.Config
	var err error
	if !orEnd(ctx, func() { next, err = a.options.Load() }) {
		return Reloaded{}, errStopping
	}
	if err != nil {
		return Reloaded{}, server.Wrong(err)
	}
	a.reloads.read = next
	for _, w := range next.Warnings {
		a.log.Warn().Msg(w)
	}
	p, err := a.plan(ctx, next)
	if err != nil {
		return Reloaded{}, err
	}
	did := Reloaded{
		Outcome: reloadUnchanged, File: next.File(), Hash: next.Hash(),
		Changed: notNil(p.changed), Restart: notNil(a.config.NeedsRestart(next)),
	}
	if len(p.changed) > 0 {
		did.Outcome = reloadApplied
	}
	released := p.apply(ctx, start, deliver)
	a.reloads.setInForce(next, did.Restart)
	for _, end := range released {
		select {
		case <-end:
		case <-ctx.Done(): // they end all the same
		}
	}
	return did, nil
}
