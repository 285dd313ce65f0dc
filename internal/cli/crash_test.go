package cli

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestKilledWhileAlertsArrive: kill -9 at random moments while alerts are posted costs no alert that
// was acknowledged. The posters repeat what got no 200.
func TestKilledWhileAlertsArrive(t *testing.T) {
	kills, n := 6, 1500
	if soak {
		kills, n = 20, 5000
	}
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	lines, ids := alerts(t, n)

	work := make(chan []byte)
	var accepted atomic.Int64
	var posters sync.WaitGroup
	for range 16 {
		posters.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for line := range work {
				for !d.post(client, line) {
					if t.Context().Err() != nil {
						return
					}
				}
				accepted.Add(1)
			}
		})
	}
	go func() {
		defer close(work)
		for _, line := range lines {
			work <- line
		}
	}()

	p := d.run()
	for k := range kills {
		// Between this share of the alerts and the next, at a random point.
		at := int64((k+1)*n/(kills+2) + rand.IntN(n/(kills+2)))
		waitFor(t, "alerts to be accepted", func() bool { return accepted.Load() >= at })
		p.signal(syscall.SIGKILL)
		p = d.run()
	}
	posters.Wait()
	waitFor(t, "all reports to be delivered", func() bool {
		distinct, _ := receiver.got()
		return distinct >= n
	})
	if missing := receiver.missing(ids); len(missing) > 0 {
		t.Errorf("%d of %d lost: %v", len(missing), n, missing[0])
	}
	distinct, repeated := receiver.got()
	t.Logf("%d alerts, %d kills: %d reports at the receiver, %d repeated", n, kills, distinct, repeated)
	if repeated > kills*256 {
		t.Errorf("%d deliveries repeated by %d kills", repeated, kills)
	}
	p.signal(syscall.SIGTERM)
	if p.code() != 0 {
		t.Errorf("exit status %d", p.code())
	}
}

// TestStopWithReceiverDown: SIGTERM with a backlog ends within drain_timeout, and everything arrives
// after the next start.
func TestStopWithReceiverDown(t *testing.T) {
	receiver := newReceiver(t)
	receiver.setDown(true)
	// To the second only where it is measured alone: beside the tests of other packages, even the end
	// of a process takes its time.
	drain, limit := 2*time.Second, time.Minute
	if soak {
		drain, limit = 10*time.Second, 10*time.Second
	}
	d := newDaemon(t, receiver.URL, "\ndrain_timeout: "+drain.String()+"\n")
	const n = 1000
	lines, ids := alerts(t, n)
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, line := range lines {
		if !d.post(client, line) {
			t.Fatal("an alert was not accepted")
		}
	}
	began := time.Now()
	p.signal(syscall.SIGTERM)
	took := time.Since(began)
	if took > limit || p.code() != 0 {
		t.Errorf("ended with %d after %s", p.code(), took)
	}
	if distinct, _ := receiver.got(); distinct != 0 || !strings.Contains(p.logged(), "drain_timeout is over") {
		t.Errorf("%d delivered to a receiver that is down; the end does not tell of the rest", distinct)
	}
	receiver.setDown(false)
	p = d.run()
	waitFor(t, "the backlog", func() bool { distinct, _ := receiver.got(); return distinct >= n })
	if missing := receiver.missing(ids); len(missing) > 0 {
		t.Errorf("%d lost", len(missing))
	}
	p.signal(syscall.SIGTERM)
	t.Logf("%d undelivered, drain_timeout %s: ended after %s; all of them arrived after the restart", n, drain, took.Round(time.Millisecond))
}

// TestSimulatorComesAndGoes: over gRPC, whatever reaches the daemon reaches the webhook; and where
// Falco ended in order, that is everything that it sent.
func TestSimulatorComesAndGoes(t *testing.T) {
	n := 2000
	if soak {
		n = 10000
	}
	for _, mode := range []string{"get", "sub"} {
		for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(mode+" "+end.String(), func(t *testing.T) { testSimulatorComesAndGoes(t, n, mode, end) })
		}
	}
}

func testSimulatorComesAndGoes(t *testing.T, n int, mode string, end syscall.Signal) {
	receiver := newReceiver(t)
	socket := filepath.Join(t.TempDir(), "falco.sock")
	d := newDaemon(t, receiver.URL, "  falco: {type: falco_grpc, address: 'unix://"+socket+"', mode: "+mode+", poll: 20ms, quiet: {restarts: false}}")
	p := d.run()
	lines, ids := alerts(t, n)
	arrived := func(ids []string) int { return len(ids) - len(receiver.missing(ids)) }
	type ended struct {
		ids  []string
		sent int
	}
	var inOrder []ended
	const parts = 5
	for part := range parts {
		from, to := part*n/parts, (part+1)*n/parts
		s := start(t, "simulate", "--socket", socket, "--events", writeLines(t, lines[from:to]))
		want, by := 1+rand.IntN(to-from), end
		if part == parts-1 {
			want, by = to-from, syscall.SIGTERM // nothing cuts the last one short
		}
		waitFor(t, "alerts to come", func() bool { return arrived(ids[from:to]) >= want })
		s.signal(by)
		if by == syscall.SIGTERM {
			inOrder = append(inOrder, ended{ids[from:to], decode[map[string]int](t, s.stdout.String())["sent"]})
		}
	}
	matched := ""
	waitFor(t, "what reached the daemon", func() bool {
		matched = d.metric(`filelessd_alerts_matched_total{technique="memfd_exec"}`)
		return matched == strconv.Itoa(arrived(ids))
	})
	sent := 0
	for i, e := range inOrder {
		sent += e.sent
		if got := arrived(e.ids); got != e.sent {
			t.Errorf("simulator %d that ended in order sent %d, %d at the receiver", i+1, e.sent, got)
		}
	}
	p.signal(syscall.SIGTERM)
	distinct, repeated := receiver.got()
	t.Logf("%d alerts: %d sent by %d simulators that ended in order; %s reached the daemon, %d the receiver, %d of them again",
		n, sent, len(inOrder), matched, distinct, repeated)
}
