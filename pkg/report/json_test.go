package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var received = time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)

// with returns a report that has value wherever a report has text.
func with(value string) *report.Report {
	e := &event.Event{
		Time: received.Add(-time.Second), Received: received, Rule: value, Priority: event.Critical,
		Source: value, Hostname: value, Output: value, Tags: []string{value, "tag"},
	}
	e.SetField("proc.cmdline", value)
	e.SetField("container.name", value)
	e.SetField(value, value)
	return &report.Report{
		ID: e.ID(), Kind: report.KindAlert, SchemaVersion: report.SchemaVersion, CreatedAt: received,
		Title: value, Summary: value, Analysis: report.Analysis{Version: value, Knowledge: value},
		About: []string{value}, Event: e, Technique: "memfd_exec", Also: []report.Technique{"fd_exec"},
		Attack:  []report.Attack{{ID: "T1620", Name: value, Tactics: []report.Tactic{{ID: "TA0005", Name: value, Version: "v18"}}}},
		Group:   &report.Group{Key: value, Count: 2, Rules: []string{value}, FirstTime: received, LastTime: received, Hosts: []string{value}, Containers: []string{value}},
		Verdict: report.Suspicious, Confidence: report.MediumConfidence, Severity: report.High, Score: 55,
		Factors:      []report.Factor{{ID: "R1", Weight: -5, Reason: value, Evidence: []string{value}}},
		Findings:     []report.Finding{{ID: value, Statement: value, Evidence: []string{value}}},
		Explanations: []report.Explanation{{ID: value, Statement: value, For: []string{value}, Against: []string{value}, SettledBy: value}},
		Unknowns:     []report.Unknown{{ID: value, Field: value, Why: value, How: value}},
		Actions:      []report.Action{{ID: value, Title: value, Commands: []string{value}, Needs: value, Risk: value, Changes: value, Undo: value, Why: value, Results: []report.Result{{If: value, Then: value}}}},
		Mitigations: []report.Mitigation{{
			ID: value, Title: value, Why: value, Effect: value, SideEffects: value, DryRun: value, Rollback: value,
			Files: []report.File{{Path: value, MediaType: value, Content: value}},
		}},
	}
}

// checkJSON asserts that r comes back from its JSON as it was, and that its JSON hides nothing.
func checkJSON(t *testing.T, r *report.Report) {
	t.Helper()
	data, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range string(data) {
		if unseen(c) {
			t.Fatalf("%U stands in the JSON as it is", c)
		}
	}
	var got report.Report
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	// Of text that is not UTF-8 only the alert's own keeps its bytes.
	want := *r
	text := cmp.Transformer("text", func(s string) string { return string([]rune(s)) })
	skipEvent := cmpopts.IgnoreFields(report.Report{}, "Event")
	if diff := cmp.Diff(want, got, text, skipEvent, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !sameEvent(r.Event, got.Event) {
		t.Errorf("the event changed: %+v, want %+v", got.Event, r.Event)
	}
	again, err := report.Marshal(&got)
	if err != nil {
		t.Fatal(err)
	}
	if utf8.ValidString(r.Title) && !bytes.Equal(again, data) {
		t.Errorf("written again, it differs:\n%s\n%s", data, again)
	}
}

// sameEvent compares but for bytes of tags and times of receipt that are not UTF-8.
func sameEvent(want, got *event.Event) bool {
	if want == nil || got == nil {
		return want == got
	}
	w, g := *want, *got
	for i := range w.Tags {
		w.Tags = slices.Clone(w.Tags)
		w.Tags[i] = string([]rune(w.Tags[i]))
	}
	return w.Equal(&g)
}

func TestJSONHostile(t *testing.T) {
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { checkJSON(t, with(value)) })
	}
}

func FuzzJSON(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || strings.HasPrefix(value, "{") {
			t.Skip("no rule, or an output that is JSON itself")
		}
		checkJSON(t, with(value))
	})
}

// TestJSONForm checks what readers rely on: every key, empty lists instead of null, times.
func TestJSONForm(t *testing.T) {
	top := []string{
		"id", "kind", "schema_version", "created_at", "title", "summary", "verdict", "severity", "confidence",
		"score", "technique", "also", "attack", "factors", "findings", "explanations", "unknowns", "actions",
		"mitigations", "group", "about", "analysis", "event",
	}
	for name, c := range map[string]struct {
		report *report.Report
		want   map[string]string // some keys, as JSON
	}{
		"alert": {with("x"), map[string]string{
			"created_at": `"2026-11-23T12:00:00.000000005Z"`, "technique": `"memfd_exec"`, "score": `55`, "also": `["fd_exec"]`,
			"group": `{"key":"x","count":2,"rules":["x"],"first_time":"2026-11-23T12:00:00.000000005Z","last_time":"2026-11-23T12:00:00.000000005Z","hosts":["x"],"containers":["x"]}`,
		}},
		"nothing": {&report.Report{Kind: report.KindLoss}, map[string]string{
			"created_at": `null`, "technique": `null`, "event": `null`, "group": `null`, "about": `[]`, "also": `[]`,
			"attack": `[]`, "factors": `[]`, "findings": `[]`, "explanations": `[]`, "unknowns": `[]`, "actions": `[]`, "mitigations": `[]`,
		}},
		"empty parts": {&report.Report{
			Attack: make([]report.Attack, 1), Factors: make([]report.Factor, 1), Findings: make([]report.Finding, 1),
			Explanations: make([]report.Explanation, 1), Actions: make([]report.Action, 1), Mitigations: make([]report.Mitigation, 1),
			Group: &report.Group{},
		}, map[string]string{
			"attack":       `[{"id":"","name":"","tactics":[]}]`,
			"factors":      `[{"id":"","weight":0,"reason":"","evidence":[]}]`,
			"findings":     `[{"id":"","statement":"","evidence":[]}]`,
			"explanations": `[{"id":"","statement":"","for":[],"against":[],"settled_by":""}]`,
			"group":        `{"key":"","count":0,"rules":[],"first_time":null,"last_time":null,"hosts":[],"containers":[]}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := report.Marshal(c.report)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]json.RawMessage
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			for _, key := range top {
				if _, ok := got[key]; !ok {
					t.Errorf("no key %q", key)
				}
			}
			if len(got) != len(top) {
				t.Errorf("%d keys, want %d", len(got), len(top))
			}
			for key, want := range c.want {
				if string(got[key]) != want {
					t.Errorf("%s: %s, want %s", key, got[key], want)
				}
			}
		})
	}
}

// TestMarshalLeavesTheReport makes sure that a report can be written while others read it.
func TestMarshalLeavesTheReport(t *testing.T) {
	r := &report.Report{Factors: make([]report.Factor, 1), Mitigations: make([]report.Mitigation, 1)}
	if _, err := report.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if r.Factors[0].Evidence != nil || r.Mitigations[0].Files != nil || r.About != nil {
		t.Errorf("changed: %+v", r)
	}
}

// TestMarshalKeepsWhatItReturned: writing the next report must not touch the one before.
func TestMarshalKeepsWhatItReturned(t *testing.T) {
	for _, first := range []string{"memfd:first", "memfd:fi\u200brst"} { // the second has something to escape
		line, err := report.Marshal(with(first))
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Clone(line)
		for range 100 {
			if _, err := report.Marshal(with("memfd:other one")); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(line, kept) {
			t.Errorf("%s: became %s", kept, line)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	r := with("memfd:program")
	for b.Loop() {
		if _, err := report.Marshal(r); err != nil {
			b.Fatal(err)
		}
	}
}
