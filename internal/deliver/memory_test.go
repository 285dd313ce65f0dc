package deliver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// threadSink notes the thread of each report, and remembers the first report of each.
type threadSink struct {
	*scriptedSink
	memory  *Memory
	mu      sync.Mutex
	threads map[string]string // by report
}

func (s *threadSink) remember(m *Memory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory = m
}

func (s *threadSink) Deliver(ctx context.Context, r *report.Report) error {
	key := sink.ThreadKey(ctx, r)
	err := s.scriptedSink.Deliver(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.threads[r.ID] = key
	if _, ok := s.memory.Get(key); err == nil && !ok {
		s.memory.Put(key, "first "+r.ID)
	}
	return err
}

// TestThreads: the first alert of an attack, others of it that go out, and its summaries are of one
// thread, before and after a restart.
func TestThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		var s *threadSink
		b.wrap = func(inner *scriptedSink) sink.Sink {
			s = &threadSink{scriptedSink: inner, threads: map[string]string{}}
			return s
		}
		start := func() { b.start(); s.remember(b.memory) }
		start()
		a := imageAttack()
		first := a.report()
		more := repeats(a, 4)
		more[1].Severity = report.Critical // goes out by itself
		b.log.append(append([]*report.Report{first}, more...)...)
		time.Sleep(2 * time.Minute)
		b.stop()
		key := KeyOf(first).Group
		summary := b.sink.ofKind(report.KindSummary)[0]
		for _, id := range []string{first.ID, more[1].ID, summary.ID} {
			if s.threads[id] != key {
				t.Errorf("%s is of thread %q, want %q", id, s.threads[id], key)
			}
		}
		start()
		synctest.Wait()
		if got, ok := b.memory.Get(key); !ok || got != "first "+first.ID {
			t.Errorf("after a restart the memory has %q, %v", got, ok)
		}
		b.stop()
	})
}

// TestThreadOfAnAlertAlone: without groups, an alert is a thread of its own.
func TestThreadOfAnAlertAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var s *threadSink
		b.wrap = func(inner *scriptedSink) sink.Sink {
			s = &threadSink{scriptedSink: inner, threads: map[string]string{}}
			return s
		}
		b.start()
		s.remember(b.memory)
		r := imageAttack().report()
		b.log.append(r)
		synctest.Wait()
		b.stop()
		if s.threads[r.ID] != r.ID {
			t.Errorf("thread %q, want the id", s.threads[r.ID])
		}
	})
}

// TestMemoryOfAParkedReport: it keeps its thread, though its group may be forgotten.
func TestMemoryOfAParkedReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		var s *threadSink
		b.wrap = func(inner *scriptedSink) sink.Sink {
			s = &threadSink{scriptedSink: inner, threads: map[string]string{}}
			return s
		}
		a := imageAttack()
		bad := a.report()
		b.sink.set(func(_ context.Context, r *report.Report) error {
			if r.ID == bad.ID {
				return errDown
			}
			return nil
		})
		b.start()
		s.remember(b.memory)
		b.log.append(bad)
		for n := range 20 {
			a.host, a.cmdline = fmt.Sprint("h", n), strings.Repeat("x", n+1)+" %d"
			b.log.append(a.report())
			time.Sleep(time.Minute)
		}
		b.stop()
		b.sink.set(nil)
		b.start()
		s.remember(b.memory)
		time.Sleep(3 * time.Hour)
		b.stop()
		if len(b.sink.triesOf(bad.ID)) == 0 || s.threads[bad.ID] != KeyOf(bad).Group {
			t.Errorf("thread %q, want %q", s.threads[bad.ID], KeyOf(bad).Group)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(Memory)
		for n := range mostRemembered + 2 {
			m.Put(fmt.Sprint(n), "v")
		}
		m.Put(strings.Repeat("k", sink.MaxStateKey+1), "v")
		m.Put("long", strings.Repeat("v", sink.MaxStateValue+1))
		for key, want := range map[string]bool{"0": false, "1": false, "2": true, "long": false, strings.Repeat("k", sink.MaxStateKey+1): false} {
			if _, ok := m.Get(key); ok != want {
				t.Errorf("%.10s: %v", key, ok)
			}
		}
		m.Put("2", "")
		if _, ok := m.Get("2"); ok {
			t.Error("an empty value is kept")
		}
		if n := len(m.changes()); n != mostRemembered+2 {
			t.Errorf("%d changes", n)
		}
		if m.unsaved() {
			t.Error("changes are told twice")
		}
		time.Sleep(rememberFor)
		if _, ok := m.Get("5"); ok {
			t.Error("remembered for too long")
		}
		m.Put("new", "v")
		if len(m.byKey) != 1 || m.age.Len() != 1 {
			t.Errorf("%d values are kept", len(m.byKey))
		}
	})
}

// TestMemoryInOneSettlement: after a crash there is what was settled, in the order of its age.
func TestMemoryInOneSettlement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := new(Memory), new(Memory)
		for n := range 5 {
			before.Put(fmt.Sprint(5-n), "v")
			time.Sleep(time.Second)
		}
		for _, c := range before.changes() {
			if err := after.restore(c); err != nil {
				t.Fatal(err)
			}
		}
		after.ready()
		var order []string
		for e := after.age.Front(); e != nil; e = e.Next() {
			order = append(order, e.Value.(*remembered).key)
		}
		if fmt.Sprint(order) != "[5 4 3 2 1]" || after.unsaved() {
			t.Errorf("%v, unsaved %v", order, after.unsaved())
		}
	})
}
