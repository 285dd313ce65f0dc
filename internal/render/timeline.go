package render

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// moment is a row of the timeline.
type moment struct {
	at       time.Time // zero if not known
	when     string    // instead of at, for what was not observed
	what     cell
	source   cell
	expected bool
	other    bool // by another clock than the event's
	event    bool // the event itself
}

// timeline is when what happened, with the source of each time. A time that nobody has is said to be
// unknown, and what only has to be expected is said to be that.
func timeline(r *report.Report) []block {
	e := r.Event
	if e == nil || r.Kind != report.KindAlert {
		return nil
	}
	all := []moment{theEvent(e)}
	all = append(startMoments(e), all...)
	inOrder(all)
	all = append(all, afterwards(r))
	if !r.CreatedAt.IsZero() {
		all = append(all, moment{
			at: r.CreatedAt, what: text("the alert reached filelessd"), other: true,
			source: text("clock of filelessd, which may differ from that of the host"),
		})
	}
	t := table{columns: []column{{title: "Time", keep: true}, {title: "Event"}, {title: "Source"}}}
	for _, m := range all {
		t.rows = append(t.rows, []cell{m.time(e.Time), m.what, m.source})
	}
	return []block{timeRail(all, e.Time), t}
}

func theEvent(e *event.Event) moment {
	m := moment{at: e.Time, event: true, what: known(e, "evt.type", "evt.res", "proc.cmdline")}
	if len(m.what) == 0 {
		m.what = text("the event of this alert")
	}
	m.source = cell{append(label("time"), words(" of the alert, by the clock of the Falco host"))}
	if e.Time.IsZero() {
		m.source = cell{append(label("time"), words(" (not in the alert)"))}
	}
	return m
}

// startMoments are those of which Falco has a field in nanoseconds since 1970. The start of a
// container is that of the first process of its PID namespace, by the kernel.
func startMoments(e *event.Event) []moment {
	var all []moment
	add := func(what, field string, always bool) {
		v, ok := e.Field(field)
		if !ok && !always {
			return
		}
		m := moment{what: text(what), source: cell{append(label(field), words(" (not in the alert)"))}}
		if ok {
			m.at = nanoseconds(v)
			m.source = cell{named(field, v)}
			if m.at.IsZero() {
				m.source = append(m.source, line{words("which is no time in nanoseconds")})
			}
		}
		all = append(all, m)
	}
	id, known := e.Field("container.id")
	add("container start", "container.start_ts", known && id != "host")
	add("parent process created", "proc.ppid.ts", false)
	add("process created", "proc.pid.ts", false)
	return all
}

// nanoseconds reads a time since 1970, zero for what is none of this century.
func nanoseconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 946684800e9 || n > 4102444800e9 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// inOrder sorts what has a time and leaves the rest where it is.
func inOrder(all []moment) {
	var known []moment
	for _, m := range all {
		if !m.at.IsZero() {
			known = append(known, m)
		}
	}
	slices.SortStableFunc(known, func(a, b moment) int { return a.at.Compare(b.at) })
	for i := range all {
		if !all[i].at.IsZero() {
			all[i], known = known[0], known[1:]
		}
	}
}

// afterwards is the end of the process, of which no alert of an execution tells.
func afterwards(r *report.Report) moment {
	if r.Verdict == report.Test && r.Technique == "memfd_exec" && !failed(r.Event) {
		return moment{
			when: "milliseconds after the event", expected: true,
			what:   text("end of the process: expected, not observed"),
			source: text("if it is the test of falcosecurity/event-generator, whose action does nothing"),
		}
	}
	return moment{what: text("end of the process"), source: text("not in the alert; it may still run")}
}

// time is the cell of m, with how long before the event it was.
func (m moment) time(event time.Time) cell {
	switch {
	case m.when != "":
		return text(m.when)
	case m.at.IsZero():
		return text("unknown")
	}
	c := text(instant(m.at))
	if ago := m.ago(event); ago != "" {
		c = append(c, line{words(ago)})
	}
	return c
}

// ago is how long before or after the event m was by the same clock, empty if that can not be said.
func (m moment) ago(event time.Time) string {
	if m.event || m.other || m.at.IsZero() || event.IsZero() {
		return ""
	}
	if m.at.After(event) {
		return duration(m.at.Sub(event)) + " after the event"
	}
	return duration(event.Sub(m.at)) + " before the event"
}

// duration is d in two units at most.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Truncate(time.Second/10).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	}
}

func timeRail(all []moment, event time.Time) rail {
	r := rail{id: "times", title: "Timeline"}
	known := 0
	for i, m := range all {
		s := stop{mark: filled, head: m.time(time.Time{})[0][0], aside: m.ago(event)}
		if m.at.IsZero() {
			s.mark = hollow
		} else {
			known++
		}
		if m.event {
			s.mark = target
		}
		for _, l := range m.what {
			s.lines = append(s.lines, l.shown())
		}
		s.broken = i+1 < len(all) && (m.at.IsZero() || all[i+1].at.IsZero() || all[i+1].other)
		r.stops = append(r.stops, s)
	}
	r.about = fmt.Sprintf("%d moments from top to bottom, not to scale; %d of them have a known time.", len(all), known)
	return r
}

// shown is the value in l, or its beginning.
func (l line) shown() span {
	for _, s := range l {
		if s.kind == value {
			return s
		}
	}
	return l[0]
}
