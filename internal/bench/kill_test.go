package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// TestKills: kill -9 of the real process at random points costs no alert that was acknowledged, and
// repeats no more than one batch to each sink. The posters repeat what got no 200. In the end each
// alert was at each webhook, or is counted in a summary that was: the log says in which, and the
// webhook how many that one counts.
func TestKills(t *testing.T) {
	began := time.Now()
	var sum totals
	many := 0
	for _, s := range stages {
		many += s.many
		t.Run(s.name, func(t *testing.T) { testKills(t, s, &sum) })
	}
	if many < 200 {
		t.Errorf("make soak makes %d kills, want 200", many)
	}
	t.Logf("%d kills in %s: %d alerts accepted, %d lost; %d deliveries repeated at two webhooks, at most %d at one by one kill",
		sum.kills, time.Since(began).Round(time.Second), sum.accepted, sum.lost, sum.repeated, sum.worst)
}

// totals are over all stages.
type totals struct{ kills, accepted, lost, repeated, worst int }

// killed is a daemon with two webhooks, one of them slower than the alerts come, which is killed again
// and again.
type killed struct {
	t         *testing.T
	filelessd *rig.Filelessd
	log       *os.File
	sent      *rig.Sent
	fast      *rig.Receiver
	slow      *rig.Receiver
	shape     rig.Shape
	process   *rig.Process

	posting sync.WaitGroup
	next    int // number of the next alert
	kills   int
	repeats map[*rig.Receiver]int
	worst   int           // repeats at one webhook by one kill
	longest time.Duration // start
	hits    int           // kills before the log was through with what it was doing, as the file shows
}

// slowBy is what makes the slow webhook slower than the alerts come.
const slowBy = 4 * time.Millisecond

func testKills(t *testing.T, s stage, sum *totals) {
	const most = 300_000
	k := &killed{t: t, sent: rig.NewSent(most), shape: s.shape, repeats: map[*rig.Receiver]int{}}
	if k.shape == "" {
		k.shape = rig.Distinct
	}
	k.open(s)
	kills := s.few
	if soak {
		kills = s.many
	}
	began := time.Now()
	for k.kills < kills {
		s.kill(k)
		k.countRepeats()
	}
	k.start()
	k.posting.Wait()
	for _, r := range []*rig.Receiver{k.fast, k.slow} {
		k.await("what was accepted", r, func(c rig.Counts) bool { return c.Distinct+c.Members >= k.sent.Accepted() })
		if lost := r.Missing() - r.Counts().Members; lost > 0 {
			t.Errorf("%d of %d accepted alerts did not come", lost, k.sent.Accepted())
			sum.lost += lost
		}
		sum.repeated += r.Counts().Duplicates
	}
	k.countRepeats()
	k.stop()
	k.countMembers()
	sum.kills, sum.accepted, sum.worst = sum.kills+k.kills, sum.accepted+k.sent.Accepted(), max(sum.worst, k.worst)
	t.Logf("%s: %d kills in %s, %d alerts accepted (%d posts without a 200, repeated); %d and %d deliveries repeated, at most %d by one kill; longest start %s%s",
		s.name, k.kills, time.Since(began).Round(time.Second), k.sent.Accepted(), k.sent.Refused(), k.fast.Counts().Duplicates,
		k.slow.Counts().Duplicates, k.worst, k.longest.Round(time.Millisecond), k.more())
}

func (k *killed) open(s stage) {
	t := k.t
	dir := t.TempDir()
	var err error
	if k.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.log.Close() })
	var sinks []rig.Sink
	for _, r := range []struct {
		name  string
		to    **rig.Receiver
		fault rig.Fault
	}{{"fast", &k.fast, rig.Fault{}}, {"slow", &k.slow, rig.Fault{Slow: slowBy}}} {
		receiver, err := rig.OpenReceiver(t.Context(), "127.0.0.1:0", k.sent)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { receiver.Close() })
		if err := receiver.Set(t.Context(), r.fault); err != nil {
			t.Fatal(err)
		}
		*r.to = receiver
		sinks = append(sinks, rig.Sink{Name: r.name, URL: receiver.URL(), Policy: "retry: {initial: 20ms, max: 200ms, give_up: 72h}"})
	}
	config := s.config
	if config == "" {
		config = "grouping: {enabled: false}"
	}
	if k.filelessd, err = rig.NewFilelessd(t.Context(), dir, config, sinks); err != nil {
		t.Fatal(err)
	}
}

// launch starts the daemon and does not wait for it.
func (k *killed) launch() {
	k.t.Helper()
	env := []string{asProgram + "=1", "GORACE=atexit_sleep_ms=0"}
	p, err := rig.Start(k.t.Context(), k.log, env, append([]string{os.Args[0]}, k.filelessd.Args()...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.process = p
}

// start starts the daemon and waits until it is ready.
func (k *killed) start() {
	k.t.Helper()
	k.launch()
	rig.CloseIdle()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	if err := k.process.Ready(ctx, k.filelessd.Ready); err != nil {
		k.t.Fatalf("%v\n%s", err, k.logged())
	}
	k.longest = max(k.longest, time.Since(k.process.Began))
}

func (k *killed) end() {
	k.t.Helper()
	if err := k.process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	k.kills++
	if code := k.process.ExitCode(); code != -1 {
		k.t.Fatalf("it ended by itself before it was killed, with %d\n%s", code, k.logged())
	}
}

// stop ends the daemon in order, to see that it still can.
func (k *killed) stop() {
	k.t.Helper()
	if err := k.process.Terminate(); err != nil || k.process.ExitCode() != 0 {
		k.t.Errorf("%v, exit status %d\n%s", err, k.process.ExitCode(), k.logged())
	}
}

func (k *killed) logged() string {
	data, err := os.ReadFile(k.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// post begins to post n alerts while during runs. What was begun by then goes on until it is accepted,
// by the daemon's next life.
func (k *killed) post(n, rate int, during func()) {
	stop := make(chan struct{})
	load := rig.Load{URL: k.filelessd.URL(), Posters: 16, Rate: rate, Shape: k.shape, From: k.next, To: k.next + n, Stop: stop}
	k.next += n
	k.posting.Go(func() { load.Run(k.t.Context(), k.sent) })
	during()
	close(stop)
}

// passes waits for a time, which is what makes a point random.
func (k *killed) passes(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.t.Context().Done():
	}
}

// await waits for something at a webhook, for as long as something comes.
func (k *killed) await(what string, r *rig.Receiver, done func(rig.Counts) bool) {
	k.t.Helper()
	for {
		before := r.Counts()
		ctx, cancel := context.WithTimeout(k.t.Context(), 30*time.Second)
		ok := r.Wait(ctx.Done(), done)
		cancel()
		if ok {
			return
		}
		if c := r.Counts(); c.Distinct == before.Distinct && c.Other == before.Other {
			k.t.Fatalf("%s: nothing for half a minute, at %+v of %d\n%s", what, c, k.sent.Accepted(), k.logged())
		}
	}
}

// countRepeats holds each kill to one batch.
func (k *killed) countRepeats() {
	k.t.Helper()
	for _, r := range []*rig.Receiver{k.fast, k.slow} {
		now := r.Counts().Duplicates
		by := now - k.repeats[r]
		k.repeats[r] = now
		k.worst = max(k.worst, by)
		if by > mostDuplicates {
			k.t.Errorf("one kill repeated %d deliveries", by)
		}
	}
}
