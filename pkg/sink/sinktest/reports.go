package sinktest

import (
	"fmt"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// Injected begins a line of its own wherever a text of Hostile is written as it is.
const Injected = "INJECTED"

// hostile is what a program can put into its name and arguments: ends of lines, quotes, markup,
// shell, template and format characters, escape sequences of terminals, characters that show
// nothing or turn the text around, bytes that are not UTF-8.
const hostile = "a\n" + Injected + " \r\n\"'`\\ </td><script>alert(1)</script>&amp; | [x](javascript:alert(1)) " +
	"\n```\n# " + Injected + "\n${HOME} $(id) {{.}} %s%n \x00\x07\x08\x1b[2J\x1b]0;title\x07\u009b31m" +
	"\u202etxt.exe\u2066\u200b\ufeff\u2028\u2029\U000e0041 \xff\xfe\xc0\xaf\xed\xa0\x80"

// Reports returns one of each of the samples, new ones at each call.
func Reports() []*report.Report {
	return []*report.Report{Ordinary(), Hostile(), Big(), Loss()}
}

// Ordinary is the report of one alert, of the usual size.
func Ordinary() *report.Report {
	e := newEvent()
	e.SetField("proc.name", "3")
	e.SetField("proc.exepath", "memfd:x")
	e.SetField("proc.cmdline", "3 --quiet")
	e.SetField("proc.pid", "4711")
	e.SetField("evt.type", "execve")
	e.SetField("container.id", "host")
	return newReport(e)
}

// Hostile is a report in which whatever an attacker chooses is meant to do harm, or too long: one
// field has 1 MiB.
func Hostile() *report.Report {
	e := newEvent()
	e.Rule, e.Hostname, e.Output = hostile, hostile, hostile
	e.Tags = []string{hostile, ""}
	e.SetField("proc.name", hostile)
	e.SetField("proc.cmdline", strings.Repeat("A", 1<<20))
	e.SetField("proc.env", strings.Repeat("\u202e\"\n", 1<<10))
	e.SetField(hostile, hostile)
	r := newReport(e)
	r.Title, r.Summary = hostile, hostile
	r.Findings[0].Statement = hostile
	r.Factors[0].Evidence = []string{hostile}
	r.Actions[0].Commands = []string{hostile}
	r.Mitigations[0].Files[0].Path = "../../../../etc/" + hostile
	return r
}

// Big is a report with a lot of everything, about 600 KB as JSON.
func Big() *report.Report {
	e := newEvent()
	for i := range 200 {
		e.SetField(fmt.Sprintf("proc.aname[%d]", i), strings.Repeat("parent ", 100))
	}
	r := newReport(e)
	for range 8 {
		r.Factors = append(r.Factors, r.Factors...)
		r.Findings = append(r.Findings, r.Findings...)
		r.Actions = append(r.Actions, r.Actions...)
		r.Unknowns = append(r.Unknowns, r.Unknowns...)
	}
	for i := range r.Findings {
		r.Findings[i].Statement = strings.Repeat("The program ran from memory. ", 20)
	}
	r.Mitigations[0].Files[0].Content = strings.Repeat("kernel.yama.ptrace_scope = 2\n", 5_000)
	return r
}

// Loss is a report without an event: the program speaks of itself.
func Loss() *report.Report {
	return &report.Report{
		ID:            "2ea71c18131a7f0383294917672136b6d5beae857e6bacca02d99d83e5f7d371",
		Kind:          report.KindLoss,
		SchemaVersion: report.SchemaVersion,
		CreatedAt:     received(),
		Title:         "3 reports were dropped before the sink soc had them",
		Summary:       "The log reached its limit of 2 GiB while the sink soc took nothing.",
		About:         []string{"soc"},
		Severity:      report.High,
	}
}

func received() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC) }

func newEvent() *event.Event {
	return &event.Event{
		Time:     received().Add(-time.Second),
		Received: received(),
		Rule:     event.StockMemfdRule,
		Priority: event.Critical,
		Source:   event.DefaultSource,
		Hostname: "node-1",
		Output:   "Fileless execution via memfd_create (proc_name=3)",
		Tags:     []string{"host", "container", "process"},
	}
}

func newReport(e *event.Event) *report.Report {
	return &report.Report{
		ID:            e.ID(), // which the event keeps, so that reading it later changes nothing
		Kind:          report.KindAlert,
		SchemaVersion: report.SchemaVersion,
		CreatedAt:     e.Received,
		Title:         "Program run from memory on node-1",
		Summary:       "A process replaced itself with a program that is in no file system.",
		Analysis:      report.Analysis{Version: "1.2.3", Knowledge: "2026-02-01"},
		Event:         e,
		Technique:     "memfd_exec",
		Attack: []report.Attack{{ID: "T1620", Name: "Reflective Code Loading", Tactics: []report.Tactic{
			{ID: "TA0005", Name: "Defense Evasion", Version: "v18"},
		}}},
		Verdict: report.Suspicious, Confidence: report.MediumConfidence, Severity: report.High, Score: 55,
		Factors:  []report.Factor{{ID: "R1", Weight: 55, Reason: "a memfd was executed", Evidence: []string{"proc.exepath"}}},
		Findings: []report.Finding{{ID: "F1", Statement: "The program ran from memory.", Evidence: []string{"proc.exepath"}}},
		Explanations: []report.Explanation{{
			ID: "E1", Statement: "A loader fetched it.", For: []string{"proc.exepath"}, SettledBy: "the image of the process",
		}},
		Unknowns: []report.Unknown{{ID: "U1", Field: "proc.pexepath", Why: "names the loader", How: "append_output"}},
		Actions: []report.Action{{
			ID: "A1", Title: "Keep the program", Commands: []string{"cp /proc/4711/exe /root/evidence"},
			Needs: "root", Risk: "none", Changes: "one file", Undo: "rm /root/evidence", Why: "it is lost when the process ends",
		}},
		Mitigations: []report.Mitigation{{
			ID: "M1", Title: "Mount /tmp noexec", Why: "less room", Effect: "none on a memfd", SideEffects: "some installers",
			DryRun: "mount", Rollback: "mount -o remount,exec /tmp",
			Files: []report.File{{Path: "/etc/sysctl.d/50-x.conf", MediaType: "text/plain", Content: "kernel.x = 1\n"}},
		}},
	}
}
