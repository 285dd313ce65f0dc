package falcosim

import (
	"bytes"
	_ "embed" // for scenario.jsonl
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

//go:embed scenario.jsonl
var scenario []byte

// Scenario returns the alerts of a short play, in Falco's JSON form: ordinary alerts, and between
// them what looks like fileless execution. The event-generator's memfd test; runc starting a sealed
// copy of itself, as a rule of one's own would show it; a miner started by php-fpm in a pod; a
// reverse shell started by java; a hidden program in /dev/shm started by a person; and a message of
// Falco's own about dropped events. Their times are in the past: see Stamp.
func Scenario() [][]byte {
	return bytes.Split(bytes.TrimSpace(bytes.Clone(scenario)), []byte("\n"))
}

// Stamp returns an alert in Falco's JSON form as if it had happened at that time. What its text
// says of the time, and the start of its process and container, move along.
func Stamp(line []byte, at time.Time) ([]byte, error) {
	a, err := parseAlert(line)
	if err != nil {
		return nil, err
	}
	const clock = "15:04:05.000000000"
	const date = "2006-01-02T" + clock + "Z"
	at, was := at.UTC(), a.Time.UTC()
	pairs := []string{was.Format(date), at.Format(date), was.Format(clock), at.Format(clock)}
	for name, value := range a.Fields {
		switch name {
		case "evt.time", "evt.rawtime", "container.start_ts", "proc.pid.ts", "proc.ppid.ts":
		default:
			continue
		}
		n, ok := value.(json.Number)
		if !ok {
			continue
		}
		old, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		pairs = append(pairs, n.String(), strconv.FormatInt(old+at.UnixNano()-was.UnixNano(), 10))
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(line))), nil
}
