package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
)

// memoryLog is a log in memory: what Settle took survives a worker, as on a disk.
type memoryLog struct {
	mu      sync.Mutex
	records []store.Record
	more    chan struct{}
	cursors map[string]uint64
	state   map[string]map[[2]string][]byte
	fail    error // of Settle
	settles int
}

func newMemoryLog() *memoryLog {
	return &memoryLog{more: make(chan struct{}), cursors: map[string]uint64{}, state: map[string]map[[2]string][]byte{}}
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
	for _, c := range s.Changes {
		if c.Body == nil {
			delete(l.state[cursor], [2]string{c.Kind, c.Key})
		} else {
			l.state[cursor][[2]string{c.Kind, c.Key}] = c.Body
		}
	}
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
	flying int
	most   int
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
	s.tries = append(s.tries, try{r.ID, time.Now(), err})
	return err
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

	worker *Worker
	drain  chan struct{}
	cancel context.CancelFunc
	ended  chan error
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
	b.worker, err = New(b.t.Context(), Options{
		Name: "s", Sink: b.sink, Policy: b.policy, When: program, Log: b.log, State: b.log,
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop(),
		DeadBytes: b.deadBytes, Dropped: func() { b.dropped++ },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel, b.drain, b.ended = cancel, make(chan struct{}), make(chan error, 1)
	go func() { b.ended <- b.worker.Run(ctx, b.drain) }()
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
