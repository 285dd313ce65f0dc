package store

import (
	"context"
	"sync"
	"time"
)

const (
	// company is how long a lazy request waits for an urgent one to ride with.
	company = 20 * time.Millisecond
	// patience is how long an urgent request waits for others.
	patience = 2 * time.Millisecond
	// maxQueued is how many bytes wait for the writer before callers have to: what callers left
	// behind when their context ended is in there too.
	maxQueued = 16 << 20
	// maxGroup is how many requests go into one transaction.
	maxGroup = 1024
)

// request is work for one transaction, or for a part of one.
type request struct {
	// run does the work. An error of it fails the whole group; one that concerns this request
	// alone goes into err.
	run  func(b *batch) error
	size int  // bytes that it keeps in memory
	lazy bool // may wait for company

	err  error
	done chan struct{} // closed when the work is on the disk, or has failed
}

// queue holds the requests that wait for the writer.
type queue struct {
	groupBytes int           // how much goes into one transaction
	wake       chan struct{} // holds a token while the writer has something to look at

	mu     sync.Mutex
	items  []*request
	bytes  int
	urgent int
	since  time.Time     // when the first one came into an empty queue
	first  time.Time     // when the first urgent one came
	took   int           // urgent ones of the transaction under way
	expect int           // as many urgent ones as are likely to come soon
	room   chan struct{} // closed when there is room again; nil while nobody waits for it
	closed time.Time     // when it was; the zero time while it is open
	pings  []chan<- struct{}
}

func newQueue(groupBytes int) *queue {
	return &queue{groupBytes: groupBytes, wake: make(chan struct{}, 1)}
}

// put adds r, once there is room for it.
func (q *queue) put(ctx context.Context, r *request) error {
	for {
		room, err := q.tryPut(r)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) tryPut(r *request) (room <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed.IsZero() {
		return nil, ErrClosed
	}
	if len(q.items) > 0 && q.bytes+r.size > maxQueued {
		if q.room == nil {
			q.room = make(chan struct{})
		}
		return q.room, nil
	}
	if len(q.items) == 0 {
		q.since = time.Now()
	}
	if !r.lazy {
		if q.urgent++; q.urgent == 1 {
			q.first = time.Now()
		}
	}
	q.items = append(q.items, r)
	q.bytes += r.size
	if len(q.items) == 1 || !r.lazy && (q.urgent == 1 || q.urgent == q.expect) || q.bytes >= q.groupBytes {
		q.signal()
	}
	return nil, nil
}

// take returns the requests of the next transaction in the order they came. With none it says how
// long the writer may sleep (0: until it is woken), and whether more can come at all.
func (q *queue) take() (group []*request, sleep time.Duration, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, 0, q.closed.IsZero()
	}
	if left := q.wait(); left > 0 {
		return nil, left, true
	}
	n, bytes := 0, 0
	q.took = 0
	for n < len(q.items) && n < maxGroup && (n == 0 || bytes+q.items[n].size <= q.groupBytes) {
		bytes += q.items[n].size
		if !q.items[n].lazy {
			q.took++
		}
		n++
	}
	q.urgent -= q.took
	q.first = time.Now() // of those left, if any
	group = q.items[:n:n]
	q.items = append([]*request(nil), q.items[n:]...)
	q.bytes -= bytes
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return group, 0, true
}

// wait says how long the next transaction should wait for company. Lazy requests have time. Urgent
// ones wait for as many as there were in the last transaction and came while it was under way: who
// appends one record after the other is back in no time, a sync shared by all of them is worth more
// than one that starts at once, and who appends alone never waits.
func (q *queue) wait() time.Duration {
	switch {
	case !q.closed.IsZero() || len(q.items) >= maxGroup || q.bytes >= q.groupBytes || q.urgent > 0 && q.urgent >= q.expect:
		return 0
	case q.urgent == 0:
		return company - time.Since(q.since)
	default:
		return patience - time.Since(q.first)
	}
}

// over is called when a transaction is, before its requests are told: they and those that came
// meanwhile are likely to be the company of the next one.
func (q *queue) over() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expect = q.took + q.urgent
}

// close lets nothing in any more. What waits is still written.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = time.Now()
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	q.signal()
}

// closedAt returns when the queue was closed, the zero time while it is open.
func (q *queue) closedAt() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// ping returns a channel that closes at the writer's next turn.
func (q *queue) ping() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	answered := make(chan struct{})
	q.pings = append(q.pings, answered)
	q.signal()
	return answered
}

// answer is the writer's at each turn.
func (q *queue) answer() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.pings {
		close(p)
	}
	q.pings = nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
