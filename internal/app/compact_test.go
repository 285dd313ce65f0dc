package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestLogHoldsNoWords: what a sink gets from the log is what was analysed, word for word, and the log
// holds little of it.
func TestLogHoldsNoWords(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	e, err := event.Parse(recordedLines(t, "mtls")[0], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	record, ok, err := f.app.intake.record(f.app.intake.rules.Load(), &e, "hook")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	fresh, ok := record.Value.(*report.Report)
	if !ok {
		t.Fatalf("%T", record.Value)
	}
	stored := new(report.Report)
	if err := json.Unmarshal(record.Body, stored); err != nil {
		t.Fatal(err)
	}
	if stored.Explanations[0].Statement != "" || stored.Unknowns[0].Why != "" {
		t.Errorf("the log holds words: %s", record.Body)
	}
	want, _ := report.Marshal(f.app.expand(fresh))
	got, _ := report.Marshal(f.app.expand(stored))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}
