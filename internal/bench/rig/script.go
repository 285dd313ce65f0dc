package rig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fault is how a receiver behaves for a time.
type Fault struct {
	Down   bool          // refuses connections, and cuts those that it has
	Slow   time.Duration // before each answer
	Status int           // of the answers; 0 for 200
	Hang   int           // how many requests are never answered
	For    time.Duration // 0 for good
}

// ParseScript reads how a receiver behaves, in order: "ok@5s down@10s ok". A step is ok, down,
// slow=100ms, status=500 or hang=1, each with @ and how long, but for the last, which stays.
func ParseScript(script string) ([]Fault, error) {
	var faults []Fault
	steps := strings.Fields(script)
	for i, step := range steps {
		f, err := parseStep(step)
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", step, err)
		}
		if last := i == len(steps)-1; !last && f.For <= 0 {
			return nil, fmt.Errorf("step %q: want @ and how long, as it is not the last", step)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func parseStep(step string) (f Fault, err error) {
	step, long, timed := strings.Cut(step, "@")
	if timed {
		if f.For, err = time.ParseDuration(long); err != nil || f.For <= 0 {
			return f, fmt.Errorf("want a duration after @, got %q", long)
		}
	}
	name, value, _ := strings.Cut(step, "=")
	switch {
	case name == "ok" && value == "":
		return f, nil
	case name == "down" && value == "":
		f.Down = true
		return f, nil
	case name == "slow":
		f.Slow, err = time.ParseDuration(value)
		return f, err
	case name == "status":
		f.Status, err = strconv.Atoi(value)
		if err == nil && (f.Status < 200 || f.Status > 599) {
			err = fmt.Errorf("want 200 to 599, got %d", f.Status)
		}
		return f, err
	case name == "hang":
		f.Hang, err = strconv.Atoi(value)
		return f, err
	}
	return f, fmt.Errorf("want ok, down, slow=100ms, status=500 or hang=1")
}
