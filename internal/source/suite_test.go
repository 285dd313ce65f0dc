package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/event"
)

// A harness lets testSource drive one kind of source. Each test makes a new one.
type harness struct {
	// open returns the source, not yet running. Called again after the first stopped, it returns
	// one that goes on where that left off.
	open func(t *testing.T, env Env) Source
	// feed has Falco send alerts, each given in Falco's JSON form, in this order. A transport that
	// answers is asked again until it accepts. It is called from other goroutines too, and before
	// a source is open; it gives up when the test's context ends.
	feed func(t *testing.T, lines ...string)
	// spoil has Falco send one thing that is no alert.
	spoil func(t *testing.T)
}

// testSource is what every source must be able to do.
func testSource(t *testing.T, newHarness func(t *testing.T) harness) {
	tests := []struct {
		name string
		test func(*testing.T, harness)
	}{
		{"once and in order", testInOrder},
		{"refused, then accepted", testRefused},
		{"malformed neighbours", testNeighbours},
		{"stopped and started again", testRestart},
		{"nothing to do", testNothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // registered first, so run last
			tt.test(t, newHarness(t))
		})
	}
}

func testInOrder(t *testing.T, h harness) {
	first, second := alertLines(0, 300), alertLines(300, 7)
	f := newFixture(t, h)
	f.start()
	h.feed(t, first...)
	got := f.take(len(first))
	h.feed(t, second...)
	got = append(got, f.take(len(second))...)
	f.stop()
	f.nothingElse()
	if diff := cmp.Diff(idsOf(t, append(first, second...)), got); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if n := f.rejected.Load(); n != 0 {
		t.Errorf("%d rejected, want none", n)
	}
	f.checkStatus()
}

func testRefused(t *testing.T, h harness) {
	lines := alertLines(0, 20)
	f := newFixture(t, h)
	f.refuse.Store(3)
	f.start()
	h.feed(t, lines...)
	got := f.take(len(lines))
	f.stop()
	f.nothingElse()
	if diff := cmp.Diff(idsOf(t, lines), got); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if n := f.refuse.Load(); n > 0 {
		t.Errorf("handle was to fail %d times more", n)
	}
	f.checkStatus()
}

func testNeighbours(t *testing.T, h harness) {
	lines := alertLines(0, 6)
	f := newFixture(t, h)
	f.start()
	h.spoil(t)
	h.feed(t, lines[:3]...)
	h.spoil(t)
	h.spoil(t)
	h.feed(t, lines[3:]...)
	got := f.take(len(lines))
	f.stop()
	f.nothingElse()
	if diff := cmp.Diff(idsOf(t, lines), got); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if n := f.rejected.Load(); n != 3 {
		t.Errorf("%d rejected, want 3", n)
	}
}

// testRestart stops the source while alerts flow. What it took before may come again, since
// delivery is at least once, but none may be missing.
func testRestart(t *testing.T, h harness) {
	lines := alertLines(0, 120)
	f := newFixture(t, h)
	f.start()
	var feeding sync.WaitGroup
	feeding.Go(func() {
		for _, line := range lines {
			h.feed(t, line)
		}
	})
	got := map[string]bool{}
	for range 3 {
		got[f.take(1)[0]] = true
	}
	for range 3 {
		f.stop()
		f.start()
		got[f.take(1)[0]] = true
	}
	for len(got) < len(lines) {
		got[f.take(1)[0]] = true
	}
	feeding.Wait()
	f.stop()
	for _, id := range idsOf(t, lines) {
		if !got[id] {
			t.Errorf("alert %s is missing", id)
		}
	}
}

func testNothing(t *testing.T, h harness) {
	f := newFixture(t, h)
	f.start()
	if s := f.src.Status(); s.State == "" || s.Since.IsZero() || !s.LastAlert.IsZero() {
		t.Errorf("status before any alert: %+v", s)
	}
	f.stop()
	f.nothingElse()
}

// patience is how long a test waits for what must come. It is only there to end a test that fails.
const patience = 30 * time.Second

// A fixture runs a source and keeps what it hands over.
type fixture struct {
	t        *testing.T
	h        harness
	env      Env
	src      Source
	stop     func()
	handed   chan string // the ID of each alert of a batch that handle accepted
	rejected atomic.Int64
	refuse   atomic.Int64 // how often handle is still to fail
	refused  atomic.Bool  // handle failed at its last call
}

func newFixture(t *testing.T, h harness) *fixture {
	f := &fixture{t: t, h: h, handed: make(chan string, 10_000)}
	f.env = testEnv(t)
	f.env.Rejected = func(string) { f.rejected.Add(1) }
	return f
}

func (f *fixture) start() {
	f.t.Helper()
	src := f.h.open(f.t, f.env)
	f.src = src
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- src.Run(ctx, func(ctx context.Context, events []event.Event) error {
			return f.handle(ctx, src, events)
		})
	}()
	var once sync.Once
	f.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					f.t.Errorf("Run: %v", err)
				}
			case <-time.After(patience):
				f.t.Error("Run does not return")
			}
		})
	}
	f.t.Cleanup(f.stop)
}

func (f *fixture) handle(ctx context.Context, src Source, events []event.Event) error {
	if len(events) == 0 {
		f.t.Error("handle was called with no alert")
	}
	if err := ctx.Err(); err != nil {
		f.t.Errorf("handle was called with a context that has ended: %v", err)
	}
	s := src.Status()
	if !slices.Contains([]string{"connected", "listening", "following"}, s.State) {
		f.t.Errorf("state while alerts come: %q", s.State)
	}
	if f.refused.Load() && s.LastError == "" {
		f.t.Error("handle failed, and the status names no error")
	}
	if f.refuse.Add(-1) >= 0 {
		f.refused.Store(true)
		return errors.New("disk full")
	}
	f.refused.Store(false)
	for i := range events {
		f.handed <- events[i].ID()
	}
	return nil
}

// take returns the IDs of the next n alerts that were handed over.
func (f *fixture) take(n int) []string {
	f.t.Helper()
	ids := make([]string, 0, n)
	late := time.After(patience)
	for len(ids) < n {
		select {
		case id := <-f.handed:
			ids = append(ids, id)
		case <-late:
			f.t.Fatalf("%d of %d alerts came; status %+v", len(ids), n, f.src.Status())
		}
	}
	return ids
}

// nothingElse is called when the source has stopped.
func (f *fixture) nothingElse() {
	f.t.Helper()
	if n := len(f.handed); n != 0 {
		f.t.Errorf("%d alerts more were handed over", n)
	}
}

// checkStatus is called when the source has stopped and all was well at the end.
func (f *fixture) checkStatus() {
	f.t.Helper()
	s := f.src.Status()
	if s.LastError != "" || s.LastAlert.IsZero() || s.Since.IsZero() {
		f.t.Errorf("status: %+v", s)
	}
}

// testEnv is an Env that logs to the test and keeps offsets in memory.
func testEnv(t testing.TB) Env {
	return Env{
		Name:     "test",
		Log:      zerolog.New(zerolog.NewTestWriter(t)),
		Rejected: func(string) {},
		Stamp:    NewStamp(),
		Offsets:  new(memoryOffsets),
	}
}

// A tally counts by name.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *tally) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

func (c *tally) of(name string) int { return c.all()[name] }

func (c *tally) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]int{}
	maps.Copy(all, c.n)
	return all
}

// memoryOffsets is Offsets in memory.
type memoryOffsets struct {
	mu    sync.Mutex
	saved map[string][]byte
}

func (m *memoryOffsets) LoadOffset(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.saved[key], nil
}

func (m *memoryOffsets) SaveOffset(_ context.Context, key string, offset []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.saved == nil {
		m.saved = map[string][]byte{}
	}
	m.saved[key] = slices.Clone(offset)
	return nil
}

// alertLines returns n different alerts as Falco 0.43 writes them, the first with number from. They
// have what is hard to carry unchanged: null, <NA>, a number beyond int64, bytes of JSON that need
// escapes.
func alertLines(from, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"hostname":"lab-node-1","output":"Critical Fileless execution %[1]d",`+
			`"output_fields":{"container.id":"host","evt.time":17954402040000%05[1]d,"evt.type":"execve",`+
			`"k8s.pod.name":null,"proc.cmdline":"4 caf\u00e9 \"x\"\n\t|=y","proc.exe_ino.ctime":16898550820625977688,`+
			`"proc.is_exe_from_memfd":true,"proc.name":"4","proc.pid":%[1]d,"user.name":"<NA>"},`+
			`"priority":"Critical","rule":"Fileless execution via memfd_create","source":"syscall",`+
			`"tags":["T1620","host"],"time":"2026-11-23T14:23:24.0000%05[1]dZ"}`, from+i)
	}
	return lines
}

// idsOf returns the IDs of alerts in Falco's JSON form.
func idsOf(t testing.TB, lines []string) []string {
	t.Helper()
	ids := make([]string, len(lines))
	for i, line := range lines {
		e, err := event.Parse([]byte(line), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = e.ID()
	}
	return ids
}
