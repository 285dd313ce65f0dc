package deliver

import (
	"context"
	"errors"
	"hash/fnv"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/store/storetest/faultdisk"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// mood is how a sink answers at present, after a time that belongs to the report.
type mood struct{ atomic.Int32 }

func (m *mood) answer(ctx context.Context, r *report.Report) error {
	h := fnv.New32a()
	h.Write([]byte(r.ID))
	n := int(h.Sum32() % 100_000)
	select {
	case <-time.After(time.Duration(n%40) * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.Load() == 4 && n%5 == 0 {
		return sink.Permanent(errDown)
	}
	return moody(&m.Int32, func(*report.Report) int { return n })(ctx, r)
}

// life is one run of the daemon.
type life struct {
	log      *store.Log
	silences *Silences
	workers  []*Worker
	gone     atomic.Bool   // its machine has no power
	told     chan struct{} // filled when a summary, or a report of what was withheld, has come
	drain    chan struct{}
	cancel   context.CancelFunc
	ended    chan error
}

// mortal is a sink as one life has it: what is sent once the power is gone does not arrive.
type mortal struct {
	*scriptedSink
	life *life
}

var errGone = errors.New("no power")

func (m *mortal) Deliver(ctx context.Context, r *report.Report) error {
	if m.life.gone.Load() {
		return errGone
	}
	err := m.scriptedSink.Deliver(ctx, r)
	if err == nil && r.Kind != report.KindAlert {
		select {
		case m.life.told <- struct{}{}:
		default:
		}
	}
	return err
}

type mortalBatch struct{ *mortal }

func (m *mortalBatch) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	for n, r := range rs {
		errs[n] = m.Deliver(ctx, r)
	}
	return errs
}

func (h *history) newDisk() {
	h.t.Helper()
	if h.disk != nil {
		h.disk.Remove()
	}
	var err error
	if h.disk, err = faultdisk.New(h.dir, h.rng.Uint64()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.disk.Remove)
}

// begin starts the daemon, on a disk that works for so long.
func (h *history) begin() {
	h.t.Helper()
	h.disk.Plan(nil)
	log, err := store.Open(h.t.Context(), h.dir, store.DefaultConfig())
	if err != nil {
		h.t.Fatal(err)
	}
	l := &life{log: log, told: make(chan struct{}, 1), drain: make(chan struct{}), ended: make(chan error, len(h.places))}
	if l.silences, err = OpenSilences(h.t.Context(), log); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	l.cancel = cancel
	for _, p := range h.places {
		program, err := when.Compile(p.when)
		if err != nil {
			h.t.Fatal(err)
		}
		w, err := New(h.t.Context(), Options{
			Name: p.name, Sink: l.sinkOf(p), Policy: p.policy, When: program, Log: log, State: log,
			Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop(),
			Grouping: DefaultGrouping(), Silences: l.silences, Version: "test",
		})
		if err != nil {
			h.t.Fatal(err)
		}
		l.workers = append(l.workers, w)
		go func() { l.ended <- w.Run(ctx, l.drain) }()
	}
	h.life = l
}

// sinkOf is a place as this life has it.
func (l *life) sinkOf(p place) sink.Sink {
	if p.batches {
		return &mortalBatch{&mortal{p.sink, l}}
	}
	return &mortal{p.sink, l}
}

// reload gives a worker what a configuration that was read again may bring: another sink for the same
// place, another policy, or both, in the middle of whatever it is at.
func (h *history) reload() {
	h.t.Helper()
	h.tally.reloads++
	n := h.rng.IntN(len(h.places))
	p := &h.places[n]
	if p.policy.RateLimit = (RateLimit{}); h.rng.IntN(3) == 0 {
		p.policy.RateLimit.PerMinute = 1 + h.rng.IntN(10)
	}
	p.policy.Concurrency = 1 + h.rng.IntN(8)
	program, err := when.Compile(p.when)
	if err != nil {
		h.t.Fatal(err)
	}
	by := Replacement{Policy: p.policy, When: program, Grouping: DefaultGrouping()}
	if h.rng.IntN(2) == 0 {
		by.Sink = h.life.sinkOf(*p)
	}
	released, err := h.life.workers[n].Replace(h.t.Context(), by)
	if err != nil {
		h.t.Fatal(err)
	}
	<-released
}

// stop ends the daemon in order, with or without time to deliver what is left.
func (h *history) stop(inTime bool) {
	h.tally.stops++
	close(h.life.drain)
	if inTime {
		time.Sleep(10 * time.Second)
	}
	h.over()
}

// over waits for the end of a life. That it could not save how far it was is no failure.
func (h *history) over() {
	h.life.cancel()
	for range h.places {
		if err := <-h.life.ended; err != nil && !h.life.gone.Load() {
			h.t.Logf("run: %v", err)
		}
	}
	_ = h.life.log.Close()
	synctest.Wait()
}

// nextTold waits until a summary comes.
func (h *history) nextTold() {
	select { // one that came before
	case <-h.life.told:
	default:
	}
	select {
	case <-h.life.told:
	case <-time.After(time.Hour):
	}
}

// cut takes the power from the machine: the next life has what was on the disk by then.
func (h *history) cut() {
	h.t.Helper()
	h.tally.cuts++
	h.life.gone.Store(true)
	next := h.t.TempDir()
	if err := h.disk.Cut(next); err != nil {
		h.t.Fatal(err)
	}
	h.disk.Plan(func(faultdisk.Op, string) faultdisk.Fault { return faultdisk.EIO })
	h.over()
	h.dir = next
	h.newDisk()
	h.begin()
}
