package store

import (
	"slices"
	"sort"
	"sync"
)

const (
	// tailBytes bounds what the tail keeps, by the bodies; a Value counts as much again.
	tailBytes = 4 << 20
	// recordOverhead is about what a Record costs besides its body: itself and its ID.
	recordOverhead = 256
	// readBytes bounds the bodies that one Read returns, so that a worker's memory is bounded.
	readBytes = 1 << 20
)

// tail holds the newest records in memory, and those who wait for the next.
type tail struct {
	mu    sync.Mutex
	recs  []Record
	bytes int
	// floor: every record behind it is in recs.
	floor uint64
	// wake is closed at the next push; nil while nobody waits. One channel wakes all readers.
	wake   chan struct{}
	closed bool
}

// push adds records that are on the disk, in order.
func (t *tail) push(recs []Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recs = append(t.recs, recs...)
	for i := range recs {
		t.bytes += weight(&recs[i])
	}
	n := 0
	for ; t.bytes > tailBytes && n < len(t.recs); n++ {
		t.bytes -= weight(&t.recs[n])
	}
	t.cut(n)
	t.broadcast()
}

// drop forgets the records up to seq, which are no longer kept.
func (t *tail) drop(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.index(seq)
	for i := range n {
		t.bytes -= weight(&t.recs[i])
	}
	t.cut(n)
	t.floor = max(t.floor, seq)
}

// restart has all records up to seq read from the disk.
func (t *tail) restart(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recs, t.bytes, t.floor = nil, 0, seq
	t.broadcast()
}

// cut removes the first n records.
func (t *tail) cut(n int) {
	if n == 0 {
		return
	}
	t.floor = max(t.floor, t.recs[n-1].Seq)
	clear(t.recs[:n])
	t.recs = t.recs[n:]
}

// index returns the place of the first record behind seq.
func (t *tail) index(seq uint64) int {
	return sort.Search(len(t.recs), func(i int) bool { return t.recs[i].Seq > seq })
}

// read returns the records behind after, if the tail has all of them. With none to return, wake is
// closed when there may be; it is nil when the disk has to be asked, for what lies up to floor.
func (t *tail) read(after uint64, limit int) (recs []Record, wake <-chan struct{}, floor uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, 0, ErrClosed
	}
	if after < t.floor {
		return nil, nil, t.floor, nil
	}
	first := t.index(after)
	if first == len(t.recs) {
		if t.wake == nil {
			t.wake = make(chan struct{})
		}
		return nil, t.wake, 0, nil
	}
	end, bytes := first, 0
	for ; end < len(t.recs) && end-first < limit; end++ {
		if bytes += len(t.recs[end].Body); bytes > readBytes && end > first {
			break
		}
	}
	return slices.Clone(t.recs[first:end]), nil, 0, nil
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.recs = nil
	t.broadcast()
}

func (t *tail) broadcast() {
	if t.wake != nil {
		close(t.wake)
		t.wake = nil
	}
}

func weight(r *Record) int {
	if r.Value != nil {
		return 2*len(r.Body) + recordOverhead
	}
	return len(r.Body) + recordOverhead
}
