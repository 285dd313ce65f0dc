package store

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxDamage bounds how many damaged records are remembered, to tell each only once.
const maxDamage = 10000

// retell is how long a loss waits that nobody could take note of.
const retell = 10 * time.Second

// loss is a Loss that was not told yet, and its rows in the table.
type loss struct {
	Loss
	rows []int64
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
	n.keep(l)
	n.signal()
}

func (n *notifier) keep(l loss) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.losses[l.Cursor]
	if sum == nil {
		n.losses[l.Cursor] = &l
		return
	}
	sum.Records += l.Records
	sum.First = min(sum.First, l.First)
	sum.Last = max(sum.Last, l.Last)
	sum.rows = append(sum.rows, l.rows...)
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

// tellDamage tells of what happens once.
func (n *notifier) tellDamage(err error) {
	n.mu.Lock()
	n.calls = append(n.calls, func() { n.onDamage(0, err) })
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
	var again <-chan time.Time
	for {
		heard := true
		select {
		case <-n.wake:
			heard = n.tell(again == nil)
		case <-again:
			again = nil
			heard = n.tell(true)
		case <-n.quit:
			n.tell(false) // losses are told after the next Open
			return
		}
		if !heard {
			again = time.After(retell)
		}
	}
}

// tell reports whether all that was told was heard.
func (n *notifier) tell(withLosses bool) (heard bool) {
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
	heard = true
	for _, name := range slices.Sorted(maps.Keys(losses)) {
		l := losses[name]
		if n.onLoss(l.Loss) == nil {
			n.told(l.rows)
		} else {
			n.keep(*l)
			heard = false
		}
	}
	return heard
}

func (n *notifier) close() {
	close(n.quit)
	<-n.done
}
