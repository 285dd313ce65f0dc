package deliver

import (
	"cmp"
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

// memoryLog is a log in memory: what Settle took survives a worker, as on a disk.
type memoryLog struct {
	mu      sync.Mutex
	records []store.Record
	more    chan struct{}
	cursors map[string]uint64
	state   map[string]map[[2]string][]byte
	fail    error // of Settle
	forget  error // of Settle, which does its work all the same
	settles int
	// endings are the latest outcomes of each record at the cursor s, twice those that had two.
	endings map[uint64]store.Outcome
	twice   []string
	owners  map[string]map[[2]string][]byte
	widest  int // the most state that a cursor had
}

func newMemoryLog() *memoryLog {
	return &memoryLog{
		more: make(chan struct{}), cursors: map[string]uint64{}, state: map[string]map[[2]string][]byte{},
		endings: map[uint64]store.Outcome{}, owners: map[string]map[[2]string][]byte{},
	}
}

func (l *memoryLog) append(reports ...*report.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range reports {
		body, err := report.Marshal(r)
		if err != nil {
			panic(err)
		}
		l.records = append(l.records, store.Record{Seq: uint64(len(l.records) + 1), ID: r.ID, Time: time.Now(), Body: body, Value: r})
	}
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memoryLog) OpenCursor(_ context.Context, name string, start store.Start, but ...string) (uint64, []store.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.cursors[name]; !ok {
		l.cursors[name] = 0
		l.state[name] = map[[2]string][]byte{}
		if start == store.StartNow {
			l.cursors[name] = uint64(len(l.records))
		}
	}
	var state []store.Change
	for _, c := range sortedState(l.state[name]) {
		if !slices.Contains(but, c.Kind) {
			state = append(state, c)
		}
	}
	return l.cursors[name], state, nil
}

func sortedState(kept map[[2]string][]byte) (state []store.Change) {
	for key, body := range kept {
		state = append(state, store.Change{Kind: key[0], Key: key[1], Body: body})
	}
	slices.SortFunc(state, func(a, b store.Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	return state
}

func (l *memoryLog) CursorState(_ context.Context, cursor, kind, from string, limit int) ([]store.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := slices.DeleteFunc(sortedState(l.state[cursor]), func(c store.Change) bool { return c.Kind != kind || c.Key < from })
	return state[:min(limit, len(state))], nil
}

func (l *memoryLog) CountCursorState(_ context.Context, _, kind string) (int, error) {
	return len(l.kept(kind)), nil
}

func (l *memoryLog) Read(ctx context.Context, after uint64, limit int) ([]store.Record, error) {
	for {
		l.mu.Lock()
		if n := uint64(len(l.records)); n > after {
			records := slices.Clone(l.records[after:min(n, after+uint64(limit))])
			l.mu.Unlock()
			bytes := 0
			for i, r := range records { // no more than about 1 MiB at once, as the real one
				if bytes += len(r.Body); bytes >= 1<<20 {
					return records[:i+1], nil
				}
			}
			return records, nil
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *memoryLog) Settle(_ context.Context, cursor string, s store.Settlement) error {
	time.Sleep(20 * time.Millisecond) // as a disk
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.settles++
	l.cursors[cursor] = max(l.cursors[cursor], s.UpTo)
	apply(l.state[cursor], s.Changes)
	l.widest = max(l.widest, len(l.state[cursor]))
	latest := map[uint64]store.Outcome{}
	for _, o := range s.Outcomes {
		latest[o.Seq] = o
	}
	for seq, o := range latest {
		before, known := l.endings[seq]
		if known && before.Result != o.Result && before.Result != string(Parked) && before.Result != string(Dead) {
			l.twice = append(l.twice, fmt.Sprintf("record %d ended %+v, then %+v", seq, before, o))
		}
		l.endings[seq] = o
	}
	return l.forget
}

func apply(state map[[2]string][]byte, changes []store.Change) {
	for _, c := range changes {
		if c.Body == nil {
			delete(state, [2]string{c.Kind, c.Key})
		} else {
			state[[2]string{c.Kind, c.Key}] = c.Body
		}
	}
}

func (l *memoryLog) LoadState(_ context.Context, owner string) ([]store.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sortedState(l.owners[owner]), nil
}

func (l *memoryLog) SaveState(_ context.Context, owner string, changes ...store.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if l.owners[owner] == nil {
		l.owners[owner] = map[[2]string][]byte{}
	}
	apply(l.owners[owner], changes)
	return nil
}

func (l *memoryLog) LastSeq() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.records))
}

func (l *memoryLog) cursor() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursors["s"]
}

// kept returns the keys of what the sink has to remember of a kind.
func (l *memoryLog) kept(kind string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for key := range l.state["s"] {
		if key[0] == kind {
			keys = append(keys, key[1])
		}
	}
	slices.Sort(keys)
	return keys
}

// scriptedSink answers as answer says, and counts.
type scriptedSink struct {
	mu     sync.Mutex
	answer func(ctx context.Context, r *report.Report) error
	tries  []try
	told   map[string]*report.Report // what was accepted and is no alert of its own, by its ID
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
	program, err := when.Compile(b.when)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.silences, err = OpenSilences(b.t.Context(), b.log); err != nil {
		b.t.Fatal(err)
	}
	b.crashed = &crashLog{memoryLog: b.log}
	b.worker, err = New(b.t.Context(), Options{
		Name: "s", Sink: b.target(), Policy: b.policy, When: program, Log: b.crashed, State: b.log,
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop(),
		Grouping: b.grouping, Silences: b.silences, Version: "test",
		DeadBytes: b.deadBytes, Dropped: func() { b.dropped++ },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel, b.drain, b.ended = cancel, make(chan struct{}), make(chan error, 1)
	go func() { b.ended <- b.worker.Run(ctx, b.drain) }()
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
	<-b.ended
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
