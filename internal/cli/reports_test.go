package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var update = flag.Bool("update", false, "rewrite the golden reports")

// corpus is one alert for each technique, place and amount of detail, by the names of the files.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/reports/*.json")
	if err != nil || len(files) < 54 {
		t.Fatal(len(files), err)
	}
	alerts := map[string][]byte{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		alerts[strings.TrimSuffix(filepath.Base(f), ".json")] = data
	}
	return alerts
}

// cases are those alerts of the analysis's cases that match.
func cases(t *testing.T) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile("../analyze/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string][]byte{}
	for in := bufio.NewScanner(bytes.NewReader(data)); in.Scan(); {
		var c struct {
			ID    string          `json:"id"`
			Event json.RawMessage `json:"event"`
		}
		if json.Unmarshal(in.Bytes(), &c) == nil {
			alerts[c.ID] = c.Event
		}
	}
	return alerts
}

// reportsOf are the whole reports of those alerts that match, as a sink gets them.
func reportsOf(t *testing.T, alerts map[string][]byte) map[string]*report.Report {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := match.New(base, match.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	analyzer, err := analyze.New(base, match.DefaultConfig(), "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]*report.Report{}
	for name, line := range alerts {
		e, err := event.Parse(line, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
		if err != nil {
			continue
		}
		if hits := set.Match(&e); len(hits) > 0 {
			r := analyzer.Report(&e, hits)
			r.Analysis.Knowledge = "0123456789ab" // so that new knowledge changes only what it is about
			reports[name] = playbook.Expand(r)
		}
	}
	return reports
}

// TestReports keeps the report of every alert of the corpus, as text, to be read by eyes.
func TestReports(t *testing.T) {
	for name, r := range reportsOf(t, corpus(t)) {
		golden(t, filepath.Join("testdata/reports", name+".txt"), render.Text(r))
	}
}

// TestExampleReports keeps the reports that the README shows.
func TestExampleReports(t *testing.T) {
	all := reportsOf(t, corpus(t))
	maps.Copy(all, reportsOf(t, cases(t)))
	for name, of := range map[string]string{
		"test-confirmed": "c01", "test-unconfirmed": "c02", "benign-likely": "c09",
		"suspicious": "memfd_exec.host", "malicious-likely": "c04",
	} {
		for _, format := range []struct{ name, suffix string }{{"markdown", ".md"}, {"html", ".html"}, {"json", ".json"}} {
			page, err := render.Render(format.name, all[of])
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("../../examples/reports", name+format.suffix), page)
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; read the new one and run with -update:\n%s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: got  %s\n         want %s", i+1, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return "the golden file is longer"
}

// detail finds what a sentence can not know without the alert: quoted values, paths, IDs, numbers.
var detail = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|(?:/[\w.@+-]+)+|\b[0-9a-f]{12,64}\b|\b\d+\b`)

// ours are the details that our own words have, whatever the alert says.
var ours = []string{
	"/dev/shm", "/proc", "/proc/PID/exe", "/proc/self/exe", "/proc/self/fd", "/fd", "/mem", "/CRI", "/run",
	"100", // of the score
	"2",   // the second explanation
}

// TestEvidence walks every report: each field that it cites is in the alert, and each number, path, ID
// and quoted value of a statement stands in a value that it cites.
func TestEvidence(t *testing.T) {
	reports := reportsOf(t, corpus(t))
	maps.Copy(reports, reportsOf(t, cases(t)))
	seen := 0
	for name, r := range reports {
		all := maps.Collect(fieldsOf(r.Event))
		var everything []string
		for _, v := range all {
			everything = append(everything, v, fmt.Sprintf("(%d bytes)", len(v))) // of one that is cut
		}
		everything = append(everything, all["k8s.ns.name"]+"/"+all["k8s.pod.name"]) // how a pod is named
		everything = append(everything, r.Event.Time.Format("2006-01-02 15:04:05.000000000"), fmt.Sprintf("score %d", r.Score))
		holds := func(where, statement string, values []string) {
			for _, d := range detail.FindAllString(statement, -1) {
				seen++
				if !slices.Contains(ours, d) && !cited(d, values) {
					t.Errorf("%s: %s: %s in %q is in no value that it cites", name, where, d, statement)
				}
			}
		}
		cite := func(where string, fields []string) (values []string) {
			for _, f := range fields {
				v, ok := all[f]
				if !ok {
					t.Errorf("%s: %s cites %s, which the alert has not", name, where, f)
				}
				values = append(values, v)
			}
			return values
		}
		for _, f := range r.Factors {
			holds("factor "+f.ID, f.Reason, cite("factor "+f.ID, f.Evidence))
		}
		for _, f := range r.Findings {
			if len(f.Evidence) == 0 {
				t.Errorf("%s: finding %s cites nothing", name, f.ID)
			}
			holds("finding "+f.ID, f.Statement, cite("finding "+f.ID, f.Evidence))
		}
		for _, e := range r.Explanations {
			holds("explanation "+e.ID, e.Statement, everything)
			for _, reason := range slices.Concat(e.For, e.Against) {
				holds("explanation "+e.ID, reason, everything)
			}
		}
		holds("title", r.Title, everything)
		holds("summary", r.Summary, everything)
	}
	if seen < 500 {
		t.Errorf("only %d details were looked at", seen)
	}
}

// cited reports whether a detail stands in one of the values. Quoted values can be escaped and cut.
func cited(d string, values []string) bool {
	inner, isQuoted := strings.CutPrefix(d, `"`)
	inner = strings.TrimSuffix(inner, `"`)
	for _, v := range values {
		if isQuoted {
			v = report.Visible(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v))
		}
		if strings.Contains(v, inner) {
			return true
		}
	}
	return false
}

// fieldsOf are the event's fields, and what else of it can be cited.
func fieldsOf(e *event.Event) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for k, v := range e.Fields() {
			if !yield(k, v) {
				return
			}
		}
		for k, v := range map[string]string{
			"rule": e.Rule, "hostname": e.Hostname, "source": e.Source, "output": e.Output,
			"priority": e.Priority.String(), "tags": strings.Join(e.Tags, " "), "time": e.Time.String(),
		} {
			if v != "" && !yield(k, v) {
				return
			}
		}
	}
}
