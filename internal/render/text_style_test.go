package render_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// ours are the sequences that a styled page may have, each around text of one line.
var ours = regexp.MustCompile("\x1b\\[(1|2|1;31|1;32|1;33|1;36)m([^\x1b\n]+)\x1b\\[0m")

// checkStyled asserts that color adds nothing but our sequences to the page, so that whatever a value
// holds, a terminal sees none of it.
func checkStyled(t *testing.T, color, without []byte) {
	t.Helper()
	bare := ours.ReplaceAllString(string(color), "$2")
	if strings.ContainsRune(bare, '\x1b') {
		t.Fatalf("a sequence of somebody else in %.300q", bare[strings.IndexByte(bare, '\x1b'):])
	}
	if diff := cmp.Diff(string(without), bare); diff != "" {
		t.Fatalf("colours change the text (-without +with):\n%.2000s", diff)
	}
	for line := range strings.Lines(bare) {
		if line = strings.TrimSuffix(line, "\n"); report.Visible(" "+line) != " "+line {
			t.Fatalf("what can not be seen stands in %+q", line)
		}
	}
}

func TestStyleHostile(t *testing.T) {
	values := hostile(t)
	values["colour"], values["cut colour"] = "\x1b[1;31mred\x1b[0m", strings.Repeat("x", 299)+"\x1b[31m"
	values["escapes that were made visible"] = `\x1b[31m`
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for _, width := range []int{0, 60, 133} {
				plain, color := render.TextStyle{Width: width}, render.TextStyle{Width: width, Color: true}
				r := everywhere(value)
				checkStyled(t, color.Text(r), plain.Text(r))
				x := explained(value)
				checkStyled(t, color.Explained(x), plain.Explained(x))
			}
		})
	}
}

func TestStyleWidth(t *testing.T) {
	for name, r := range goldenReports(t) {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.Actions, r.Mitigations = nil, nil // commands and files keep their lines
			for _, width := range []int{60, 80, 120} {
				page := string(render.TextStyle{Width: width}.Text(&r))
				widest := 0
				for line := range strings.Lines(page) {
					widest = max(widest, len([]rune(strings.TrimSuffix(line, "\n"))))
				}
				if widest > width || widest < width-1 {
					t.Errorf("%d columns for %d in\n%s", widest, width, page)
				}
			}
		})
	}
	if r := full(t); string(render.Text(r)) != string(render.TextStyle{Width: 100}.Text(r)) {
		t.Error("without a width there are not 100 columns")
	}
}

// TestStyleGolden keeps a page as a terminal of 80 columns gets it, with \e for the escape character.
func TestStyleGolden(t *testing.T) {
	reports := goldenReports(t)
	style := render.TextStyle{Width: 80, Color: true}
	pages := map[string][]byte{
		"c04": style.Text(reports["c04"]), "c12": style.Text(reports["c12"]), "full": style.Text(reports["full"]),
		"explained": style.Explained(explained("ls -l")),
	}
	for name, page := range pages {
		compareGolden(t, name+".styled.txt", []byte(strings.ReplaceAll(string(page), "\x1b", `\e`)))
	}
	compareGolden(t, "explained.md", render.MarkdownExplained(explained("ls -l")))
	hit := explained("ls -l")
	hit.Matched, hit.Checks = true, hit.Checks[:1]
	compareGolden(t, "explained-hit.md", render.MarkdownExplained(hit))
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/golden/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// explained has a predicate of each outcome, and value in every place that an alert fills.
func explained(value string) *render.Explained {
	e := &event.Event{Time: received, Received: received, Rule: value, Hostname: value, Source: event.DefaultSource}
	e.SetField("evt.type", "execve")
	e.SetField("proc.cmdline", value)
	exec := render.Condition{Text: "the event is the start of a program", State: "holds", Fields: []render.Field{{Name: "evt.type", Value: "execve", Known: true}}}
	arguments := []render.Field{{Name: "proc.cmdline", Value: value, Known: true}}
	return &render.Explained{Event: e, Place: "events.json:7", Checks: []render.Check{
		{Technique: "memfd_exec", Predicate: "memfd_rule", Met: "held", Conditions: []render.Condition{
			exec, {Text: "the rule is Falco's stock rule", State: "holds", Fields: []render.Field{{Name: "rule", Value: value, Known: true}}},
		}},
		{Technique: "interpreter_loader", Predicate: "loader_code", Met: "near", Conditions: []render.Condition{
			exec, {Text: "the arguments mention memory to run programs from", State: "holds", Fields: arguments},
			{Text: "an interpreter or dd is told to do that", State: "fails", Fields: append([]render.Field{{Name: "proc.exepath"}}, arguments...)},
		}},
		{Technique: "deleted_exec", Predicate: "deleted_image", Met: "open", Conditions: []render.Condition{
			exec, {Text: "the executable was deleted", State: "unknown", Fields: []render.Field{{Name: "proc.exepath"}}},
		}},
		{Technique: "process_injection", Predicate: "vm_write", Met: "no", Conditions: []render.Condition{{Text: "x", State: "fails", Fields: arguments}}},
	}}
}

// TestExplainedHostile reads the Markdown with values that would be markup.
func TestExplainedHostile(t *testing.T) {
	for name, value := range hostile(t) {
		if strings.TrimSpace(report.Visible(value)) == "" || !event.Known(value) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			calm := parseHTML(t, toHTML(t, gfm, render.MarkdownExplained(explained(harmlessAs(value)))))
			got := parseHTML(t, toHTML(t, gfm, render.MarkdownExplained(explained(value))))
			if diff := cmp.Diff(calm.tree, got.tree); diff != "" {
				t.Errorf("%+q is active (-harmless +hostile):\n%s", value, diff)
			}
		})
	}
}
