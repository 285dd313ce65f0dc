package analyze

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// expected is what a case of testdata/cases.jsonl has to come to.
type expected struct {
	ID            string
	Match         string
	Scope         string
	Technique     report.Technique
	Verdict       report.Verdict
	VerdictAccept []report.Verdict `json:"verdict_accept"`
	Score         int
	Confidence    report.Confidence
	Factors       []string
}

// engine is match and analysis as the program wires them.
type engine struct {
	set      *match.Set
	analyzer *Analyzer
}

func newEngine(t testing.TB, c match.Config) engine {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := match.New(base, c, func(rule string, err error) { t.Errorf("rule %s: %v", rule, err) })
	if err != nil {
		t.Fatal(err)
	}
	analyzer, err := New(base, c, "test")
	if err != nil {
		t.Fatal(err)
	}
	return engine{set, analyzer}
}

// report returns nil if e does not match.
func (en engine) report(e event.Event) *report.Report {
	hits := en.set.Match(&e)
	if len(hits) == 0 {
		return nil
	}
	return en.analyzer.Report(&e, hits)
}

var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func readLines[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return all
}

type alertCase struct {
	ID    string
	Event json.RawMessage
}

func TestCases(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	events := map[string]json.RawMessage{}
	for _, c := range readLines[alertCase](t, "testdata/cases.jsonl") {
		events[c.ID] = c.Event
	}
	for _, want := range readLines[expected](t, "testdata/cases-expected.jsonl") {
		t.Run(want.ID, func(t *testing.T) {
			e, err := event.Parse(events[want.ID], received)
			if err != nil {
				if want.Match == "yes" || want.ID != "c46" {
					t.Fatal(err)
				}
				return
			}
			r := en.report(e)
			if want.Match == "no" {
				if r != nil {
					t.Fatalf("matches as %s, factors %v", r.Technique, r.Factors)
				}
				return
			}
			if r == nil {
				t.Fatal("does not match")
			}
			checkCase(t, want, r)
		})
	}
}

func checkCase(t *testing.T, want expected, r *report.Report) {
	t.Helper()
	var factors []string
	for _, f := range r.Factors {
		factors = append(factors, f.ID)
	}
	if !slices.Contains(want.VerdictAccept, r.Verdict) {
		t.Errorf("verdict %s, want one of %v", r.Verdict, want.VerdictAccept)
	}
	got := expected{
		ID: want.ID, Match: want.Match, Scope: want.Scope, Technique: r.Technique,
		Verdict: r.Verdict, VerdictAccept: want.VerdictAccept, Score: r.Score,
		Confidence: r.Confidence, Factors: factors,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkEvidence(t, r)
}

// checkEvidence makes sure that every name that r rests on exists in its event.
func checkEvidence(t *testing.T, r *report.Report) {
	t.Helper()
	check := func(what string, evidence []string) {
		if len(evidence) == 0 {
			t.Errorf("%s has no evidence", what)
		}
		for _, name := range evidence {
			if name == "rule" || name == "hostname" && r.Event.Hostname != "" || name == "output" {
				continue
			}
			if _, ok := r.Event.Field(name); !ok {
				t.Errorf("%s rests on %s, which the event does not have", what, name)
			}
		}
	}
	for _, f := range r.Factors {
		check("factor "+f.ID, f.Evidence)
	}
	for _, f := range r.Findings {
		check("finding "+f.ID, f.Evidence)
	}
}

func TestScopeSwitch(t *testing.T) {
	en := newEngine(t, match.Config{Extended: false})
	events := map[string]json.RawMessage{}
	for _, c := range readLines[alertCase](t, "testdata/cases.jsonl") {
		events[c.ID] = c.Event
	}
	for _, want := range readLines[expected](t, "testdata/cases-expected.jsonl") {
		if want.Match != "yes" {
			continue
		}
		e, err := event.Parse(events[want.ID], received)
		if err != nil {
			t.Fatal(err)
		}
		if r := en.report(e); (r != nil) != (want.Scope == "core") {
			t.Errorf("%s (%s): report %v", want.ID, want.Scope, r != nil)
		}
	}
}
