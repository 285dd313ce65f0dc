package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestADayOfAFlappingReceiver: 24 hours of a receiver that comes and goes, on the real log. Repeats,
// new attacks and an attack on a fleet come in all the time, and some of them are silenced. Nothing
// grows beyond its bounds.
func TestADayOfAFlappingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		var early usage
		for hour := range 24 {
			d.hour()
			now := d.usage()
			if hour%6 == 5 {
				t.Logf("after %d hours and %d alerts: %+v", hour+1, d.sent, now)
			}
			if hour == 5 {
				early = now
			}
		}
		d.flap(false)
		time.Sleep(10 * time.Hour) // groups are told of, and forgotten
		synctest.Wait()
		d.log.append(d.t, hostAttack().report())
		time.Sleep(time.Minute)
		synctest.Wait()
		late := d.usage()
		if s := d.worker.Status(); s.Backlog > 0 || s.Parked > 0 {
			t.Errorf("left behind: %+v", s)
		}
		if late.goroutines > early.goroutines || late.heap > early.heap+4<<20 || late.disk > early.disk+2<<20 || late.files > early.files {
			t.Errorf("after six hours %+v, after a day and a rest %+v", early, late)
		}
		if late.groups > 10 {
			t.Errorf("%d groups are kept after a rest", late.groups)
		}
		d.end()
	})
}

// realLog is the real log, with what the tests of this package need.
type realLog struct {
	*store.Log
	n uint64
}

func (l *realLog) append(t *testing.T, r *report.Report) {
	t.Helper()
	body, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	l.n++
	if _, err := l.Append(t.Context(), store.Record{ID: r.ID, At: r.Event.Time, Body: body, Value: r}); err != nil {
		t.Fatal(err)
	}
}

type day struct {
	t      *testing.T
	dir    string
	log    *realLog
	sink   *scriptedSink
	worker *Worker
	rng    *rand.Rand
	down   atomic.Bool
	sent   int
	cancel context.CancelFunc
	ended  chan error
}

type usage struct {
	goroutines int
	heap, disk int64
	files      int // in the directory of the log
	groups     int
}

func newDay(t *testing.T) *day {
	d := &day{t: t, dir: t.TempDir(), sink: &scriptedSink{}, rng: rand.New(rand.NewPCG(7, 7)), ended: make(chan error, 1)}
	config := store.DefaultConfig()
	config.Retention = time.Hour
	log, err := store.Open(t.Context(), d.dir, config)
	if err != nil {
		t.Fatal(err)
	}
	d.log = &realLog{Log: log}
	silences, err := OpenSilences(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := silences.Add(t.Context(), `rule == "silent"`, "ann", "a test", time.Now().Add(20*time.Hour)); err != nil {
		t.Fatal(err)
	}
	policy := DefaultPolicy()
	policy.RateLimit.PerMinute = 30
	d.sink.set(func(ctx context.Context, r *report.Report) error {
		if !d.down.Load() {
			return nil
		}
		if len(r.ID)%2 == 0 && r.Score%2 == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return errDown
	})
	d.sink.forget = true
	d.worker, err = New(t.Context(), Options{
		Name: "s", Sink: d.sink, Policy: policy, Log: log, State: log, Metrics: NewMetrics(prometheus.NewRegistry()),
		Logger: zerolog.Nop(), Grouping: DefaultGrouping(), Silences: silences, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.cancel = cancel
	go func() { d.ended <- d.worker.Run(ctx, nil) }()
	return d
}

// hour has the receiver change its mind every few minutes.
func (d *day) hour() {
	for begin := time.Now(); time.Since(begin) < time.Hour; {
		d.flap(!d.down.Load())
		for stop := time.Now().Add(time.Duration(1+d.rng.IntN(10)) * time.Minute); time.Now().Before(stop); {
			d.log.append(d.t, d.alert())
			time.Sleep(20 * time.Second)
		}
	}
	synctest.Wait()
}

func (d *day) flap(down bool) {
	synctest.Wait()
	d.down.Store(down)
}

func (d *day) alert() *report.Report {
	d.sent++
	a := imageAttack()
	a.at, a.pid = time.Now(), d.sent
	switch d.rng.IntN(6) {
	case 0:
		a.parent = fmt.Sprintf("/opt/%c%c%c", 'a'+rune(d.sent%26), 'a'+rune(d.sent/26%26), 'a'+rune(d.sent/676%26))
	case 1:
		a.host = fmt.Sprint("node-", d.sent)
	case 2:
		a.image, a.host, a.container = "", fmt.Sprint("node-", d.sent), "host"
	case 3:
		a.rule = "silent"
	}
	return a.report()
}

func (d *day) usage() usage {
	synctest.Wait()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{goroutines: runtime.NumGoroutine(), heap: int64(m.HeapAlloc)}
	files, err := filepath.Glob(filepath.Join(d.dir, "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	u.files = len(files)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			d.t.Fatal(err)
		}
		u.disk += info.Size()
	}
	if u.groups, err = d.log.CountCursorState(d.t.Context(), "s", kindGroup); err != nil {
		d.t.Fatal(err)
	}
	return u
}

func (d *day) end() {
	d.cancel()
	if err := <-d.ended; err != nil {
		d.t.Error(err)
	}
	if err := d.log.Close(); err != nil {
		d.t.Error(err)
	}
}
