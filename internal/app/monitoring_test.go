package app

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"
)

type alertRule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) []alertRule {
	t.Helper()
	data, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 20 {
		t.Fatalf("%d groups of alerts", len(file.Groups))
	}
	return file.Groups[0].Rules
}

var metricName = regexp.MustCompile(`\b(filelessd|process|go)_[a-z0-9_]+`)

// metricsIn are the metrics that an expression asks for, by the names of their families.
func metricsIn(expr string, known []*dto.MetricFamily) (names []string) {
	for _, name := range metricName.FindAllString(expr, -1) {
		for _, f := range known {
			if f.GetType() == dto.MetricType_HISTOGRAM || f.GetType() == dto.MetricType_SUMMARY {
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					if name == f.GetName()+suffix {
						name = f.GetName()
					}
				}
			}
		}
		names = append(names, name)
	}
	return names
}

// checkAsked finds what an expression asks for and a daemon that has just started does not have: an
// alert on a series that comes with the first failure can not see it rise.
func checkAsked(t *testing.T, what, expr string, known []*dto.MetricFamily) {
	t.Helper()
	names := metricsIn(expr, known)
	if len(names) == 0 && !strings.Contains(expr, "up") && !strings.Contains(expr, "ALERTS") {
		t.Errorf("%s asks for nothing of filelessd: %s", what, expr)
	}
	for _, name := range names {
		i := slices.IndexFunc(known, func(f *dto.MetricFamily) bool { return f.GetName() == name })
		if i < 0 {
			t.Errorf("%s: no metric %s", what, name)
			continue
		}
		for _, m := range labelMatch.FindAllStringSubmatch(expr, -1) {
			if m[1] == name && !hasSeries(known[i], m[2], m[3]) {
				t.Errorf("%s: no series %s", what, m[0])
			}
		}
	}
}

var labelMatch = regexp.MustCompile(`\b(filelessd_[a-z_]+)\{(reason|outcome)=~?"([^"]*)"`)

// hasSeries reports whether f has a series for each of the values.
func hasSeries(f *dto.MetricFamily, label, values string) bool {
	for value := range strings.SplitSeq(values, "|") {
		if !slices.ContainsFunc(f.GetMetric(), func(m *dto.Metric) bool {
			return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == label && l.GetValue() == value })
		}) {
			return false
		}
	}
	return true
}

// TestAlerts holds the alert rules to the metrics that there are, and to the page that says what to do.
func TestAlerts(t *testing.T) {
	known := everyMetric(t)
	page, err := os.ReadFile(monitoring + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (Filelessd\w+)$`).FindAllStringSubmatch(string(page), -1) {
		headings[m[1]] = true
	}
	tests, err := os.ReadFile(monitoring + "alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := os.ReadFile(monitoring + "alerts_quiet_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, a := range readAlerts(t) {
		checkAsked(t, a.Alert, a.Expr, known)
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: severity %q", a.Alert, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s says too little", a.Alert)
		}
		if url := a.Annotations["runbook_url"]; url != runbook+"#"+strings.ToLower(a.Alert) || !headings[a.Alert] {
			t.Errorf("%s: %s is not a heading of the page", a.Alert, url)
		}
		delete(headings, a.Alert)
		for _, m := range label.FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["description"], -1) {
			if m[1] != "instance" && !hasLabel(known, metricsIn(a.Expr, known)[0], m[1]) {
				t.Errorf("%s speaks of the label %s, which it does not have", a.Alert, m[1])
			}
		}
		if !strings.Contains(string(tests)+string(quiet), `alertname="`+a.Alert+`", alertstate="firing"`) {
			t.Errorf("%s fires in no test", a.Alert)
		}
	}
	for name := range headings {
		t.Errorf("the page explains %s, which there is not", name)
	}
}

const runbook = "https://github.com/filelessd/filelessd/blob/main/examples/monitoring/README.md"

func hasLabel(known []*dto.MetricFamily, name, label string) bool {
	for _, f := range known {
		if f.GetName() == name {
			return slices.ContainsFunc(f.GetMetric()[0].GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == label })
		}
	}
	return false
}

// everyMetric are those of the runtime too.
func everyMetric(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	all, err := newWhole(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDashboard holds the dashboard's queries to the metrics that there are, and to its variables.
func TestDashboard(t *testing.T) {
	known := everyMetric(t)
	data, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Type, Title, Description string
			ID                       int
			GridPos                  struct{ X, Y, W, H int }
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids, taken, shown := map[int]bool{}, map[[2]int]string{}, map[string]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the number %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%s: no description, or no query", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %s, or over the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			checkAsked(t, p.Title, target.Expr, known)
			for _, name := range metricsIn(target.Expr, known) {
				shown[name] = true
			}
			if selectors, ours := strings.Count(target.Expr, "{"), strings.Count(target.Expr, `job=~"$job", instance=~"$instance"}`); ours != selectors || ours == 0 {
				t.Errorf("%s: a selector without the variables: %s", p.Title, target.Expr)
			}
		}
	}
	for _, f := range ourMetrics(t) {
		if !shown[f.GetName()] {
			t.Errorf("no panel shows %s", f.GetName())
		}
	}
}
