package source

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// Reasons for which a Falco counts as quiet.
const (
	Unreachable = "unreachable" // it does not answer
	Silent      = "silent"      // nothing comes from it
	Restarted   = "restarted"   // it was gone for a moment, and is another process now
)

// QuietRules say what is told of a Falco that is quiet. Zero is never.
type QuietRules struct {
	After, Unreachable time.Duration
	Restarts           bool
}

// Absence is a time in which nobody watched, as far as can be told from here.
type Absence struct {
	Reason string
	Since  time.Time
	Until  time.Time // zero while it lasts; a restart is over when it is told
	Hosts  []string  // of Restarted, where Falco's own metrics said so
	Times  int       // how often Falco restarted
	Status Status    // of the source
}

const (
	// lookEverySecond is how often a Watch looks.
	lookEverySecond = time.Second
	// restartPause is how long restarts are gathered after one was told: a Falco that crashes at
	// every start is one story.
	restartPause = 10 * time.Minute
	// mostHosts bounds the hosts whose Falco is remembered, and those that are named.
	mostHosts      = 10000
	mostHostsNamed = 10
	// longestHost bounds what is remembered of a host's name. A name of a host has at most 253 bytes.
	longestHost = 256
	// mostAhead is how far the clock of a host may be ahead of the one here.
	mostAhead = time.Hour
)

// Watch tells when the Falco behind a source goes quiet, and when it is back.
type Watch struct {
	source Source
	rules  QuietRules
	tell   func(context.Context, Absence) error

	began time.Time
	told  time.Time // when restarts last were

	mu       sync.Mutex           // for what Handle sees too
	lasting  map[string]time.Time // what was told and is not over, by its reason: since when
	process  int                  // of Falco, as last seen
	starts   map[string]int64     // of Falco's process, by host, as its metrics say
	restarts Absence              // to be told
	seen     time.Time            // when another process was last met on the socket
}

// NewWatch makes a watch of s. What tell could not take is told again a second later.
func NewWatch(s Source, rules QuietRules, tell func(context.Context, Absence) error) *Watch {
	return &Watch{
		source: s, rules: rules, tell: tell, lasting: map[string]time.Time{}, starts: map[string]int64{},
	}
}

// Resume has the watch know what was told and is not over: by an earlier one, before this one runs.
func (w *Watch) Resume(reason string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lasting[reason] = since
}

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	w.began = time.Now()
	tick := time.NewTicker(lookEverySecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (w *Watch) look(ctx context.Context) {
	now, s := time.Now(), w.source.Status()
	away := s.State == "connecting"
	w.meet(s.Process, now)
	w.follow(ctx, Unreachable, away && w.over(now, s.Since, w.rules.Unreachable), !away, Absence{Since: s.Since, Until: s.Since, Status: s})

	last := s.LastAlert
	if last.Before(w.began) {
		last = w.began
	}
	w.follow(ctx, Silent, !away && w.over(now, last, w.rules.After), s.LastAlert.After(w.since(Silent)),
		Absence{Since: last, Until: s.LastAlert, Status: s})
	w.tellRestarts(ctx, now, s)
}

func (w *Watch) over(now, since time.Time, bound time.Duration) bool {
	return bound > 0 && now.Sub(since) >= bound
}

// follow tells that a time of quiet began, or that it is over.
func (w *Watch) follow(ctx context.Context, reason string, quiet, back bool, q Absence) {
	q.Reason = reason
	since := w.since(reason)
	switch {
	case since.IsZero() && quiet:
		if q.Until = (time.Time{}); w.tell(ctx, q) == nil {
			w.Resume(reason, q.Since)
		}
	case !since.IsZero() && back:
		if q.Since = since; w.tell(ctx, q) == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.lasting, reason)
		}
	}
}

func (w *Watch) since(reason string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lasting[reason]
}

// meet notes which process Falco is: another one than before is a restart, unless it was told already
// that the one before is away.
func (w *Watch) meet(process int, now time.Time) {
	if process == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != 0 && w.process != process && w.lasting[Unreachable].IsZero() {
		w.seen = now
		w.restarted(now, "")
	}
	w.process = process
}

func (w *Watch) restarted(at time.Time, host string) {
	if w.restarts.Times++; w.restarts.Times == 1 {
		w.restarts.Since = at
	}
	w.restarts.Until = at
	if host != "" && len(w.restarts.Hosts) < mostHostsNamed {
		w.restarts.Hosts = append(w.restarts.Hosts, host)
	}
}

func (w *Watch) tellRestarts(ctx context.Context, now time.Time, s Status) {
	w.mu.Lock()
	q := w.restarts
	w.mu.Unlock()
	if q.Times == 0 || !w.told.IsZero() && now.Sub(w.told) < restartPause {
		return
	}
	q.Reason, q.Status = Restarted, s
	if w.rules.Restarts && w.tell(ctx, q) != nil {
		return
	}
	w.told = now
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.restarts.Times == q.Times {
		w.restarts = Absence{}
		return
	}
	// More came meanwhile.
	w.restarts.Times -= q.Times
	w.restarts.Since = w.restarts.Until
	w.restarts.Hosts = w.restarts.Hosts[len(q.Hosts):]
}

// Handle returns next with an eye on what Falco says of itself: with metrics.enabled, it says again and
// again when its process started, over every transport.
func (w *Watch) Handle(next Handle) Handle {
	return func(ctx context.Context, events []event.Event) error {
		w.meet(w.source.Status().Process, time.Now())
		for i := range events {
			w.see(&events[i])
		}
		return next(ctx, events)
	}
}

func (w *Watch) see(e *event.Event) {
	if e.Source != "internal" {
		return
	}
	text, ok := e.Field("falco.start_ts")
	if !ok {
		return
	}
	start, err := strconv.ParseInt(text, 10, 64)
	at := time.Unix(0, start)
	// One that begins in the future is made up, and would hide all that begin before it.
	if err != nil || time.Until(at) > mostAhead {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	host := strings.Clone(e.Hostname[:min(len(e.Hostname), longestHost)]) // not the message that it is a part of
	before, known := w.starts[host]
	if !known && len(w.starts) >= mostHosts || start <= before {
		return
	}
	w.starts[host] = start
	// A process that was met on the socket since it started is the one that was counted there.
	if known && w.seen.Before(at) {
		w.restarted(at, host)
	}
}
