package analyze

import (
	"regexp"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var (
	quotedText = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"(… \(\d+ bytes\))?`)
	// number is a number that stands for itself, path a path; neither may be made up.
	number = regexp.MustCompile(`(?:^|[ (])(\d[\d.:]*\d|\d)(?:[ ,.;:)]|$)`)
	path   = regexp.MustCompile(`(?:^|[ (])(/[\w/.-]+)`)
	// dangling is what is left of a sentence from which a value is missing.
	dangling = regexp.MustCompile(`  | [.,;:)]|\( |\(\)|"" |unknown unknown|<NA>|%!|\b(in|on|of|by|from|for|with)[.;:)]|\b(in|of|by) (on|in|UTC)\b|\.\.|(^|[ (])nil\b`)
)

// checkSentences reads title and summary: whole sentences that hold nothing that the alert does not.
func checkSentences(t *testing.T, r *report.Report) {
	t.Helper()
	for what, text := range map[string]string{"title": r.Title, "summary": r.Summary} {
		for _, quote := range quotedText.FindAllStringSubmatch(text, -1) {
			if !inAlert(r.Event, quote[1]) {
				t.Errorf("%s quotes %q, which is not in the alert", what, quote[1])
			}
		}
		own := quotedText.ReplaceAllString(text, "Q")
		if found := dangling.FindString(own); found != "" || own == "" {
			t.Errorf("%s dangles at %q: %s", what, found, text)
		}
	}
	if !strings.HasSuffix(r.Summary, ".") {
		t.Errorf("the summary does not end: %s", r.Summary)
	}
	for _, sentence := range strings.Split(quotedText.ReplaceAllString(r.Summary, "Q"), ". ") {
		if first := sentence[0]; first < 'A' || first > 'Z' {
			t.Errorf("a sentence begins with %q: %s", first, r.Summary)
		}
	}
}

// inAlert reports whether a value of the alert has text, as it is quoted.
func inAlert(e *event.Event, text string) bool {
	shown := func(value string) bool {
		return strings.HasPrefix(report.Visible(escapeQuotes.Replace(value)), text)
	}
	if shown(e.Hostname) {
		return true
	}
	for _, value := range e.Fields() {
		if shown(value) {
			return true
		}
	}
	return false
}

// checkStatements makes sure that statements have the form of one, and no number and no path that
// the fields do not have which they rest on.
func checkStatements(t *testing.T, r *report.Report) {
	t.Helper()
	check := func(id, statement string, evidence []string) {
		if statement == "" || dangling.MatchString(statement) || strings.HasSuffix(statement, ".") ||
			strings.ToLower(statement[:1]) != statement[:1] && !strings.HasPrefix(statement, "Falco") && !strings.HasPrefix(statement, "Python") {
			t.Errorf("%s: statement %q", id, statement)
		}
		values := ""
		for _, name := range evidence {
			value, _ := r.Event.Field(name)
			values += " " + value
		}
		for _, pattern := range []*regexp.Regexp{number, path} {
			for _, found := range pattern.FindAllStringSubmatch(statement, -1) {
				if !strings.Contains(values, found[1]) {
					t.Errorf("%s tells %q, which its fields do not: %s", id, found[1], statement)
				}
			}
		}
	}
	for _, f := range r.Findings {
		check("finding "+f.ID, f.Statement, f.Evidence)
	}
	for _, e := range r.Explanations {
		check("explanation "+e.ID, e.Statement, e.For)
	}
}
