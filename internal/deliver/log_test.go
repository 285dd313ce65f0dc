package deliver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/filelessd/filelessd/internal/store"
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
