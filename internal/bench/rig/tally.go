package rig

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Sent is what became of each alert on its way in.
type Sent struct {
	began    []atomic.Int64 // when its first post began, in nanoseconds since start; 0 for not yet
	accepted []atomic.Bool
	count    atomic.Int64
	refused  atomic.Int64
	start    time.Time
}

// NewSent has room for n alerts.
func NewSent(n int) *Sent {
	return &Sent{began: make([]atomic.Int64, n), accepted: make([]atomic.Bool, n), start: time.Now()}
}

// Accepted is how many alerts were answered with a 2xx.
func (s *Sent) Accepted() int { return int(s.count.Load()) }

// Refused is how many posts were answered with something else, or not at all.
func (s *Sent) Refused() int { return int(s.refused.Load()) }

func (s *Sent) begin(n int) {
	s.began[n].CompareAndSwap(0, int64(time.Since(s.start))+1)
}

// accept notes a 2xx and returns how many there are now.
func (s *Sent) accept(n int) int {
	if s.accepted[n].Swap(true) {
		return s.Accepted()
	}
	return int(s.count.Add(1))
}

// Tally counts what one sink received.
type Tally struct {
	mu          sync.Mutex
	sent        *Sent
	times       []uint16 // how often each alert came
	took        []trip
	distinct    int
	duplicates  int
	other       int // bodies that are about no alert of the load
	kinds       map[string]int
	told        map[string]int // how many alerts a report stands for, by its id
	members     int            // that summaries say they stand for
	first, last time.Time
	changed     chan struct{} // closed at the next delivery
}

// A trip is when the first post of an alert began, and how long it was until its delivery.
type trip struct{ began, took int64 } // nanoseconds

// NewTally counts deliveries of the alerts of sent.
func NewTally(sent *Sent) *Tally {
	return &Tally{
		sent: sent, times: make([]uint16, len(sent.began)), kinds: map[string]int{},
		told: map[string]int{}, changed: make(chan struct{}),
	}
}

// take counts one delivery.
func (t *Tally) take(id string, body []byte) {
	now := time.Now()
	kind, members := kindOf(body)
	n, ok := alertNumber(body)
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { close(t.changed); t.changed = make(chan struct{}) }()
	if t.first.IsZero() {
		t.first = now
	}
	t.last = now
	t.kinds[kind]++
	if members > 0 && t.told[id] == 0 {
		t.told[id] = members
		t.members += members
	}
	if kind != kindAlert || !ok || n >= len(t.times) {
		t.other++
		return
	}
	if t.times[n]++; t.times[n] > 1 {
		t.duplicates++
		return
	}
	t.distinct++
	if began := t.sent.began[n].Load(); began > 0 {
		t.took = append(t.took, trip{began, int64(now.Sub(t.sent.start)) - began})
	}
}

// Wait returns when done says so of the tally, or false when stop closes before.
func (t *Tally) Wait(stop <-chan struct{}, done func(Counts) bool) bool {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		if done(t.Counts()) {
			return true
		}
		select {
		case <-changed:
		case <-stop:
			return false
		}
	}
}

// Counts is what a tally has counted so far.
type Counts struct {
	Distinct, Duplicates, Other, Members int
	First, Last                          time.Time
}

// Counts returns the numbers so far.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Counts{t.distinct, t.duplicates, t.other, t.members, t.first, t.last}
}

// Kinds is how many deliveries of each kind came.
func (t *Tally) Kinds() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.kinds)
}

// Told is how many alerts each report says that it stands for, by its id, of those that say so.
func (t *Tally) Told() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.told)
}

// Came reports whether alert n was delivered by itself.
func (t *Tally) Came(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times[n] > 0
}

// Missing is how many alerts were accepted and never delivered.
func (t *Tally) Missing() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.times {
		if t.times[i] == 0 && t.sent.accepted[i].Load() {
			n++
		}
	}
	return n
}

// Rate is how many alerts came for the first time in a span of time, by the second.
func (t *Tally) Rate(from, to time.Time) float64 {
	low, high := int64(from.Sub(t.sent.start)), int64(to.Sub(t.sent.start))
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, trip := range t.took {
		if at := trip.began + trip.took; at >= low && at < high {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}

// Took returns the share q (0.99) of the times from an alert's first post to its delivery, of the
// alerts whose post began in a span of time; a zero time for no limit.
func (t *Tally) Took(q float64, from, to time.Time) time.Duration {
	low, high := int64(0), int64(math.MaxInt64)
	if !from.IsZero() {
		low = int64(from.Sub(t.sent.start))
	}
	if !to.IsZero() {
		high = int64(to.Sub(t.sent.start))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var took []int64
	for _, trip := range t.took {
		if trip.began >= low && trip.began < high {
			took = append(took, trip.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return time.Duration(took[int(float64(len(took)-1)*q)])
}
