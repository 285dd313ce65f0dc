package render_test

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// hostile returns the values by their names that pkg/report keeps for all who show values.
func hostile(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../pkg/report/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		times, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		value, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[parts[0]] = strings.Repeat(value, times)
	}
	return values
}

// places are where an attacker can put a value, with a name or as an operator of the cluster.
var places = []string{
	"rule", "hostname", "output", "source", "tags",
	"proc.cmdline", "proc.exepath", "proc.name", "proc.pname", "proc.pexepath", "proc.cwd", "user.name",
	"container.name", "container.id", "container.image.repository", "k8s.ns.name", "k8s.pod.name",
	"proc.aname[2]", "proc.aname[4]", "proc.aexepath[2]", "proc.pcmdline", "proc.exe", "proc.pid", "proc.ppid",
	"evt.type", "container.start_ts", "proc.ppid.ts",
}

// attackers are the places that matter most, one of each sort.
var attackers = []string{
	"rule", "hostname", "output", "tags", "proc.cmdline", "proc.exepath", "container.name", "k8s.pod.name",
}

func put(e *event.Event, place, value string) {
	switch place {
	case "rule":
		e.Rule = value
	case "hostname":
		e.Hostname = value
	case "output":
		e.Output = value
	case "source":
		e.Source = value
	case "tags":
		e.Tags = []string{value}
	default:
		e.SetField(place, value)
	}
}

// everywhere is a report whose every text is value: all that the alert says, and all prose too, as
// if nobody had quoted anything.
func everywhere(value string) *report.Report {
	e := &event.Event{Time: received, Received: received, Priority: event.Critical}
	for _, place := range places {
		put(e, place, value)
	}
	return &report.Report{
		ID: "2ea71c18131a7f0383294917672136b6d5beae857e6bacca02d99d83e5f7d371", Kind: report.KindAlert,
		CreatedAt: received, Title: value, Summary: value, Event: e, Technique: "memfd_exec",
		Verdict: report.Suspicious, Confidence: report.LowConfidence, Severity: report.Medium, Score: 40,
		Analysis: report.Analysis{Version: "1.2.3", Knowledge: "0123456789ab"},
		Group:    &report.Group{Key: value, Count: 2, Rules: []string{value}, Hosts: []string{value}, Containers: []string{value}},
		Attack:   []report.Attack{{ID: "T1620", Name: value, Tactics: []report.Tactic{{ID: "TA0005", Name: value, Version: "v18"}}}},
		Factors:  []report.Factor{{ID: "E1", Weight: 40, Reason: value, Evidence: []string{"proc.cmdline", "rule"}}},
		Findings: []report.Finding{{ID: "x", Statement: value, Evidence: []string{"proc.exepath", "hostname", "output"}}},
		Explanations: []report.Explanation{{
			ID: "x", Statement: value, For: []string{"proc.cmdline", "for " + value}, Against: []string{"against " + value}, SettledBy: value,
		}},
		Unknowns: []report.Unknown{{ID: "x", Field: value, Why: value, How: value}},
		Actions: []report.Action{{
			ID: "x", Title: value, Why: "why " + value, Needs: "x" + value, Risk: "x" + value, Changes: "x" + value, Undo: "x" + value,
			Commands: []string{"true " + value}, Results: []report.Result{{If: "if " + value, Then: value}},
		}},
		Mitigations: []report.Mitigation{{
			ID: "x", Title: value, Why: "x" + value, Effect: "x" + value, SideEffects: "x" + value, DryRun: "x" + value, Rollback: "x" + value,
			Files: []report.File{{Path: value, MediaType: "text/plain", Content: value}},
		}, {ID: "no_effect", Title: value, Why: value}},
	}
}

// shownAs is how a value appears: visible, and cut after 300 characters.
func shownAs(value string) (text string, isCut bool) {
	text = report.Visible(value)
	if utf8.RuneCountInString(text) <= 300 {
		return text, false
	}
	// The last character can be part of an escape that the cut would have broken.
	return string([]rune(text)[:290]), true
}

// harmlessAs is a harmless value that is cut where value is cut.
func harmlessAs(value string) string {
	if utf8.RuneCountInString(report.Visible(value)) > 4000 {
		return strings.Repeat("harmless", 1000)
	}
	return "harmless"
}

// reference is what GitHub makes a link of wherever it stands, but for code.
var reference = regexp.MustCompile(`@[0-9A-Za-z]|#[0-9]|(?i:\bgh-[0-9])`)

// reader renders Markdown as one of the programs that will.
type reader struct {
	toHTML func(page []byte) []byte
	calm   map[string]document // of everywhere(a harmless value)
}

func newReader(toHTML func(page []byte) []byte) reader {
	return reader{toHTML, map[string]document{}}
}

// check renders a report full of value and asserts that it is as inert as a harmless one, and
// legible.
func (rd reader) check(t *testing.T, value string) {
	t.Helper()
	if strings.TrimSpace(report.Visible(value)) == "" || !event.Known(value) {
		return // says nothing, and so leaves places out
	}
	calm, ok := rd.calm[harmlessAs(value)]
	if !ok {
		calm = parseHTML(t, rd.toHTML(render.Markdown(everywhere(harmlessAs(value)))))
		rd.calm[harmlessAs(value)] = calm
	}
	page := render.Markdown(everywhere(value))
	got := parseHTML(t, rd.toHTML(page))
	if got.tree != calm.tree {
		t.Fatalf("%+q is active (-harmless +hostile):\n%s\nin\n%s", value, cmp.Diff(calm.tree, got.tree), page)
	}
	if link := reference.FindString(got.loose); link != "" {
		t.Errorf("GitHub would make a link of %q in\n%s", link, page)
	}
	checkLegible(t, value, got, page)
	if title := strings.TrimRight("Alert Analysis Report: "+report.Visible(value), " "); !got.has("h1", title) {
		t.Errorf("no title %+q in\n%s", title, page)
	}
}

// checkLegible asserts that value stands, letter by letter, in every place that has it.
func checkLegible(t *testing.T, value string, got document, page []byte) {
	t.Helper()
	prose := strings.TrimSpace(report.Visible(value))
	if !got.has("p", prose) {
		t.Errorf("no paragraph %+q in\n%s", prose, page)
	}
	if !got.has("td", prose) {
		t.Errorf("no cell of prose %+q in\n%s", prose, page)
	}
	shown, isCut := shownAs(value)
	for _, place := range places {
		cell := got.after(place)
		if place != "output" && cell != shown && (!isCut || !strings.HasPrefix(cell, shown)) {
			t.Errorf("%s: %+q, want %+q in\n%s", place, cell, shown, page)
		}
	}
	if cutNote := got.contains("td", "bytes in all, SHA-256"); cutNote != isCut && !strings.Contains(value, "bytes in all") {
		t.Errorf("%+q: note of a cut: %v, want %v", value, cutNote, isCut)
	}
	if output := report.Visible(value); utf8.RuneCountInString(output) <= 4000 && !got.has("pre", output+"\n") {
		t.Errorf("no output line %+q in\n%s", output, page)
	}
}

func TestMarkdownHostile(t *testing.T) {
	github := newReader(func(page []byte) []byte { return toHTML(t, gfm, page) })
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { github.check(t, value) })
	}
}

// fragments are what Markdown gives a meaning to, alone or beside each other.
var fragments = strings.Split("` `` ```````````````````` | || \\ \\\\ \\| \\` \" \\\" * ** _ __ ~ ~~ ~~~ $ ^ [ ] ( ) ![ [^1] [x]: "+
	"< > <b> </td> <!-- & &lt; &#96; ; @ x@y.zz # #1 gh-1 : :// http://x.yy www. www.x.yy { } {#x} - + = === 1. 1) ! ' a Z é \n \r\n \t \u202e \xff", " ")

// mixture is a few fragments behind each other, some with spaces between.
func mixture(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(14) {
		b.WriteString(fragments[random.IntN(len(fragments))])
		if random.IntN(4) == 0 {
			b.WriteString(" ")
		}
	}
	return b.String()
}

// TestMarkdownMixtures tries what no list has thought of; the seed is fixed, so that it is the same
// each time.
func TestMarkdownMixtures(t *testing.T) {
	github, random := newReader(func(page []byte) []byte { return toHTML(t, gfm, page) }), rand.New(rand.NewPCG(1, 2))
	for range 300 {
		github.check(t, mixture(random))
	}
}

// TestMarkdownPlain reads the same pages with a renderer that knows no tables: what it makes of
// them is no pleasure to read, but as inert, and each value stands there letter by letter.
func TestMarkdownPlain(t *testing.T) {
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			if strings.TrimSpace(report.Visible(value)) == "" {
				t.Skip("says nothing")
			}
			page := render.Markdown(everywhere(value))
			got := parseHTML(t, toHTML(t, plainMark, page))
			want := parseHTML(t, toHTML(t, plainMark, render.Markdown(everywhere(harmlessAs(value)))))
			if diff := cmp.Diff(want.tree, got.tree); diff != "" {
				t.Fatalf("%+q is active (-harmless +hostile):\n%s\nin\n%s", value, diff, page)
			}
			if shown, _ := shownAs(value); !got.contains("p", "proc.cmdline = "+shown) {
				t.Errorf("no value %+q in\n%s", shown, page)
			}
		})
	}
}

// TestHostileAlerts puts each value into an alert, and lets the analysis write about it. The harmless
// twin says the same about other values.
func TestHostileAlerts(t *testing.T) {
	analyst, alert := newAnalyst(t), recorded(t)["c12"]
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			e := copyOf(alert)
			for _, place := range attackers {
				put(&e, place, value)
			}
			r := analyst.report(t, e)
			calm, twin := copyOf(*r.Event), *r
			for _, place := range attackers {
				put(&calm, place, harmlessAs(value))
			}
			twin.Event, twin.Title, twin.Summary = &calm, harmless(r.Title), harmless(r.Summary)
			page := render.Markdown(r)
			got, want := parseHTML(t, toHTML(t, gfm, page)), parseHTML(t, toHTML(t, gfm, render.Markdown(&twin)))
			if diff := cmp.Diff(want.tree, got.tree); diff != "" {
				t.Fatalf("%+q is active (-harmless +hostile):\n%s\nin\n%s", value, diff, page)
			}
			checkText(t, render.Text(r))
		})
	}
}

// copyOf returns a copy whose fields can be set without a change to e's.
func copyOf(e event.Event) event.Event {
	c := event.Event{
		Time: e.Time, Received: e.Received, Rule: e.Rule, Priority: e.Priority,
		Source: e.Source, Hostname: e.Hostname, Output: e.Output, Tags: e.Tags,
	}
	for name, value := range e.Fields() {
		c.SetField(name, value)
	}
	return c
}

var quotedValue = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// harmless replaces the quoted values of a prose text.
func harmless(s string) string { return quotedValue.ReplaceAllString(s, `"harmless value"`) }
