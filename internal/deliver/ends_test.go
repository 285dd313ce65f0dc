package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/store/storetest/faultdisk"
	"github.com/filelessd/filelessd/pkg/report"
)

var endsSeed = flag.Uint64("ends.seed", 0, "only this history of TestEveryAlertHasOneEndOnDisk")

// TestEveryAlertHasOneEndOnDisk is TestEveryAlertHasOneEnd with the real log on a disk that fails and
// loses its power, several sinks, and an operator who retries and drops dead letters. What became of
// each alert is judged by what came to the sinks and by what is on the disk in the end.
//
// A history follows from its seed but for the order in which goroutines run.
func TestEveryAlertHasOneEndOnDisk(t *testing.T) {
	seeds, until := uint64(2), time.Time{}
	if soak {
		seeds, until = 1<<62, time.Now().Add(10*time.Minute)
	}
	seen := tallyOfHistories{ends: map[string]int{}}
	first := uint64(0)
	if *endsSeed > 0 {
		first, seeds = *endsSeed, 1
	}
	seed := first
	defer func() {
		if t.Failed() {
			t.Logf("the last history: -ends.seed %d", seed)
		}
	}()
	for ; seed < first+seeds && (until.IsZero() || time.Now().Before(until)); seed++ {
		synctest.Test(t, func(t *testing.T) {
			h := newHistory(t, seed)
			h.run()
			h.check(&seen)
		})
		seen.histories++
	}
	t.Logf("%+v", seen)
	if *endsSeed > 0 {
		return
	}
	want := []string{"delivered", "filtered", "grouped", "silenced", "summary delivered", "suppression delivered"}
	if soak { // what is too rare for a few histories
		want = append(want, "dead", "dropped", "rate_limited", "summary dead", "suppression dead")
	}
	for _, end := range want {
		if seen.ends[end] == 0 {
			t.Errorf("nothing was %s: the test shows nothing of it", end)
		}
	}
	if seen.stops == 0 || seen.cuts == 0 || seen.refused == 0 || seen.reloads == 0 {
		t.Errorf("no stop, no power cut, no refused append or no reload: %+v", seen)
	}
}

// tallyOfHistories is what many histories had in them.
type tallyOfHistories struct {
	histories, alerts    int
	refused, stops, cuts int
	retried, again       int
	reloads              int
	ends                 map[string]int
}

// history is one random history of a daemon with several sinks.
type history struct {
	t   *testing.T
	rng *rand.Rand

	places []place
	life   *life
	disk   *faultdisk.Disk
	dir    string

	alerts   []*report.Report
	accepted map[string]bool
	silences []string
	tally    tallyOfHistories
}

// place is a sink over all lives of the daemon.
type place struct {
	name    string
	policy  Policy
	when    string
	wants   func(*report.Report) bool // the same as when
	batches bool
	sink    *scriptedSink
	mood    *mood
	dropped map[string]*report.Report // by an operator, or perhaps
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 3)), accepted: map[string]bool{}}
	for n := range 1 + h.rng.IntN(3) {
		h.places = append(h.places, h.newPlace(fmt.Sprint("sink-", n)))
	}
	return h
}

func (h *history) newPlace(name string) place {
	p := place{name: name, policy: DefaultPolicy(), sink: &scriptedSink{}, mood: &mood{}, dropped: map[string]*report.Report{}}
	p.policy.Start = "oldest"
	p.policy.Retry.GiveUp = time.Duration(1+h.rng.IntN(5)) * time.Hour
	switch h.rng.IntN(3) {
	case 0:
		p.wants = func(*report.Report) bool { return true }
	case 1:
		p.when = `severity >= medium`
		p.wants = func(r *report.Report) bool { return r.Severity.Rank() >= report.Medium.Rank() }
	case 2:
		p.when = `fields["proc.pid"] != "7" && rule != "rule 3"`
		p.wants = func(r *report.Report) bool {
			pid, _ := r.Event.Field("proc.pid")
			return pid != "7" && r.Event.Rule != "rule 3"
		}
	}
	if h.rng.IntN(3) == 0 {
		p.policy.RateLimit = RateLimit{PerMinute: 1 + h.rng.IntN(10)}
	}
	if p.batches = h.rng.IntN(3) == 0; p.batches {
		p.policy.Batch = Batch{Max: 2 + h.rng.IntN(20), Wait: time.Second}
	}
	p.sink.set(p.mood.answer)
	return p
}

func (h *history) run() {
	h.dir = h.t.TempDir()
	h.newDisk()
	h.begin()
	for range 20 {
		h.failing()
		for n := range h.places {
			h.places[n].mood.Store(h.rng.Int32N(moods))
		}
		h.flood()
		h.silence()
		h.operate()
		// A moment after what just happened, or in the middle of nothing.
		time.Sleep(time.Duration(h.rng.IntN([]int{50, 5000, 3600_000}[h.rng.IntN(3)])) * time.Millisecond)
		switch h.rng.IntN(6) {
		case 0:
			h.cut()
		case 1:
			h.nextTold()
			time.Sleep(time.Duration(h.rng.IntN(30)) * time.Millisecond)
			h.cut()
		case 2:
			h.stop(h.rng.IntN(2) == 0)
			h.begin()
		case 3:
			h.reload()
		}
	}
	h.disk.Plan(nil)
	for n := range h.places {
		h.places[n].mood.Store(0)
	}
	time.Sleep(20 * time.Hour)
	synctest.Wait()
}

// flood appends alerts as a source does: what is not on the disk in time is refused, and may be there all
// the same.
func (h *history) flood() {
	for range h.rng.IntN(4) {
		var records []store.Record
		for range h.rng.IntN(60) {
			r := randomAlert(h.rng, len(h.alerts))
			body, err := report.Marshal(r)
			if err != nil {
				h.t.Fatal(err)
			}
			h.alerts = append(h.alerts, r)
			records = append(records, store.Record{ID: r.ID, At: r.Event.Time, Body: body, Value: r})
		}
		ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Second)
		_, err := h.life.log.Append(ctx, records...)
		cancel()
		for _, r := range records {
			if h.accepted[r.ID] = err == nil; err != nil {
				h.tally.refused++
			}
		}
	}
}

func (h *history) silence() {
	switch h.rng.IntN(6) {
	case 0:
		matcher := []string{`rule == "rule 1"`, `hostname == "node-3"`, `severity == low`}[h.rng.IntN(3)]
		id, err := h.life.silences.Add(h.t.Context(), matcher, "ann", "chaos", time.Now().Add(time.Duration(1+h.rng.IntN(5000))*time.Second))
		if err == nil {
			h.silences = append(h.silences, id)
		}
	case 1:
		if len(h.silences) > 0 {
			_ = h.life.silences.Expire(h.t.Context(), h.silences[h.rng.IntN(len(h.silences))]) // may be over
		}
	}
}

// operate has an operator retry or drop some dead letters of a sink.
func (h *history) operate() {
	do := h.rng.IntN(8)
	if do > 1 {
		return
	}
	n := h.rng.IntN(len(h.places))
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	var letters []Undelivered
	err := h.life.workers[n].DeadLetters(ctx, func(u Undelivered) error {
		letters = append(letters, u)
		return nil
	})
	if err != nil {
		return // the disk fails
	}
	for _, u := range letters {
		switch {
		case h.rng.IntN(2) == 0:
		case do == 0:
			if h.life.workers[n].Retry(ctx, u.ID) == nil {
				h.tally.retried++
			}
		case h.rng.IntN(2) == 0:
			// Also with an error it may be done: only the answer is missing then.
			if err := h.life.workers[n].Drop(ctx, u.ID); err == nil || !errors.Is(err, ErrNoDeadLetter) {
				h.places[n].dropped[u.ID] = reportOf(h.t, u)
			}
		}
	}
}

func reportOf(t *testing.T, u Undelivered) *report.Report {
	t.Helper()
	r := new(report.Report)
	if err := json.Unmarshal(u.Report, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// failing has the disk fail from now on, or not at all. It answers no reads for less than a minute: what
// can not be read for longer counts as damaged, and is lost with a notice.
func (h *history) failing() {
	kind := []faultdisk.Fault{faultdisk.EIO, faultdisk.Full, faultdisk.Short}[h.rng.IntN(3)]
	often, rng := h.rng.IntN(4), rand.New(rand.NewPCG(h.rng.Uint64(), 4))
	if h.rng.IntN(3) > 0 {
		h.disk.Plan(nil)
		return
	}
	began := time.Now()
	h.disk.Plan(func(op faultdisk.Op, _ string) faultdisk.Fault {
		if op == faultdisk.Read && (kind != faultdisk.EIO || time.Since(began) > 50*time.Second) || rng.IntN(4) < often {
			return faultdisk.None
		}
		return kind
	})
}
