package analyze

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// corpus has an alert for each technique, context and amount of detail.
const corpus = "../cli/testdata/reports"

type sample struct {
	name  string
	event event.Event
}

// samples are the cases, the corpus, and what a real Falco recorded, those that parse.
func samples(t testing.TB) []sample {
	t.Helper()
	var all []sample
	add := func(name string, data []byte) {
		if e, err := event.Parse(data, received); err == nil {
			all = append(all, sample{name, e})
		}
	}
	for _, c := range readLines[alertCase](t, "testdata/cases.jsonl") {
		add(c.ID, c.Event)
	}
	files, err := filepath.Glob(filepath.Join(corpus, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		add(strings.TrimSuffix(filepath.Base(path), ".json"), data)
	}
	recorded, err := filepath.Glob(filepath.Join(recordings, "*.file-output.jsonl"))
	if err != nil || len(recorded) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, path := range recorded {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			add(filepath.Base(path), []byte(line))
		}
	}
	return all
}

// without is e as a Falco sends it that does not have the field.
func without(e *event.Event, field string) event.Event {
	c := event.Event{
		Time: e.Time, Received: e.Received, Rule: e.Rule, Priority: e.Priority,
		Source: e.Source, Hostname: e.Hostname, Output: e.Output, Tags: e.Tags,
	}
	for name, value := range e.Fields() {
		if name != field {
			c.SetField(name, value)
		}
	}
	return c
}

// TestEveryReport checks what must hold of every report, whatever the alert has and lacks: each
// sample, and each sample without one of its fields.
func TestEveryReport(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	reports := 0
	try := func(name string, e event.Event) {
		if r := en.report(e); r != nil {
			reports++
			t.Run(name, func(t *testing.T) { checkReport(t, en, r) })
		}
	}
	for _, s := range samples(t) {
		fields := s.event.FieldMap()
		try(s.name, s.event)
		for field := range fields {
			try(s.name+" without "+field, without(&s.event, field))
		}
		nameless := without(&s.event, "")
		nameless.Hostname, nameless.Time = "", time.Time{}
		try(s.name+" without host and time", nameless)
	}
	if reports < 1000 {
		t.Errorf("only %d reports", reports)
	}
}

func checkReport(t *testing.T, en engine, r *report.Report) {
	t.Helper()
	checkEvidence(t, r)
	checkSentences(t, r)
	checkStatements(t, r)
	checkExplanations(t, en, r)
	checkUnknowns(t, r)
	var ids []string
	for _, a := range r.Attack {
		versions := ""
		for _, tactic := range a.Tactics {
			versions += tactic.Version
		}
		if a.Name == "" || !strings.Contains(versions, "v18") || !strings.Contains(versions, "v19") {
			t.Errorf("ATT&CK %+v", a)
		}
		ids = append(ids, a.ID)
	}
	unique(t, "ATT&CK", ids)
}

func unique(t *testing.T, what string, ids []string) {
	t.Helper()
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("%s twice: %v", what, ids)
	}
}

func checkUnknowns(t *testing.T, r *report.Report) {
	t.Helper()
	if len(r.Unknowns) > mostUnknowns {
		t.Errorf("%d unknowns", len(r.Unknowns))
	}
	var ids []string
	for _, u := range r.Unknowns {
		ids = append(ids, u.ID)
		switch _, known := r.Event.Field(u.Field); {
		case u.Why == "" || u.How == "":
			t.Errorf("unknown %+v", u)
		case known:
			t.Errorf("%s is called unknown and is in the alert", u.Field)
		}
	}
	unique(t, "unknown", ids)
}

// hasName reports whether the event has what a name of evidence stands for.
func hasName(r *report.Report, name string) bool {
	if name == "rule" || name == "hostname" && r.Event.Hostname != "" {
		return true
	}
	_, ok := r.Event.Field(name)
	return ok
}

func checkExplanations(t *testing.T, en engine, r *report.Report) {
	t.Helper()
	if n := len(r.Explanations); n < 2 || n > mostExplanations {
		t.Errorf("%d explanations", n)
	}
	var ids []string
	for i, e := range r.Explanations {
		ids = append(ids, e.ID)
		if e.Statement == "" || e.SettledBy == "" || len(e.For) == 0 || len(e.Against) == 0 {
			t.Errorf("incomplete: %+v", e)
		}
		for _, pro := range e.For {
			if strings.Contains(pro, " ") != strings.HasSuffix(pro, ".") || !strings.Contains(pro, " ") && !hasName(r, pro) {
				t.Errorf("%s: for it speaks %q, which is no sentence and nothing that the event has", e.ID, pro)
			}
		}
		for _, contra := range e.Against {
			checkContra(t, r, e.ID, contra)
		}
		known, ok := en.analyzer.base.Explanation(e.ID)
		if !ok || i == 0 && !agrees(known.Kind, r.Verdict) {
			t.Errorf("%s (%s) stands first, the verdict is %s", e.ID, known.Kind, r.Verdict)
		}
	}
	unique(t, "explanation", ids)
}

// checkContra knows three forms: "field, field: words.", "Not in the alert: field, field.", and words.
func checkContra(t *testing.T, r *report.Report, id, contra string) {
	t.Helper()
	if !strings.HasSuffix(contra, ".") || dangling.MatchString(contra) {
		t.Errorf("%s: against it %q", id, contra)
	}
	names, says, ok := strings.Cut(strings.TrimSuffix(contra, "."), ": ")
	switch {
	case !ok:
		if !strings.Contains(contra, " ") {
			t.Errorf("%s: against it %q", id, contra)
		}
	case names == "Not in the alert":
		for _, name := range strings.Split(says, ", ") {
			if hasName(r, name) {
				t.Errorf("%s: %s is in the alert", id, name)
			}
		}
	default:
		for _, name := range strings.Split(names, ", ") {
			if !hasName(r, name) {
				t.Errorf("%s: against it speaks %s, which the event does not have", id, name)
			}
		}
	}
}
