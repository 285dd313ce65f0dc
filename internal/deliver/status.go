package deliver

import (
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Status is how a sink is doing, for people and for /statusz.
type Status struct {
	Backlog     uint64    `json:"backlog"` // records behind the newest, parked ones included
	Parked      int       `json:"parked"`
	Dead        int       `json:"dead_letters"`
	InFlight    int       `json:"in_flight"`
	Oldest      time.Time `json:"oldest_undelivered"` // zero for none
	BreakerOpen bool      `json:"breaker_open"`
	DownSince   time.Time `json:"down_since"` // zero while the sink takes reports
	LastError   string    `json:"last_error"`
	LastErrorAt time.Time `json:"last_error_at"`
}

// Status may be called at any time.
func (w *Worker) Status() Status {
	w.mu.Lock()
	s, position := w.status, w.reached
	w.mu.Unlock()
	if last := w.Log.LastSeq(); last > position {
		s.Backlog = last - position
	}
	s.Backlog += uint64(s.Parked)
	return s
}

// publish shows what the worker knows to others.
func (w *Worker) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.status
	s.Parked, s.Dead, s.InFlight = len(w.parked), len(w.dead.letters), w.flying
	s.BreakerOpen, s.DownSince = w.breaker.open, time.Time{}
	if w.breaker.open {
		s.DownSince = w.breaker.since
	}
	s.Oldest = time.Time{}
	if len(w.queue) > 0 {
		s.Oldest = w.queue[0].record.Time
	}
	for _, p := range w.parked {
		if s.Oldest.IsZero() || p.Time.Before(s.Oldest) {
			s.Oldest = p.Time
		}
	}
	w.reached = w.position()
}

// noteFailure keeps the error for the status, and what the sink asked for.
func (w *Worker) noteFailure(err error, now time.Time) {
	if pause := sink.Delay(err); pause > 0 {
		w.quietUntil = now.Add(pause)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.LastError, w.status.LastErrorAt = strings.ToValidUTF8(err.Error(), "\ufffd"), now
}
