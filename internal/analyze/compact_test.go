package analyze

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestCompact: what the log leaves out comes back, word for word, also through JSON; and the log's
// records stay small.
func TestCompact(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	base := en.analyzer.base
	var sizes []int
	for _, s := range samples(t) {
		r := en.report(s.event)
		if r == nil {
			continue
		}
		before, err := report.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := report.Marshal(base.Compact(r))
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := report.Marshal(r); string(after) != string(before) {
			t.Fatalf("%s: Compact changed its report", s.name)
		}
		sizes = append(sizes, len(body))
		stored := new(report.Report)
		if err := json.Unmarshal(body, stored); err != nil {
			t.Fatal(err)
		}
		restored, err := report.Marshal(base.Complete(stored))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before), string(restored)); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
	slices.Sort(sizes)
	median, largest := sizes[len(sizes)/2], sizes[len(sizes)-1]
	t.Logf("%d records: median %d bytes, largest %d", len(sizes), median, largest)
	if median > 5000 {
		t.Errorf("the median record has %d bytes", median)
	}
}

// TestCompactKeepsWhatIsNotKnowledge: an operator's words stay, and an ID of another version of the
// program still says something.
func TestCompactKeepsWhatIsNotKnowledge(t *testing.T) {
	en := newEngine(t, match.Config{Rules: []match.Rule{{ID: "own", Technique: "memfd_exec", When: `rule == "own rule"`, Reason: "ask the team"}}})
	base := en.analyzer.base
	e := exec()
	c := without(&e, "proc.exepath")
	r := base.Compact(en.report(c))
	if r.Findings[0].Statement == "" {
		t.Error("the words of an operator's rule were left out")
	}
	old := &report.Report{
		Event: &event.Event{}, Findings: []report.Finding{{ID: "of_another_version"}},
		Explanations: []report.Explanation{{ID: "gone_since"}},
	}
	whole := base.Complete(old)
	if whole.Findings[0].Statement != "of another version" || whole.Explanations[0].SettledBy != "gone since" {
		t.Errorf("%+v", whole)
	}
	if base.Complete(whole) != whole {
		t.Error("a complete report was copied")
	}
}
