package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/bench/rig"
	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/server"
)

// A stage is what the daemon is busy with when it is killed.
type stage struct {
	name string
	// config is what the configuration has at the top besides.
	config string
	// shape of the alerts; distinct if empty.
	shape rig.Shape
	// At least so few kills are made by make test, and so many by make soak.
	few, many int
	// kill runs the daemon until a random point and kills it there.
	kill func(*killed)
}

var stages = []stage{
	{name: "intake", few: 2, many: 70, kill: (*killed).whileAlertsCome},
	{name: "start", few: 3, many: 60, kill: (*killed).whileItStarts},
	{name: "delivery", few: 2, many: 60, kill: (*killed).whileItDelivers},
	{name: "settle", few: 1, many: 60, kill: (*killed).whileItSettles},
	{name: "grouping, one attack", few: 1, many: 30, config: soonGrouped, shape: rig.Alike, kill: (*killed).whileItGroups},
	{name: "grouping, many hosts", few: 1, many: 30, config: soonGrouped, shape: rig.Hosts, kill: (*killed).whileItGroups},
	{name: "migration", few: 2, many: 60, kill: (*killed).whileItMigrates},
	{name: "compaction", few: 1, many: 40, kill: (*killed).whileItCompacts},
}

// soonGrouped has summaries come while the daemon is killed, and groups be forgotten.
const soonGrouped = "grouping: {enabled: true, interval: 200ms, max_interval: 1s}"

// whileAlertsCome kills at any time while alerts are posted, and posts on until the daemon is back.
func (k *killed) whileAlertsCome() {
	k.start()
	k.post(2000, 2500, func() {
		k.passes(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
		k.end()
	})
}

// whileItStarts kills between the start of the process and its being ready: while the log is opened,
// after the kill before left it as it was.
func (k *killed) whileItStarts() {
	k.start()
	accepted := k.sent.Accepted()
	k.post(100, 0, func() {
		k.await("an alert", k.fast, func(rig.Counts) bool { return k.sent.Accepted() > accepted })
		k.end()
	})
	for range 2 {
		k.launch()
		k.passes(time.Duration(rand.Int64N(int64(k.longest))))
		k.end()
	}
}

// whileItDelivers kills while nothing comes and a backlog goes out.
func (k *killed) whileItDelivers() {
	if err := k.fast.Set(k.t.Context(), rig.Fault{Down: true}); err != nil {
		k.t.Fatal(err)
	}
	k.start()
	from := k.sent.Accepted()
	const backlog = 400
	k.post(backlog, 0, func() {
		k.await("the slow one's first", k.slow, func(rig.Counts) bool { return k.sent.Accepted() >= from+backlog/2 })
	})
	k.end()
	if err := k.fast.Set(k.t.Context(), rig.Fault{}); err != nil {
		k.t.Fatal(err)
	}
	k.start()
	at := k.fast.Counts().Distinct + rand.IntN(backlog/2)
	k.await("a part of the backlog", k.fast, func(c rig.Counts) bool { return c.Distinct >= at })
	k.end()
}

// whileItSettles kills within the time that a delivery needs to be settled, which a group commit can
// be long.
func (k *killed) whileItSettles() {
	k.start()
	before := k.fast.Counts().Distinct
	k.post(300, 500, func() {
		k.await("a delivery", k.fast, func(c rig.Counts) bool { return c.Distinct > before+rand.IntN(40) })
		k.passes(time.Duration(rand.Int64N(int64(25 * time.Millisecond))))
		k.end()
	})
}

// whileItGroups kills between the first alert of a flood and some time after its end, so that what is
// counted, made or told of is lost at any point of that.
func (k *killed) whileItGroups() {
	k.start()
	flood, after := time.Duration(rand.Int64N(int64(160*time.Millisecond))), time.Duration(rand.Int64N(int64(500*time.Millisecond)))
	k.post(400, 2500, func() {
		k.passes(flood)
		if rand.IntN(2) == 0 {
			k.end()
			after = 0
		}
	})
	if after > 0 {
		k.passes(after)
		k.end()
	}
}

// whileItMigrates kills while a file of schema 1 with a backlog is opened; and, where the first kill came
// before that was through, while what it left is.
func (k *killed) whileItMigrates() {
	k.start()
	from := k.sent.Accepted()
	k.post(100, 0, func() {
		k.await("some alerts", k.slow, func(rig.Counts) bool { return k.sent.Accepted() >= from+50 })
	})
	k.posting.Wait()
	k.stop()
	k.makeSchema1()
	for range 2 {
		k.launch()
		k.whenOpened()
		k.passes(time.Duration(rand.Int64N(int64(15 * time.Millisecond))))
		k.end()
		if k.copied("PRAGMA user_version") != 1 {
			return
		}
		k.hits++
	}
}

// whenOpened waits until the daemon has begun to write to the log, which it does when it opens one.
func (k *killed) whenOpened() {
	for began := time.Now(); ; k.passes(time.Millisecond / 2) {
		if _, err := os.Stat(k.file() + "-wal"); err == nil || time.Since(began) > time.Minute {
			return
		}
	}
}

// whileItCompacts kills while the log gives back room, as it does of itself and as it is asked to,
// and alerts come.
func (k *killed) whileItCompacts() {
	k.start()
	k.stop()
	full := k.makeRoom()
	k.start()
	compacted := make(chan error, 1)
	go func() { compacted <- k.compact() }()
	k.post(300, 1000, func() {
		k.passes(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
		k.end()
	})
	err := <-compacted
	if free := k.freePages(); err != nil && free > 0 && free < full {
		k.hits++
	}
}

// compact asks the daemon as filelessd store compact does, which would do it itself where there is no
// daemon.
func (k *killed) compact() error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return listen.DialPrivate(ctx, filepath.Join(filepath.Dir(k.file()), server.ControlName))
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodPost, "http://filelessd"+server.ControlPath+app.CommandStoreCompact, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err // it was killed
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		k.t.Errorf("store compact: %d %s", resp.StatusCode, said)
	}
	return err
}
