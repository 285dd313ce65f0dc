package render_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// textHeadings are the lines of a text page that may begin at its left edge.
var textHeadings = regexp.MustCompile(`^(Alert (Analysis|Summary) [A-Z][a-z]+(:( .*)?)?|[A-Z][a-z]+( [A-Z][a-z]+)? (Notice|Message):( .*)?|=+|` +
	`SUMMARY|GROUP|DETAILED ANALYSIS|MITIGATION STRATEGIES|EXAMPLE CONFIGURATION FILES|THE ALERT|` +
	`What the alert shows|Process chain|Score|ATT&CK|Explanations|Timeline|Not known from this alert|Do now|All fields|Output line|` +
	`Step \d+\.( .*)?|\d+\.( .*)?|File( .*)?)$`)

// checkText asserts what holds for every page of text, whatever the alert says.
func checkText(t *testing.T, page []byte) {
	t.Helper()
	if !utf8.Valid(page) {
		t.Fatalf("not UTF-8:\n%+q", page)
	}
	for line := range strings.Lines(string(page)) {
		line, ok := strings.CutSuffix(line, "\n")
		if !ok {
			t.Fatalf("the last line has no end: %q", line)
		}
		if report.Visible(" "+line) != " "+line {
			t.Fatalf("what can not be seen stands in %+q", line)
		}
		if line != "" && line[0] != ' ' && !textHeadings.MatchString(line) {
			t.Fatalf("begins at the left edge: %q", line)
		}
		if strings.HasSuffix(line, " ") {
			t.Fatalf("ends in spaces: %q", line)
		}
	}
}

// shape replaces all but the spaces of what is shown of value, so that the result breaks at the
// same places; ok is false if value has marks, wide characters or too many to be shown.
func shape(value string) (harmless string, ok bool) {
	shown := report.Visible(value)
	if utf8.RuneCountInString(shown) > 300 || strings.TrimSpace(shown) != shown {
		return "", false
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r >= 0x300 && r != utf8.RuneError }) {
		return "", false
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' {
			return r
		}
		return 'x'
	}, shown), true
}

func checkTextHostile(t *testing.T, value string) {
	t.Helper()
	page := render.Text(everywhere(value))
	checkText(t, page)
	twin, ok := shape(value)
	if !ok || twin == "" || strings.Contains(report.Visible(value), `\n`) || !event.Known(value) {
		return
	}
	want, got := strings.Count(string(render.Text(everywhere(twin))), "\n"), strings.Count(string(page), "\n")
	if got != want {
		t.Errorf("%+q takes %d lines, and as harmless text %d:\n%s", value, got, want, page)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(page)), ""), strings.Join(strings.Fields(report.Visible(value)), "")) {
		t.Errorf("%+q is not on\n%s", value, page)
	}
}

func TestTextHostile(t *testing.T) {
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { checkTextHostile(t, value) })
	}
}

// TestTextWidth makes sure that only commands and files are wider than the page.
func TestTextWidth(t *testing.T) {
	reports := goldenReports(t)
	reports["long words"] = everywhere(strings.Repeat("x", 290))
	reports["long lines"] = everywhere(strings.Repeat("xxx ", 70))
	reports["wide letters"] = everywhere(strings.Repeat("警", 200))
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.Actions, r.Mitigations = nil, nil
			for line := range strings.Lines(string(render.Text(&r))) {
				width := len([]rune(strings.TrimSuffix(line, "\n"))) + strings.Count(line, "警")
				if width > 100 {
					t.Errorf("%d columns: %s", width, line)
				}
			}
		})
	}
}

func TestTextCommandsAreNotBroken(t *testing.T) {
	command := "find " + strings.Repeat("/a/long/path ", 20) + "-name x"
	r := &report.Report{Kind: report.KindAlert, Actions: []report.Action{{Title: "Search", Commands: []string{command}}}}
	if page := string(render.Text(r)); !strings.Contains(page, "\n    "+command+"\n") {
		t.Errorf("a command can not be copied from\n%s", page)
	}
}

func TestTextGolden(t *testing.T) {
	for name, r := range goldenReports(t) {
		t.Run(name, func(t *testing.T) {
			page := render.Text(r)
			checkText(t, page)
			if strings.Contains(string(page), "\n\n\n") || strings.HasSuffix(string(page), "\n\n") {
				t.Errorf("more than one blank line in\n%s", page)
			}
		})
	}
}
