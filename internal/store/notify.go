package store

import (
	"maps"
	"slices"
	"sync"
)

// maxDamage bounds how many damaged records are remembered, to tell each only once.
const maxDamage = 10000

// loss is what drop_oldest took from one cursor. rows are its rows in the table.
type loss struct {
	cursor      string
	records     int
	first, last uint64
	rows        []int64
}

// notifier calls the callbacks, so that they neither hold up the writer nor have to fear it.
type notifier struct {
	options
	told func(rows []int64) // a loss was told
	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	losses  map[string]*loss
	calls   []func()
	damaged map[uint64]bool
}

func newNotifier(o options, told func([]int64)) *notifier {
	return &notifier{
		options: o, told: told,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		losses: map[string]*loss{}, damaged: map[uint64]bool{},
	}
}

func (n *notifier) loss(l loss) {
	n.mu.Lock()
	if sum := n.losses[l.cursor]; sum != nil {
		sum.records += l.records
		sum.first = min(sum.first, l.first)
		sum.last = max(sum.last, l.last)
		sum.rows = append(sum.rows, l.rows...)
	} else {
		n.losses[l.cursor] = &l
	}
	n.mu.Unlock()
	n.signal()
}

// damage tells of a record that can not be read, unless it did before.
func (n *notifier) damage(seq uint64, err error) {
	n.mu.Lock()
	if !n.damaged[seq] && len(n.damaged) < maxDamage {
		n.damaged[seq] = true
		n.calls = append(n.calls, func() { n.onDamage(seq, err) })
	}
	n.mu.Unlock()
	n.signal()
}

func (n *notifier) forgotten(cursor string, pos uint64) {
	n.mu.Lock()
	n.calls = append(n.calls, func() { n.onForget(cursor, pos) })
	n.mu.Unlock()
	n.signal()
}

// damages returns how many records were found damaged since Open.
func (n *notifier) damages() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.damaged)
}

func (n *notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) loop() {
	defer close(n.done)
	for {
		select {
		case <-n.wake:
			n.tell(true)
		case <-n.quit:
			n.tell(false) // losses are told after the next Open
			return
		}
	}
}

func (n *notifier) tell(withLosses bool) {
	n.mu.Lock()
	calls := n.calls
	n.calls = nil
	var losses map[string]*loss
	if withLosses {
		losses = n.losses
		n.losses = map[string]*loss{}
	}
	n.mu.Unlock()
	for _, call := range calls {
		call()
	}
	for _, name := range slices.Sorted(maps.Keys(losses)) {
		l := losses[name]
		n.onLoss(l.cursor, l.records, l.first, l.last)
		n.told(l.rows)
	}
}

func (n *notifier) close() {
	close(n.quit)
	<-n.done
}
