package pagerduty

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "write the golden files")

func at() time.Time { return time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC) }

func testSink(t testing.TB) *pagerduty {
	c := Kind.Default()
	c.RoutingKey, c.Link = key, "https://filelessd.example/reports/{id}"
	s := openSink(t, c)
	s.now = at
	return s
}

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
	s := testSink(t)
	for name, r := range map[string]*report.Report{
		"test-unconfirmed": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(), "hostile": sinktest.Hostile(),
	} {
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(s.event(r, sink.ThreadKey(t.Context(), r))); err != nil {
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

// TestSeverity: all that filelessd has are names that PagerDuty knows, in the same order.
func TestSeverity(t *testing.T) {
	var got []string
	r := sinktest.Ordinary()
	for _, r.Severity = range append(report.Severities(), "") {
		got = append(got, testSink(t).event(r, "k").Payload.Severity)
	}
	if diff := cmp.Diff([]string{"info", "info", "warning", "error", "critical", "warning"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestEveryKind: each is an event that the API takes.
func TestEveryKind(t *testing.T) {
	s := testSink(t)
	long := sinktest.Ordinary()
	long.Title, long.Summary, long.Event.Hostname = strings.Repeat("😀", 2000), strings.Repeat("x", 20_000), strings.Repeat("h", 5000)
	for _, r := range append(append(sinktest.Kinds(), sinktest.Reports()...), long) {
		for _, thread := range []string{sink.ThreadKey(t.Context(), r), strings.Repeat("k", 300)} {
			body, err := json.Marshal(s.event(r, thread))
			if err != nil {
				t.Fatal(err)
			}
			if err := medium.Inert(r, body); err != nil {
				t.Errorf("%s: %v", r.Kind, err)
			}
		}
	}
}

// FuzzEvent: whatever an alert says, it is an event that the API takes, and all of it shows.
func FuzzEvent(f *testing.F) {
	f.Add("node\n", "curl http://x", "title", "ns")
	f.Add("\xff\u202e\x00", strings.Repeat("😀", 3000), " ", "\\u0000")
	s := testSink(f)
	f.Fuzz(func(t *testing.T, host, cmd, title, ns string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Title, r.Summary = host, title, title
		r.Event.SetField("proc.cmdline", cmd)
		r.Event.SetField("k8s.ns.name", ns)
		r.Event.SetField(title, host)
		body, err := json.Marshal(s.event(r, r.ID))
		if err != nil {
			t.Fatal(err)
		}
		if err := medium.Inert(r, body); err != nil {
			t.Error(err)
		}
	})
}
