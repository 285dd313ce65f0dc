package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/deliver"
)

type explainCommand struct {
	daemonFlags
	ID string `arg:"" help:"Id of the report, or at least 8 characters of its beginning."`
}

// Run tells the story of one report.
func (c *explainCommand) Run(p *program) error {
	var s app.Story
	if err := p.ask(c.daemonFlags, app.CommandExplain, app.ExplainQuery{ID: c.ID}, &s); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(s)
	}
	if err := aboutReport(s).write(p.Stdout); err != nil {
		return err
	}
	if len(s.Matched) > 0 {
		fmt.Fprintln(p.Stdout)
		t := new(table)
		t.add("MATCHED", "BY THESE FIELDS", "WHICH SAYS")
		for _, m := range s.Matched {
			t.add(m.ID, strings.Join(m.Evidence, ", "), m.Statement)
		}
		if err := t.write(p.Stdout); err != nil {
			return err
		}
	}
	fmt.Fprintln(p.Stdout)
	return atSinks(s).write(p.Stdout)
}

func aboutReport(s app.Story) *table {
	t := new(table)
	t.add("Report", s.ID)
	t.add("Title", s.Title)
	t.add("Kind", string(s.Kind)+", severity "+string(s.Severity)+", score "+strconv.Itoa(s.Score))
	from := "made by filelessd"
	if s.Source != "" {
		from = "received from source " + s.Source
	}
	t.add("Origin", from+" at "+shown(s.Received))
	if s.Rule != "" {
		t.add("Alert", "rule "+strconv.Quote(s.Rule)+" on "+s.Hostname+" at "+shown(s.Time))
	}
	if s.Technique != "" {
		techniques := string(s.Technique)
		for _, also := range s.Also {
			techniques += ", " + string(also)
		}
		t.add("Technique", techniques)
	}
	if len(s.About) > 0 {
		t.add("About", strings.Join(s.About, ", "))
	}
	if s.Record > 0 {
		t.add("Log", fmt.Sprintf("record %d, since %s", s.Record, shown(s.Stored)))
	} else {
		t.add("Log", "not there any more; this is what a dead letter keeps")
	}
	return t
}

func atSinks(s app.Story) *table {
	t := new(table)
	t.add("SINK", "WHEN", "TRIES", "WHAT", "DETAIL")
	for _, sink := range s.Sinks {
		name := sink.Sink
		row := func(cells ...string) {
			t.add(append([]string{name}, cells...)...)
			name = ""
		}
		for n, o := range sink.Outcomes {
			if sink.State == deliver.StateDead && n == len(sink.Outcomes)-1 && o.Result == string(deliver.Dead) {
				break // where it stands says the same
			}
			detail := outcomeDetail(o)
			if detail == "" && n == len(sink.Outcomes)-1 {
				detail, sink.Note = sink.Note, ""
			}
			row(shown(o.At), strconv.Itoa(o.Attempts), outcomeWord(o.Result), detail)
		}
		if sink.Pending != nil {
			row(now(sink)...)
		} else if len(sink.Outcomes) == 0 {
			row("-", "-", sink.State, "")
		}
		if sink.Note != "" {
			row("", "", "", sink.Note)
		}
		if !sink.DownSince.IsZero() && sink.Pending != nil {
			row("", "", "", "the sink takes nothing since "+shown(sink.DownSince)+"; one report at a time is tried")
		}
	}
	return t
}

// outcomeWord is for people; -o json has the results themselves.
func outcomeWord(result string) string {
	switch deliver.Outcome(result) {
	case deliver.Filtered:
		return "not wanted"
	case deliver.Grouped:
		return "counted as a repeat"
	case deliver.RateLimited:
		return "withheld: too many"
	case deliver.Dead:
		return stateWords[deliver.StateDead]
	}
	return result
}

// outcomeDetail shortens the IDs that are in the detail of an outcome; -o json has all of them.
func outcomeDetail(o app.SinkOutcome) string {
	group, summary := deliver.CountedIn(o.Detail)
	for _, id := range []string{group, summary} {
		o.Detail = strings.Replace(o.Detail, id, shortID(id), 1)
	}
	return o.Detail
}

// stateWords are for people; -o json has the states themselves.
var stateWords = map[string]string{
	deliver.StateQueued: "queued: behind others",
	deliver.StateTried:  "waiting",
	deliver.StateFlying: "under way",
	deliver.StateParked: "parked: tried from time to time",
	deliver.StateDead:   "dead letter",
}

// now is the row of where a report stands.
func now(sink app.SinkStory) []string {
	p := sink.Pending
	var detail []string
	if p.Behind != "" {
		detail = append(detail, "behind "+shortID(p.Behind)+", which is about the same")
	}
	if !p.Next.IsZero() {
		detail = append(detail, "next try at "+shown(p.Next))
	}
	if p.Error != "" {
		detail = append(detail, p.Error)
	}
	return []string{shown(p.Last), strconv.Itoa(p.Attempts), stateWords[sink.State], strings.Join(detail, "; ")}
}
