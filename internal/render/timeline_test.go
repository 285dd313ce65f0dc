package render_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
)

const (
	theEvent = "| 2026-11-23 12:00:00.000000000 UTC | the event of this alert | `time` of the alert, by the clock of the Falco host |"
	theEnd   = "| unknown | end of the process | not in the alert; it may still run |"
)

// nanos is a moment before the event, as Falco has it.
func nanos(before time.Duration) string { return fmt.Sprint(received.Add(-before).UnixNano()) }

func TestTimeline(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string]string
		change func(r *report.Report)
		want   []string
	}{
		{"nothing but a time", nil, nil, []string{theEvent, theEnd}},
		{"not even that", nil, func(r *report.Report) { r.Event.Time = time.Time{} }, []string{
			"| unknown | the event of this alert | `time` (not in the alert) |", theEnd,
		}},
		{"the call", map[string]string{"evt.type": "execve", "evt.res": "SUCCESS", "proc.cmdline": "3 x"}, nil, []string{
			"| 2026-11-23 12:00:00.000000000 UTC | `evt.type` = `execve`, `evt.res` = `SUCCESS`, `proc.cmdline` = `3 x` | " +
				"`time` of the alert, by the clock of the Falco host |", theEnd,
		}},
		{"received", nil, func(r *report.Report) { r.CreatedAt = received.Add(time.Second) }, []string{
			theEvent, theEnd,
			"| 2026-11-23 12:00:01.000000000 UTC | the alert reached filelessd | clock of filelessd, which may differ from that of the host |",
		}},
		{"a container without its start", map[string]string{"container.id": "c61b4b13ae44"}, nil, []string{
			"| unknown | container start | `container.start_ts` (not in the alert) |", theEvent, theEnd,
		}},
		{"a start that is no time", map[string]string{"container.start_ts": "soon"}, nil, []string{
			"| unknown | container start | `container.start_ts` = `soon`, which is no time in nanoseconds |", theEvent, theEnd,
		}},
		{"a start of another century", map[string]string{"container.start_ts": "7"}, nil, []string{
			"| unknown | container start | `container.start_ts` = `7`, which is no time in nanoseconds |", theEvent, theEnd,
		}},
		{"sorted", map[string]string{
			"container.start_ts": nanos(911 * time.Millisecond), "proc.ppid.ts": nanos(50 * time.Hour), "proc.pid.ts": nanos(-90 * time.Second),
		}, nil, []string{
			"| 2026-11-21 10:00:00.000000000 UTC, 2 d 2 h before the event | parent process created | `proc.ppid.ts` = `" + nanos(50*time.Hour) + "` |",
			"| 2026-11-23 11:59:59.089000000 UTC, 911 ms before the event | container start | `container.start_ts` = `" + nanos(911*time.Millisecond) + "` |",
			theEvent,
			"| 2026-11-23 12:01:30.000000000 UTC, 1 min 30 s after the event | process created | `proc.pid.ts` = `" + nanos(-90*time.Second) + "` |",
			theEnd,
		}},
		{"a test", nil, func(r *report.Report) { r.Verdict, r.Technique = report.Test, "memfd_exec" }, []string{
			theEvent,
			"| milliseconds after the event | end of the process: expected, not observed | " +
				"if it is the test of falcosecurity/event-generator, whose action does nothing |",
		}},
		{"another test", nil, func(r *report.Report) { r.Verdict, r.Technique = report.Test, "volatile_path_exec" }, []string{theEvent, theEnd}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := alertWith(c.fields)
			if c.change != nil {
				c.change(r)
			}
			if diff := cmp.Diff(c.want, section(t, r, "Timeline")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkDrawn(t, r, "times", c.want)
		})
	}
}

func TestDurations(t *testing.T) {
	for before, want := range map[time.Duration]string{
		0: "0 ms before", time.Millisecond: "1 ms before", 1500 * time.Millisecond: "1.5 s before", 59999 * time.Millisecond: "59.9 s before",
		171 * time.Second: "2 min 51 s before", 144 * time.Minute: "2 h 24 min before", 49 * time.Hour: "2 d 1 h before",
	} {
		rows := section(t, alertWith(map[string]string{"container.start_ts": nanos(before)}), "Timeline")
		if got := strings.Join(rows, "\n"); !strings.Contains(got, " UTC, "+want+" the event |") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
