package source

import (
	"context"
	"sync"
	"time"
)

// logEvery is how often one kind of trouble is logged at most: what is wrong with one alert is
// mostly wrong with the next thousand.
const logEvery = 10 * time.Second

// health is how a source is doing, kept by the goroutines that see it. It also limits what they
// log of the alerts that could not be used. The zero value is not ready: set env.
type health struct {
	env Env

	mu     sync.Mutex
	status Status
	logged map[string]logged
}

// logged is what was logged of one kind of trouble.
type logged struct {
	last time.Time
	held int // how many were not logged since
}

// Status says how the source is doing.
func (h *health) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// enter notes a state, with what is wrong if something is.
func (h *health) enter(state, trouble string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.State != state {
		h.status.State, h.status.Since = state, time.Now()
	}
	h.status.LastError = trouble
}

// took notes that alerts from peer were taken: whatever was wrong is over.
func (h *health) took(received time.Time, peer string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.LastAlert, h.status.Peer, h.status.LastError = received, peer, ""
}

// trouble notes what is wrong while the state stays as it is.
func (h *health) trouble(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.LastError = text
}

// reject counts n alerts that could not be used, all for the same reason, and logs the first of
// them if there was none for that reason lately.
func (h *health) reject(reason string, n int, err error) {
	for range n {
		h.env.Rejected(reason)
	}
	h.trouble(reason + ": " + err.Error())
	if held, ok := h.mayLog(reason, n); ok {
		h.env.Log.Warn().Err(err).Str("reason", reason).Int("alerts", n+held).Msg("alerts rejected")
	}
}

// mayLog reports whether n events of a kind may be logged now, and how many were held back since
// the last that was.
func (h *health) mayLog(kind string, n int) (held int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, now := h.logged[kind], time.Now()
	if !l.last.IsZero() && now.Sub(l.last) < logEvery {
		l.held += n
		h.logged[kind] = l
		return 0, false
	}
	if h.logged == nil {
		h.logged = map[string]logged{}
	}
	h.logged[kind] = logged{last: now}
	return l.held, true
}

// outlive returns a context that ends stopBound after ctx does, so that what is under way then can
// be finished.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		sleep(longer, stopBound)
		cancel()
	})
	return longer, func() {
		cancel()
		if !stop() {
			<-ended
		}
	}
}
