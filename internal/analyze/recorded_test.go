package analyze

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
)

var update = flag.Bool("update", false, "rewrite golden files")

// recordings are alerts that a real Falco 0.43.1 wrote.
const recordings = "../../examples/alerts"

// TestRecordedAlerts holds what every recorded alert comes to against a table that was checked by
// eye: which lines match, as what, and why.
func TestRecordedAlerts(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	files, err := filepath.Glob(filepath.Join(recordings, "*.file-output.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	var table bytes.Buffer
	fmt.Fprintln(&table, "file\tline\trule\tprogram\ttechnique\tverdict\tscore\tconfidence\tfactors")
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			e, err := event.Parse(lines.Bytes(), received)
			if err != nil {
				t.Fatalf("%s:%d: %v", path, n, err)
			}
			exe, _ := e.Field("proc.exepath")
			fmt.Fprintf(&table, "%s\t%d\t%s\t%.40q\t%s\n", strings.TrimSuffix(filepath.Base(path), ".file-output.jsonl"), n, e.Rule, exe, outcome(t, en, e))
		}
	}
	const golden = "testdata/recorded.tsv"
	if *update {
		if err := os.WriteFile(golden, table.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), table.String()); diff != "" {
		t.Error(diff)
	}
}

func outcome(t *testing.T, en engine, e event.Event) string {
	t.Helper()
	r := en.report(e)
	if r == nil {
		return "-"
	}
	checkEvidence(t, r)
	technique := string(r.Technique)
	for _, also := range r.Also {
		technique += "+" + string(also)
	}
	return fmt.Sprintf("%s\t%s\t%d\t%s\t%s", technique, r.Verdict, r.Score, r.Confidence, ledger(r))
}
