package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Log is what a worker needs of the log.
type Log interface {
	OpenCursor(ctx context.Context, name string, start store.Start, but ...string) (pos uint64, state []store.Change, err error)
	Read(ctx context.Context, after uint64, limit int) ([]store.Record, error)
	Settle(ctx context.Context, cursor string, s store.Settlement) error
	LastSeq() uint64
}

const (
	// window is how many records may be under way between the cursor on disk and the last record
	// read: what a crash repeats at most.
	window = 256
	// parkAfter is how often a record fails before it is parked, and how many failures in a row
	// open the breaker.
	parkAfter = 5
	// windowBytes and the two after it bound the memory for records, beside their number: a report can
	// be a thousand times as long as usual, and what is in it is the attacker's. At windowBytes no
	// more is read, so that it is exceeded by what one read brings.
	windowBytes = 8 << 20
	mostParked  = 1000
	parkedBytes = 16 << 20
)

// Options is what a worker is made of.
type Options struct {
	Name    string
	Sink    sink.Sink
	Policy  Policy
	When    *when.Program // nil for every report
	Log     Log
	State   State // of the same log
	Metrics *Metrics
	Logger  zerolog.Logger
	// Expand fills in what is a pure function of the stored report. It must not change its
	// argument. Nil for nothing.
	Expand   func(*report.Report) *report.Report
	Grouping Grouping
	Silences *Silences // of all sinks; nil for none
	// Memory is the State that the sink was opened with; nil for none.
	Memory  *Memory
	Version string // of the program, for the reports that a worker makes
	// DeadBytes is how much room the dead letters may take in the log, which never removes them of
	// itself; beyond, the oldest go. Zero is deadBytes.
	DeadBytes int
	// Dropped hears of each dead letter that went; nil for nobody.
	Dropped func()
}

// Worker delivers reports to one sink.
type Worker struct {
	Options

	settled  uint64 // the cursor on disk
	read     uint64 // the last record in the window
	queue    []*item
	made     []*item            // reports that were made here
	chains   map[string][]*item // those of queue and made that are unfinished, in their order
	held     int                // bytes of the records in the window
	parked   map[string]*parked
	abouts   map[string]int // how many of them are about the same thing
	aside    int            // bytes of the parked records
	dead     deadLetters
	groups   *groups
	withheld withheld
	telling  *item // the report of what was withheld that is under way
	limit    bucket

	changes  []store.Change  // to be settled with the cursor
	outcomes []store.Outcome // the same
	unsaved  []*item         // of made: go out once they are settled

	breaker breaker
	aheads  int             // turns to try something beyond the window
	early   map[uint64]bool // records beyond the window that the sink has
	batch   sink.BatchSink  // nil if reports go one by one
	flying  int             // deliveries under way
	taken   uint64          // deliveries that the sink took, ever

	// quietUntil is when the sink, which asked to be left alone, may be asked again.
	quietUntil time.Time
	draining   bool
	leaving    bool         // Run ends when nothing is under way
	next       *replacement // nil for none

	results        chan result
	settles        chan settlement
	settling       bool
	settleFailures int
	settleAfter    time.Time

	commands  chan func()     // to be run where all the state is
	over      chan struct{}   // closed when Run has ended
	waiters   []waiter        // for what is to be settled
	takenDead map[string]bool // dead letters that are none any more, once that is settled

	mu      sync.Mutex // for what others read:
	status  Status
	reached uint64
}

// New opens the sink's cursor and reads back what the worker had to remember.
func New(ctx context.Context, o Options) (*Worker, error) {
	start := store.StartNow
	if o.Policy.Start == "oldest" {
		start = store.StartOldest
	}
	pos, state, err := o.Log.OpenCursor(ctx, o.Name, start)
	if err != nil {
		return nil, err
	}
	w := &Worker{
		Options: o, settled: pos, read: pos, chains: map[string][]*item{}, parked: map[string]*parked{},
		abouts: map[string]int{}, early: map[uint64]bool{}, groups: newGroups(o.Grouping),
		withheld: newWithheld(), limit: newBucket(o.Policy.RateLimit, time.Now()),
		results: make(chan result, o.Policy.Concurrency), settles: make(chan settlement, 1),
		commands: make(chan func()), over: make(chan struct{}), takenDead: map[string]bool{},
	}
	w.chooseBatch()
	if w.Memory == nil {
		w.Memory = new(Memory)
	}
	o.Metrics.start(o.Name)
	w.restore(state)
	w.publish()
	return w, nil
}

// restore takes back what was settled with the cursor.
func (w *Worker) restore(state []store.Change) {
	var made []store.Change // after the groups that they tell of
	for _, c := range state {
		var err error
		switch c.Kind {
		case KindParked:
			w.restoreParked(c)
		case KindDead:
			w.dead.restore(c)
		case kindBreaker:
			w.breaker.restore(c.Body)
		case kindGroup:
			err = w.groups.restore(c)
		case kindSuppressed:
			err = w.withheld.restore(c, w.Silences)
		case kindMemory:
			err = w.Memory.restore(c)
		case kindMade:
			made = append(made, c)
		}
		if err != nil {
			w.Logger.Error().Err(err).Str("kind", c.Kind).Str("key", c.Key).Msg("what the sink has to remember can not be read")
		}
	}
	for _, c := range made {
		w.restoreMade(c)
	}
	w.groups.ready()
	w.Memory.ready()
	w.dead.inOrder()
}

// Run delivers until drain is closed and everything is delivered, or until ctx ends. A delivery
// that ctx cuts short is repeated at the next start.
func (w *Worker) Run(ctx context.Context, drain <-chan struct{}) error {
	feed := make(chan []store.Record)
	feedCtx, stopFeed := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	room := make(chan feedRequest, 1)
	feeding.Go(func() { w.feed(feedCtx, room, feed) })
	defer feeding.Wait()
	defer stopFeed()
	defer w.end()

	w.trimDead() // not sooner: a worker that never runs loses none
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	asked := false
	for {
		if !asked && w.room() > 0 {
			room <- feedRequest{w.read, w.room(), w.Policy.Retry}
			asked = true
		}
		w.takeOver(time.Now())
		w.dispatch(ctx)
		w.settle()
		w.publish()
		if w.draining && w.finished() || w.leaving && w.flying == 0 || ctx.Err() != nil {
			return w.stop()
		}
		timer.Reset(w.nextWake())
		select {
		case records := <-feed:
			asked = false
			w.enqueue(records)
		case r := <-w.results:
			w.finish(r)
		case s := <-w.settles:
			w.settledUpTo(s)
		case <-timer.C:
		case <-w.Silences.changes():
		case do := <-w.commands:
			do()
		case <-drain:
			w.draining = true
			drain = nil
		case <-ctx.Done():
		}
	}
}

type feedRequest struct {
	after uint64
	most  int
	retry Retry
}

// feed reads the log for each request, so that waiting for new records does not hold up Run.
func (w *Worker) feed(ctx context.Context, room <-chan feedRequest, feed chan<- []store.Record) {
	for {
		var request feedRequest
		select {
		case request = <-room:
		case <-ctx.Done():
			return
		}
		records, err := w.Log.Read(ctx, request.after, request.most)
		for tries := 1; err != nil; tries++ {
			if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
				return
			}
			if tries == 1 {
				w.Logger.Error().Err(err).Msg("can not read the log; trying again")
			}
			if !wait(ctx, backoff(request.retry, tries)) {
				return
			}
			records, err = w.Log.Read(ctx, request.after, request.most)
		}
		select {
		case feed <- records:
		case <-ctx.Done():
			return
		}
	}
}

// room is how many more records fit the window.
func (w *Worker) room() int {
	if w.held >= windowBytes {
		return 0
	}
	return window - int(w.read-w.settled)
}

// finished reports whether nothing is left to deliver now. What is parked keeps for the next start,
// and so does what groups hold: telling of it now would be early, and then again.
func (w *Worker) finished() bool {
	return w.read >= w.Log.LastSeq() && len(w.queue)+len(w.made) == 0 && w.flying == 0 && !w.settling && !w.unsettled()
}

// end lets go those who wait for something of a worker that does not run any more.
func (w *Worker) end() {
	close(w.over)
	if w.next != nil {
		close(w.next.done)
	}
}

// stop waits for what is under way and settles it.
func (w *Worker) stop() error {
	for w.flying > 0 {
		w.finish(<-w.results)
	}
	if w.settling {
		w.settledUpTo(<-w.settles)
	}
	w.advance()
	defer w.publish()
	if !w.unsettled() {
		return nil
	}
	// The context of the run may be over, but what was delivered should be known at the next start.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s := w.gather()
	if s.err = w.Log.Settle(ctx, w.Name, s.Settlement); s.err == nil {
		w.settledUpTo(s)
	}
	return s.err
}
