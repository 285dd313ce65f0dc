package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// scriptedSink answers as answer says, and counts.
type scriptedSink struct {
	mu     sync.Mutex
	answer func(ctx context.Context, r *report.Report) error
	tries  []try
	told   map[string]*report.Report // what was accepted and is no alert of its own, by its ID
	unlike []string                  // IDs of those that counted something else when they came again
	flying int
	most   int
	forget bool // keeps no list of what came
}

type try struct {
	id  string
	at  time.Time
	err error
}

func (s *scriptedSink) Deliver(ctx context.Context, r *report.Report) error {
	s.mu.Lock()
	s.flying++
	s.most = max(s.most, s.flying)
	answer := s.answer
	s.mu.Unlock()
	var err error
	if answer != nil {
		err = answer(ctx, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	if s.forget {
		return err
	}
	s.tries = append(s.tries, try{r.ID, time.Now(), err})
	if err == nil && r.Kind != report.KindAlert {
		if s.told == nil {
			s.told = map[string]*report.Report{}
		}
		if before := s.told[r.ID]; before != nil && before.Group.Count != r.Group.Count {
			s.unlike = append(s.unlike, r.ID)
		}
		s.told[r.ID] = r
	}
	return err
}

// ofKind returns the accepted reports of a kind, by their times.
func (s *scriptedSink) ofKind(k report.Kind) []*report.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*report.Report
	for _, r := range s.told {
		if r.Kind == k {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *report.Report) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all
}

func (s *scriptedSink) Close() error { return nil }

func (s *scriptedSink) set(answer func(ctx context.Context, r *report.Report) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scriptedSink) all() []try {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries)
}

// taken returns the IDs that were accepted, in order.
func (s *scriptedSink) taken() []string {
	var ids []string
	for _, t := range s.all() {
		if t.err == nil {
			ids = append(ids, t.id)
		}
	}
	return ids
}

func (s *scriptedSink) triesOf(id string) []try {
	return slices.DeleteFunc(s.all(), func(t try) bool { return t.id != id })
}

var errDown = errors.New("down")

func down(context.Context, *report.Report) error { return errDown }

// bench is a worker with its log and sink.
type bench struct {
	t      *testing.T
	log    *memoryLog
	sink   *scriptedSink
	policy Policy
	when   string

	deadBytes int
	dropped   int

	grouping Grouping
	silences *Silences
	wrap     func(*scriptedSink) sink.Sink // nil for the sink itself

	memory  *Memory // that of the worker
	worker  *Worker
	crashed *crashLog // that of the worker, which crash cuts off
	drain   chan struct{}
	cancel  context.CancelFunc
	ended   chan error
}

func (b *bench) target() sink.Sink {
	if b.wrap != nil {
		return b.wrap(b.sink)
	}
	return b.sink
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, log: newMemoryLog(), sink: &scriptedSink{}, policy: DefaultPolicy()}
}

func (b *bench) start() {
	b.t.Helper()
	b.open()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel, b.drain, b.ended = cancel, make(chan struct{}), make(chan error, 1)
	go func() { b.ended <- b.worker.Run(ctx, b.drain) }()
}

// open makes a worker that does not run yet.
func (b *bench) open() {
	b.t.Helper()
	program, err := when.Compile(b.when)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.silences, err = OpenSilences(b.t.Context(), b.log); err != nil {
		b.t.Fatal(err)
	}
	b.memory = new(Memory)
	b.crashed = &crashLog{memoryLog: b.log}
	b.worker, err = New(b.t.Context(), Options{
		Name: "s", Sink: b.target(), Policy: b.policy, When: program, Log: b.crashed, State: b.log,
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop(),
		Grouping: b.grouping, Silences: b.silences, Version: "test", Memory: b.memory,
		DeadBytes: b.deadBytes, Dropped: func() { b.dropped++ },
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// crashLog is the log as one worker has it, which loses its disk when the worker crashes.
type crashLog struct {
	*memoryLog
	dead atomic.Bool
}

func (l *crashLog) Settle(ctx context.Context, cursor string, s store.Settlement) error {
	if l.dead.Load() {
		return errors.New("crashed")
	}
	return l.memoryLog.Settle(ctx, cursor, s)
}

// crash ends the worker without anything more coming to its disk, as a SIGKILL does.
func (b *bench) crash() {
	b.crashed.dead.Store(true)
	b.cancel()
	b.await()
}

// await waits for the worker, which may have been unable to save how far it was.
func (b *bench) await() {
	if err := <-b.ended; err != nil {
		b.t.Logf("run: %v", err)
	}
}

// stop ends the worker's context and waits for it.
func (b *bench) stop() {
	b.t.Helper()
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Errorf("run: %v", err)
	}
}

func newReports(from, to int) []*report.Report {
	var all []*report.Report
	for n := from; n <= to; n++ {
		all = append(all, &report.Report{ID: id(n), Kind: report.KindAlert, Severity: report.High, Score: n})
	}
	return all
}

func id(n int) string { return fmt.Sprintf("r%04d", n) }

func ids(from, to int) []string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, id(n))
	}
	return all
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// settle lets everything come to rest, and what is written be written.
func settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}
