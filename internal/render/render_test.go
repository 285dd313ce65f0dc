package render_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestFormats(t *testing.T) {
	if diff := cmp.Diff(sink.Formats(), render.Formats()); diff != "" {
		t.Errorf("what sinks may ask for and what there is differ:\n%s", diff)
	}
	for _, r := range sinktest.Reports() {
		for _, format := range render.Formats() {
			if out, err := render.Render(format, r); err != nil || len(out) == 0 {
				t.Errorf("%s of %s: %d bytes, %v", format, r.Title, len(out), err)
			}
		}
	}
	if _, err := render.Render("pdf", full(t)); err == nil || !strings.Contains(err.Error(), `"pdf"`) {
		t.Errorf("an unknown format gives %v", err)
	}
}

func TestJSON(t *testing.T) {
	r := full(t)
	out, err := render.Render("json", r)
	if err != nil {
		t.Fatal(err)
	}
	want, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != string(want) || !json.Valid(out) {
		t.Errorf("not the report's JSON: %s", out)
	}
}

// TestPure renders one report from several goroutines, as sinks do: nobody may change it.
func TestPure(t *testing.T) {
	r := full(t)
	want := string(render.Markdown(r)) + string(render.Text(r)) + string(render.HTML(r))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := string(render.Markdown(r)) + string(render.Text(r)) + string(render.HTML(r)); got != want {
				t.Error("the same report gave another page")
			}
		})
	}
	wg.Wait()
}

// TestSections makes sure that a section is there with content or not at all.
func TestSections(t *testing.T) {
	empty := regexp.MustCompile(`(?m)^(#+) ([A-RT-Z]|Sum|Sc).*\n\n(#+ .*|---)$`) // a step may have a title only
	for name, r := range goldenReports(t) {
		t.Run(name, func(t *testing.T) {
			page := string(render.Markdown(r))
			for _, m := range empty.FindAllStringSubmatch(page, -1) {
				if !strings.HasPrefix(m[3], m[1]+"#") {
					t.Errorf("a heading with nothing under it: %q", m[0])
				}
			}
			if strings.Contains(page, "|---|\n\n") {
				t.Errorf("an empty table in\n%s", page)
			}
			for heading, present := range map[string]bool{
				"## Summary":                        r.Summary != "",
				"## Group":                          r.Group != nil,
				"### What the alert shows":          len(r.Findings) > 0,
				"### Score":                         len(r.Factors) > 0,
				"### ATT&CK":                        len(r.Attack) > 0,
				"### Explanations":                  len(r.Explanations) > 0,
				"### Not known from this alert":     len(r.Unknowns) > 0,
				"### Do now":                        len(r.Actions) > 0,
				"| Do first |":                      len(r.Actions) > 0,
				"### Process chain":                 r.Kind == report.KindAlert && name != "c26", // which has no field of a process
				"### Timeline":                      r.Kind == report.KindAlert,
				"What does not help here":           len(r.Mitigations) > 0,
				"## Mitigation Strategies":          len(r.Mitigations) > 0,
				"## Example Configuration Files":    len(r.Mitigations) > 0,
				"### All fields":                    r.Event != nil,
				"## Detailed Analysis":              len(r.Findings)+len(r.Factors) > 0,
				"| Verdict |":                       r.Verdict != "",
				"| Alert ID |":                      r.Kind == report.KindAlert,
				"| Technique |":                     r.Technique != "",
				"untrusted input and shown as data": r.Event != nil,
			} {
				if got := strings.Contains(page, heading); got != present {
					t.Errorf("%q there: %v, want %v", heading, got, present)
				}
			}
		})
	}
}

// TestStepsWithoutMore makes sure that an action or a mitigation with nothing but a title is there.
func TestStepsWithoutMore(t *testing.T) {
	r := &report.Report{
		Kind: report.KindAlert, Actions: []report.Action{{Title: "Ask the owner"}},
		Mitigations: []report.Mitigation{{Title: "Use other images"}},
	}
	page := string(render.Markdown(r))
	for _, want := range []string{"#### Step 1. Ask the owner\n", "### 1. Use other images\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// TestEvidence makes sure that every statement stands with each of its names and values.
func TestEvidence(t *testing.T) {
	for name, r := range goldenReports(t) {
		if r.Event == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			page := parseHTML(t, toHTML(t, gfm, render.Markdown(r)))
			terminal := strings.Join(strings.Fields(string(render.Text(r))), " ")
			check := func(evidence []string) {
				for _, name := range evidence {
					value, ok := r.Event.Field(name)
					if name == "rule" {
						value, ok = r.Event.Rule, true
					}
					line := name + " = " + report.Visible(value)
					if !ok || !page.contains("td", line) {
						t.Errorf("Markdown has no %q", line)
					}
					if !strings.Contains(terminal, line) {
						t.Errorf("text has no %q", line)
					}
				}
			}
			for _, f := range r.Factors {
				check(f.Evidence)
			}
			for _, f := range r.Findings {
				check(f.Evidence)
			}
		})
	}
}

func TestEvidenceNotThere(t *testing.T) {
	finding := []report.Finding{{Statement: "so", Evidence: []string{"proc.pid", "hostname"}}}
	with := &report.Report{Kind: report.KindAlert, Event: &event.Event{Rule: "r"}, Findings: finding}
	if page := string(render.Markdown(with)); !strings.Contains(page, "| so | `proc.pid` (not in the alert), `hostname` (not in the alert) |") {
		t.Errorf("says nothing of fields that are not there:\n%s", page)
	}
	without := &report.Report{Kind: report.KindUpdate, Findings: finding}
	if page := string(render.Markdown(without)); !strings.Contains(page, "| so | `proc.pid`, `hostname` |") {
		t.Errorf("names of no event:\n%s", page)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ name, value, shown, note string }{
		{"as long as may be", strings.Repeat("a", 300), strings.Repeat("a", 300), ""},
		{"one more", strings.Repeat("a", 301), strings.Repeat("a", 300) + "…", "(cut: 301 bytes in all, SHA-256 eb22b48c636cd5d3)"},
		{"letters of more bytes", strings.Repeat("ü", 300), strings.Repeat("ü", 300), ""},
		{"letters of more bytes, one more", strings.Repeat("ü", 301), strings.Repeat("ü", 300) + "…", "(cut: 602 bytes in all, SHA-256 "},
		{"letters of most bytes", strings.Repeat("\U00020000", 300), strings.Repeat("\U00020000", 300), ""},
		{"escapes make it long", strings.Repeat("\n", 151), strings.Repeat(`\n`, 150) + "…", "(cut: 151 bytes in all, SHA-256 "},
		{"not inside of an escape", "a" + strings.Repeat("\n", 151), "a" + strings.Repeat(`\n`, 149) + "…", "(cut: 152 bytes in all, SHA-256 "},
		{"not inside of a longer escape", strings.Repeat("a", 297) + "\u202ebc", strings.Repeat("a", 297) + "…", "(cut: 302 bytes in all, SHA-256 "},
		{"a mebibyte", strings.Repeat("a", 1<<20), strings.Repeat("a", 300) + "…", "(cut: 1048576 bytes in all, SHA-256 9bc1b2a288b26af7)"},
		{"cut inside of a character", strings.Repeat("a", 1199) + "\u8b66", strings.Repeat("a", 300) + "…", "(cut: 1202 bytes in all, SHA-256 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &event.Event{Rule: "r"}
			e.SetField("proc.cwd", c.value)
			r := &report.Report{Kind: report.KindAlert, Event: e}
			want := "| `proc.cwd` | `" + c.shown + "`"
			if c.note == "" {
				want += " |\n"
			} else {
				want += " " + c.note
			}
			if page := string(render.Markdown(r)); !strings.Contains(page, want) {
				t.Errorf("no %q in\n%s", want, page)
			}
			if c.note != "" && !strings.Contains(strings.Join(strings.Fields(string(render.Text(r))), " "), c.note) {
				t.Errorf("no %q in\n%s", c.note, render.Text(r))
			}
		})
	}
}

func TestOutputCut(t *testing.T) {
	r := &report.Report{Kind: report.KindAlert, Event: &event.Event{Rule: "r", Output: strings.Repeat("a", 4001)}}
	page := string(render.Markdown(r))
	if !strings.Contains(page, "\n"+strings.Repeat("a", 4000)+"…\n```\n\n(cut: 4001 bytes in all, SHA-256 ") {
		t.Errorf("a long output line is not cut, or says nothing of it:\n%s", page)
	}
}

func TestLongLists(t *testing.T) {
	r := &report.Report{Kind: report.KindSummary, About: strings.Fields(strings.Repeat("id ", 25))}
	if page := string(render.Markdown(r)); strings.Count(page, "`id`") != 20 || !strings.Contains(page, "`id`, and 5 more |") {
		t.Errorf("a long list is not cut:\n%s", page)
	}
}

// TestProse fixes what is done to prose, which people read in its source too.
func TestProse(t *testing.T) {
	for in, want := range map[string]string{
		"nothing to do, really (or is there?)": "nothing to do, really (or is there?)",
		"container peaceful_mestorf on lab-1":  "container peaceful_mestorf on lab-1",
		"a_ _b __c__":                          `a\_ \_b \_\_c\_\_`,
		"*a* ~b~ [c] a|b $d$ ^e \\":            `\*a\* \~b\~ \[c\] a\|b \$d\$ \^e \\`,
		"<b> ATT&CK &amp; `c`":                 "&lt;b&gt; ATT&CK &amp;amp; &#96;c&#96;",
		"https://x.example at 14:01:07":        `https\://x.example at 14:01:07`,
		"www.x.example":                        `www\.x.example`,
		"ask root@x.example, see #12 and GH-3": "ask `root@x.example,` see `#12` and `GH-3`",
		`in "a b" and ""`:                      "in \"`a b`\" and \"\"",
		`the value "a \"b\" | c".`:             "the value \"`a \\\"b\\\" `\\|` c`\".",
		`an open "quote`:                       `an open "quote`,
		"x --format '{{.Config.Image}}' C":     "x --format '{{.Config.Image}}' C",
		"ends in {#id}":                        "ends in `{#id}`",
		"ends in {.id}":                        "ends in {.id&#125;",
		"- a":                                  `\- a`,
		"12. a":                                `12\. a`,
		"12":                                   "12",
		"3 alerts":                             "3 alerts",
	} {
		page := string(render.Markdown(&report.Report{Kind: report.KindLoss, Title: in, Summary: in}))
		if !strings.Contains(page, "\n\n"+want+"\n\n---") {
			t.Errorf("%q: want %q in\n%s", in, want, page)
		}
	}
}

// TestEmpty makes sure that nothing is shown as something.
func TestEmpty(t *testing.T) {
	r := &report.Report{
		Kind: report.KindSummary, Title: " ", Summary: "  ", ID: "x",
		Event: &event.Event{Rule: "r", Tags: []string{"", "a"}}, Group: &report.Group{},
	}
	want := "# Alert Summary Report\n\n| | |\n|---|---|\n" +
		"| When | time of the event not in the alert |\n| Where | not in the alert |\n| Who | not in the alert |\n| What | not in the alert |\n" +
		"| Rule, priority | `r` |\n| Report ID | `x` |\n\n" +
		"## Group\n\n| | |\n|---|---|\n| Alerts | 0 |\n\n" +
		"## The Alert\n\n### All fields\n\n| Name | Value |\n|---|---|\n| `rule` | `r` |\n| `tags` | (empty), `a` |\n\n---\n"
	if page := string(render.Markdown(r)); !strings.HasPrefix(page, want) {
		t.Error(cmp.Diff(want, page))
	}
	if page := string(render.Text(r)); !strings.HasPrefix(page, "Alert Summary Report\n====================\n  When ") {
		t.Errorf("as text:\n%s", page)
	}
}

func TestKinds(t *testing.T) {
	kinds := []report.Kind{
		report.KindAlert, report.KindUpdate, report.KindSummary, report.KindSuppression, report.KindLoss,
		report.KindQuiet, report.KindTest, "something new",
	}
	var titles []string
	for _, k := range kinds {
		first, _, _ := strings.Cut(string(render.Text(&report.Report{Kind: k, Title: "x"})), "\n")
		if !strings.HasSuffix(first, ": x") || slices.Contains(titles, first) {
			t.Errorf("%s is called %q", k, first)
		}
		titles = append(titles, first)
	}
}
