package alertmanager

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "write the golden files")

func at() time.Time { return time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC) }

func example(t testing.TB, name string) *report.Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../examples/reports", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden keeps what people are shown, to be read by eyes.
func TestGolden(t *testing.T) {
	c := Kind.Default()
	c.URLs, c.Labels = []sink.Secret{"http://alertmanager:9093"}, map[string]string{"team": "soc"}
	c.Link = "https://filelessd.example/reports/{id}"
	s := openSink(t, c)
	for name, r := range map[string]*report.Report{
		"test-unconfirmed": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(), "hostile": sinktest.Hostile(),
	} {
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(s.alert(r, sink.ThreadKey(t.Context(), r), at())); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// distinct are the label sets, each of which is an alert.
func distinct(t *testing.T, alerts [][]byte) map[string]bool {
	t.Helper()
	sets := map[string]bool{}
	for _, one := range alerts {
		var a struct{ Labels map[string]string }
		if err := json.Unmarshal(one, &a); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(a.Labels)
		sets[string(text)] = true
	}
	return sets
}

// TestLabels: an attack is one alert, and other attacks are others if they are told apart.
func TestLabels(t *testing.T) {
	c := Kind.Default()
	c.URLs = []sink.Secret{"http://x"}
	first, later := sinktest.Ordinary(), sinktest.Ordinary()
	later.ID = strings.Repeat("7", 64)
	later.Event.SetField("proc.pid", "4712")
	later.Event.SetField("proc.cmdline", "5 --loud")
	s := openSink(t, c)
	one := s.alert(first, "a", at())
	for _, r := range []*report.Report{later, sinktest.Summary()} {
		if diff := cmp.Diff(one.Labels, s.alert(r, "b", at()).Labels); diff != "" {
			t.Errorf("%s: another alert: %s", r.Kind, diff)
		}
	}
	c.ThreadLabel = "attack"
	s = openSink(t, c)
	if s.alert(first, "a", at()).Labels["attack"] != "a" || s.alert(later, "b", at()).Labels["attack"] != "b" {
		t.Error("thread_label does not tell attacks apart")
	}
	names := map[report.Kind]string{}
	for _, r := range sinktest.Kinds() {
		names[r.Kind] = s.alert(r, "a", at()).Labels["alertname"]
	}
	if diff := cmp.Diff(map[report.Kind]string{
		"alert": "FilelessExecution", "summary": "FilelessExecution", "update": "FilelessExecution",
		"suppression": "FilelessdSuppression", "loss": "FilelessdLoss", "quiet": "FilelessdQuiet", "test": "FilelessdTest",
	}, names); diff != "" {
		t.Error(diff)
	}
}

// TestTimes: an alert fires from its delivery on, however late that is and whatever its clock says.
func TestTimes(t *testing.T) {
	c := Kind.Default()
	c.URLs = []sink.Secret{"http://x"}
	s := openSink(t, c)
	event, summary, future, none := sinktest.Ordinary(), sinktest.Summary(), sinktest.Ordinary(), sinktest.Loss()
	future.Event.Time = at().Add(100 * time.Hour)
	none.CreatedAt = time.Time{}
	for r, want := range map[*report.Report]time.Time{
		event: event.Event.Time, summary: summary.Group.FirstTime, future: at(), none: at(), sinktest.Loss(): sinktest.Loss().CreatedAt,
	} {
		a := s.alert(r, "", at())
		if !a.StartsAt.Equal(want) || !a.EndsAt.Equal(at().Add(time.Hour)) {
			t.Errorf("%s: %s to %s, want from %s", r.Kind, a.StartsAt, a.EndsAt, want)
		}
	}
}

// FuzzAlert: whatever an alert says, each value shows, is on its line and within its limit, and no name
// is the alert's.
func FuzzAlert(f *testing.F) {
	f.Add("node", "cmd", "title\ndescription: x", "<!channel>")
	f.Add("\xff\u202e\x00", strings.Repeat("é", 3000), "", " \n")
	c := Kind.Default()
	c.URLs = []sink.Secret{"http://x"}
	s, err := open(f.Context(), c, sinktest.Env())
	if err != nil {
		f.Fatal(err)
	}
	names := slices.Concat(slices.Collect(maps.Values(annotationNames)), ownLabels,
		[]string{"summary", "description", "kind", "report_id", "whole_report", "first_action", "attack", "unknown"})
	f.Fuzz(func(t *testing.T, host, cmd, title, container string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Title, r.Summary = host, title, title
		r.Event.SetField("proc.cmdline", cmd)
		r.Event.SetField("container.id", "x")
		r.Event.SetField("container.name", container)
		r.Event.SetField(title, host)
		a := s.(*alertmanager).alert(r, "", at())
		for limit, set := range map[int]map[string]string{maxLabel: a.Labels, maxDescription: a.Annotations} {
			for name, value := range set {
				if !slices.Contains(names, name) {
					t.Errorf("the name %q", name)
				}
				lines := strings.Split(value, "\n")
				for _, line := range lines {
					if report.Visible(line) != line {
						t.Errorf("%s: %q", name, line)
					}
				}
				if value == "" || utf8.RuneCountInString(value) > limit || len(lines) > 1 && name != "description" {
					t.Errorf("%s: %q", name, value)
				}
			}
		}
	})
}
