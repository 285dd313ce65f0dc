package deliver

import (
	"cmp"
	"container/list"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

const (
	kindMemory = "memory"
	// mostRemembered bounds what a sink remembers: a value for each group that there can be.
	mostRemembered = mostGroups
	// rememberFor is how long: a thread older than this is better begun anew.
	rememberFor = 30 * 24 * time.Hour
)

// Memory is the sink.State of one sink. What is put there is settled with the cursor: the settlement
// that passes a report has what its delivery put. The zero value is empty.
type Memory struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	age   list.List // of *remembered, the oldest first
	dirty map[string]bool
}

type remembered struct {
	key   string
	Value string    `json:"value"`
	At    time.Time `json:"at"`
}

// Get returns what was put under key.
func (m *Memory) Get(key string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byKey[key]
	if e == nil {
		return "", false
	}
	r, _ := e.Value.(*remembered)
	return r.Value, time.Since(r.At) < rememberFor
}

// Put remembers value under key.
func (m *Memory) Put(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(key) > sink.MaxStateKey {
		return
	}
	m.drop(key)
	if value != "" && len(value) <= sink.MaxStateValue {
		m.keep(&remembered{key, value, time.Now().UTC().Round(0)})
		m.touch(key)
	}
	m.trim(time.Now())
}

func (m *Memory) keep(r *remembered) {
	if m.byKey == nil {
		m.byKey = map[string]*list.Element{}
	}
	m.byKey[r.key] = m.age.PushBack(r)
}

func (m *Memory) drop(key string) {
	if e := m.byKey[key]; e != nil {
		m.age.Remove(e)
		delete(m.byKey, key)
		m.touch(key)
	}
}

func (m *Memory) touch(key string) {
	if m.dirty == nil {
		m.dirty = map[string]bool{}
	}
	m.dirty[key] = true
}

// trim drops what is too old, and what is too much.
func (m *Memory) trim(now time.Time) {
	for e := m.age.Front(); e != nil; e = m.age.Front() {
		r, _ := e.Value.(*remembered)
		if m.age.Len() <= mostRemembered && now.Sub(r.At) < rememberFor {
			return
		}
		m.drop(r.key)
	}
}

func (m *Memory) unsaved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.dirty) > 0
}

// changes returns what has to be kept.
func (m *Memory) changes() (changes []store.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.dirty)) {
		change := store.Change{Kind: kindMemory, Key: key}
		if e := m.byKey[key]; e != nil {
			change.Body, _ = json.Marshal(e.Value) //nolint:errchkjson // strings and a time
		}
		changes = append(changes, change)
	}
	clear(m.dirty)
	return changes
}

// restore takes back what was kept. ready puts it in order once all is there.
func (m *Memory) restore(c store.Change) error {
	r := &remembered{key: c.Key}
	if err := json.Unmarshal(c.Body, r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byKey[c.Key]; e != nil { // put before the worker began
		m.age.Remove(e)
	}
	m.keep(r)
	return nil
}

func (m *Memory) ready() {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*remembered, 0, m.age.Len())
	for e := m.age.Front(); e != nil; e = e.Next() {
		r, _ := e.Value.(*remembered)
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *remembered) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.key, b.key)) })
	m.age.Init()
	for _, r := range all {
		m.keep(r)
	}
	m.trim(time.Now())
}

// threadOf is the key of the group that i is in, or would be in: what its sink is told beside the
// report, so that all that is about one attack can stand together. It is empty where the report says
// all: see sink.ThreadKey.
func (w *Worker) threadOf(i *item) string {
	if i.group != nil {
		return i.group.key
	}
	r := i.report
	if !w.groups.Enabled || r == nil || r.Event == nil || r.Kind != report.KindAlert && r.Kind != report.KindUpdate {
		return ""
	}
	return KeyOf(r).Group
}

// threads are the keys of the reports that one delivery is of, by their IDs.
func (w *Worker) threads(d result) map[string]string {
	threads := map[string]string{}
	if p := d.parked; p != nil && p.Thread != "" {
		threads[p.ID] = p.Thread
	}
	for _, i := range d.items {
		if thread := w.threadOf(i); thread != "" {
			threads[i.record.ID] = thread
		}
	}
	return threads
}
