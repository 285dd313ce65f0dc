package main

import (
	"fmt"
	"regexp"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// scenario is one row of the table.
type scenario struct {
	name    string
	n       int // alerts
	posters int
	rate    int // a second; 0 for as many as go
	shape   rig.Shape
	// script is how the webhook behaves. Where it misbehaves, a second one that is healthy shows
	// whether it notices.
	script string
	// clean is how long the script is good first, to compare with.
	clean  time.Duration
	kill   syscall.Signal
	killAt int // accepted alerts
	// settle waits for the memory to go back.
	settle   bool
	grouping bool
	backlog  bool
	// reloads is how often the configuration is read again, evenly over the time after clean.
	reloads int
	perSec  float64 // deliveries at least; 0 for no bound
}

// table returns the rows that the README shows; quick ones are for seeing that they work.
func table(quick, grouping bool, backlog int) []scenario {
	flood, single, clean, fault := 50_000, 10_000, 10*time.Second, 10*time.Second
	reloads, reloadRate := 100, 1000
	if quick {
		reloads, reloadRate = 10, 200
		flood, single, clean, fault = 2_000, 500, time.Second, time.Second
		backlog = min(backlog, 5_000)
	}
	// What is posted before, during and half as long after the fault.
	during := func(rate int) int { return rate * int((clean+fault+fault/2)/time.Millisecond) / 1000 }
	faulty := func(name, what string, rate int) scenario {
		return scenario{name: name, n: during(rate), posters: 16, rate: rate, shape: rig.Distinct,
			clean: clean, script: fmt.Sprintf("ok@%s %s", clean, what)}
	}
	rows := []scenario{
		{name: "fast-16-posters", n: flood, posters: 16, shape: rig.Distinct, perSec: 5000},
		{name: "fast-1-poster", n: single, posters: 1, shape: rig.Distinct, perSec: 1000},
		{name: "hosts", n: flood, posters: 16, shape: rig.Hosts, settle: true},
		faulty("slow-100ms", "slow=100ms", 100),
		faulty("down", fmt.Sprintf("down@%s ok", fault), 500),
		faulty("status-500", fmt.Sprintf("status=500@%s ok", fault), 500),
		faulty("never-answers-one", "hang=1", 500),
		{name: "kill-SIGTERM", n: flood, posters: 16, shape: rig.Distinct, kill: syscall.SIGTERM, killAt: flood / 2},
		{name: "kill-SIGKILL", n: flood, posters: 16, shape: rig.Distinct, kill: syscall.SIGKILL, killAt: flood / 2},
		{name: "reload", n: reloadRate * int((clean+2*fault)/time.Second), posters: 16, rate: reloadRate, shape: rig.Distinct, clean: clean, reloads: reloads},
		{name: "backlog", n: backlog, posters: 4, shape: rig.Distinct, backlog: true},
	}
	if grouping {
		for _, shape := range []rig.Shape{rig.Alike, rig.Hosts, rig.Distinct} {
			rows = append(rows, scenario{name: "grouped-" + string(shape), n: flood, posters: 16, shape: shape, grouping: true})
		}
		rows = append(rows, scenario{name: "grouped-kill-SIGKILL", n: flood, posters: 16, shape: rig.Alike, grouping: true,
			kill: syscall.SIGKILL, killAt: flood / 2})
	}
	return rows
}

// chosen returns the rows whose names match.
func chosen(rows []scenario, pattern string) ([]scenario, error) {
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var some []scenario
	for _, s := range rows {
		if expression.MatchString(s.name) {
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("no row matches %q", pattern)
	}
	return some, nil
}
