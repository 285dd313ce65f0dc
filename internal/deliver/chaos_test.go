package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// chaos is one random history.
type chaos struct {
	*bench
	rng     *rand.Rand
	mood    atomic.Int32
	sent    []*report.Report
	crashes int
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{bench: newGroupBench(t), rng: rand.New(rand.NewPCG(seed, 2))}
	c.policy.Retry.GiveUp = 4 * time.Hour
	c.when = []string{"", `severity >= medium`, `fields["proc.pid"] != "7"`}[c.rng.IntN(3)]
	if c.rng.IntN(3) == 0 {
		c.policy.RateLimit = RateLimit{PerMinute: 1 + c.rng.IntN(10)}
	}
	if c.rng.IntN(3) == 0 {
		c.policy.Batch = Batch{Max: 20, Wait: time.Second}
		c.wrap = func(s *scriptedSink) sink.Sink { return &batchSink{scriptedSink: s} }
	}
	c.sink.set(moody(&c.mood, func(r *report.Report) int {
		h := fnv.New32a()
		h.Write([]byte(r.ID))
		return int(h.Sum32() % 100_000)
	}))
	return c
}

func (c *chaos) alert() *report.Report {
	r := randomAlert(c.rng, len(c.sent))
	c.sent = append(c.sent, r)
	return r
}

func (c *chaos) run() {
	c.start()
	var silences []string
	for range 30 {
		var more []*report.Report
		for range c.rng.IntN(150) {
			more = append(more, c.alert())
		}
		c.log.append(more...)
		c.mood.Store(c.rng.Int32N(moods))
		c.breakDisk()
		switch c.rng.IntN(6) {
		case 0:
			id, err := c.silences.Add(c.t.Context(), fmt.Sprintf("rule == \"rule %d\"", c.rng.IntN(4)), "ann", "chaos", time.Now().Add(time.Duration(1+c.rng.IntN(5000))*time.Second))
			if err == nil {
				silences = append(silences, id)
			}
		case 1:
			if len(silences) > 0 {
				_ = c.silences.Expire(c.t.Context(), silences[c.rng.IntN(len(silences))]) // may be over
			}
		}
		time.Sleep(time.Duration(c.rng.IntN(3600*1000)) * time.Millisecond)
		c.restart()
	}
	c.breakDiskWith(nil, nil)
	c.mood.Store(0)
	time.Sleep(48 * time.Hour)
	synctest.Wait()
}

func (c *chaos) breakDisk() {
	switch c.rng.IntN(6) {
	case 0:
		c.breakDiskWith(errors.New("disk full"), nil)
	case 1:
		c.breakDiskWith(nil, errors.New("no answer"))
	default:
		c.breakDiskWith(nil, nil)
	}
}

func (c *chaos) breakDiskWith(fail, forget error) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.fail, c.log.forget = fail, forget
}

// restart ends the worker in one of three ways, or not at all.
func (c *chaos) restart() {
	switch c.rng.IntN(6) {
	case 0:
		c.crash()
		c.crashes++
	case 1:
		c.cancel()
		c.await()
		c.crashes++
	case 2:
		close(c.drain)
		time.Sleep(10 * time.Second)
		c.cancel()
		c.await()
		c.crashes++
	default:
		return
	}
	c.start()
}

// check counts the end of each alert.
func (c *chaos) check(seen *tallyOfEnds) {
	c.stop()
	t := c.t
	ended := c.endsOfReports()
	counted := map[string]int{}
	withheld, told := 0, 0
	for n, r := range c.sent {
		o, ok := c.log.endings[uint64(n+1)]
		if !ok {
			t.Fatalf("alert %d has no end", n)
		}
		end := Outcome(o.Result)
		switch end {
		case Delivered, Dead:
			if ended[r.ID] != end {
				t.Errorf("alert %d is said to be %s, and is %q", n, end, ended[r.ID])
			}
		case Filtered:
			if wants, _ := c.worker.When.Report(r); wants {
				t.Errorf("alert %d was wanted, and filtered", n)
			}
		case Grouped:
			counted[summaryOf(o)]++
		case Silenced, RateLimited:
			withheld++
		default:
			t.Errorf("alert %d ended %s", n, end)
		}
		if seen.outcomes == nil {
			seen.outcomes = map[Outcome]int{}
		}
		seen.outcomes[end]++
	}
	seen.alerts += len(c.sent)
	for id, r := range c.made() {
		switch {
		case r.Kind == report.KindSuppression:
			told += r.Group.Count
		case counted[id] != r.Group.Count:
			t.Errorf("summary %s counts %d, of %d members", id, r.Group.Count, counted[id])
		}
		delete(counted, id)
	}
	if len(counted) > 0 || told != withheld {
		t.Errorf("%d summaries never came; %d of %d withheld alerts were told of", len(counted), told, withheld)
	}
	if len(c.log.twice) > 0 {
		t.Errorf("%d alerts ended twice: %s", len(c.log.twice), c.log.twice[0])
	}
	repeated := len(c.sink.taken()) - len(slices.Compact(sorted(c.sink.taken())))
	if repeated > c.crashes*(window+mostMade) {
		t.Errorf("%d repeated by %d restarts", repeated, c.crashes)
	}
	if c.log.cursor() != uint64(len(c.sent)) || len(c.log.kept(KindParked))+len(c.log.kept(kindMade)) > 0 {
		t.Errorf("cursor %d of %d, parked %v, made %v", c.log.cursor(), len(c.sent), c.log.kept(KindParked), c.log.kept(kindMade))
	}
}

// endsOfReports says which reports were taken, and which are dead letters.
func (c *chaos) endsOfReports() map[string]Outcome {
	ended := map[string]Outcome{}
	for _, id := range c.sink.taken() {
		ended[id] = Delivered
	}
	for _, id := range c.log.kept(KindDead) {
		ended[id] = Dead
	}
	return ended
}

// made returns the reports that the worker made, and that were taken or are dead letters.
func (c *chaos) made() map[string]*report.Report {
	all := map[string]*report.Report{}
	for id, r := range c.sink.told {
		all[id] = r
	}
	for _, id := range c.log.kept(KindDead) {
		var u Undelivered
		r := new(report.Report)
		if err := errors.Join(json.Unmarshal(c.log.state["s"][[2]string{KindDead, id}], &u), json.Unmarshal(u.Report, r)); err != nil {
			c.t.Fatal(err)
		}
		if r.Kind != report.KindAlert {
			all[id] = r
		}
	}
	return all
}
