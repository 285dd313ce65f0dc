package app

//go:generate go test -run TestMetricsPage -update .

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"
)

var update = flag.Bool("update", false, "write the generated page of metrics")

const monitoring = "../../examples/monitoring/"

// configured says where the values of a label come from that are not the same everywhere.
var configured = map[string]string{
	"source":    "the name of a source in the configuration",
	"sink":      "the name of a sink in the configuration",
	"rule":      "the `id` of a rule of `match.rules`",
	"version":   "of the program",
	"goversion": "that of the Go it was built with",
	"hash":      "of the configuration in use",
}

// newWhole is a daemon with one of each part that has metrics, built and not run.
func newWhole(t *testing.T) *App {
	t.Helper()
	a := newApp(t, fmt.Sprintf(`
data_dir: %s
http: {listen: ""}
grpc: {listen: "127.0.0.1:0"}
match: {rules: [{id: RULE, technique: fd_exec, when: 'hostname == "h"', reason: r}]}
sources:
  SOURCE: {type: falco_http, listen: "127.0.0.1:0"}
sinks:
  SINK: {type: stdout}
`, t.TempDir()), zerolog.Nop())
	t.Cleanup(func() {
		if err := a.cleanup(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// ourMetrics are those of a daemon that has just started.
func ourMetrics(t *testing.T) (ours []*dto.MetricFamily) {
	t.Helper()
	families, err := newWhole(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "filelessd_") {
			ours = append(ours, f)
		}
	}
	if len(ours) < 20 {
		t.Fatalf("%d metrics", len(ours))
	}
	return ours
}

// TestMetricsPage fails when the page is stale.
func TestMetricsPage(t *testing.T) {
	ours := ourMetrics(t)
	alerts := readAlerts(t)
	var b strings.Builder
	var from []string
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		if slices.ContainsFunc(ours, func(f *dto.MetricFamily) bool { return hasLabel(ours, f.GetName(), name) }) {
			from = append(from, "`"+name+"`, "+configured[name])
		}
	}
	fmt.Fprintf(&b, pageHead, strings.Join(from, ";\n"))
	for _, f := range ours {
		var used []string
		for _, a := range alerts {
			if slices.Contains(metricsIn(a.Expr, ours), f.GetName()) {
				used = append(used, fmt.Sprintf("[%s](README.md#%s)", a.Alert, strings.ToLower(a.Alert)))
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			labelsOf(f), escapeCell(f.GetHelp()), strings.Join(used, " "))
	}
	b.WriteString(pageFoot)
	if *update {
		if err := os.WriteFile(monitoring+"METRICS.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(monitoring + "METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("examples/monitoring/METRICS.md is stale: run go generate ./internal/app\n%s", diff)
	}
}

const pageHead = `# Metrics

Written by ` + "`go generate ./internal/app`" + ` from what a daemon registers. All of it exists from the start, at
zero, so that a rule never waits for a first failure. How to scrape them, and what to do when an alert fires:
[README.md](README.md).

Nothing that an alert says becomes a label. Those with no list of values below are
%s.

| metric | type | labels | what it says | alerts |
| --- | --- | --- | --- | --- |
`

const pageFoot = `
Beside these are those of Go's runtime and of the process, ` + "`go_*` and `process_*`" + `.
`

// labelsOf names the labels of f, with their values where they are the same everywhere.
func labelsOf(f *dto.MetricFamily) string {
	values := map[string][]string{}
	var names []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
			if !slices.Contains(values[l.GetName()], l.GetValue()) {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
	}
	var all []string
	for _, name := range names {
		text := "`" + name + "`"
		if configured[name] == "" {
			text += " (`" + strings.Join(values[name], "`, `") + "`)"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func escapeCell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// TestMetricsFromTheStart: a metric without a series at the start would be missing from the page, and
// alerts could not tell that it rises from zero.
func TestMetricsFromTheStart(t *testing.T) {
	a := newWhole(t)
	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		a.registry.Describe(descriptions)
	}()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range descriptions {
		m := name.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("no name in %s", d)
		}
		if strings.HasPrefix(m[1], "filelessd_") && !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == m[1] }) {
			t.Errorf("%s has no series at the start", m[1])
		}
	}
}
