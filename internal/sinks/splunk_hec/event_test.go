package splunkhec

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

// example is a report of examples/reports.
func example(t testing.TB, name string) *report.Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "reports", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The golden files are what stands around an event, and one of text as a whole. That the event is the report
// as JSON is what the suite tests.
func TestGolden(t *testing.T) {
	reports := map[string]*report.Report{
		"reference": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(),
	}
	for name, r := range reports {
		json := openHEC(t, Config{URL: "http://x", Token: token, Index: "security", Source: "filelessd", Output: sink.Output{Format: "json"}})
		golden(t, name+".json", shortened(t, json, r))
		text := openHEC(t, Config{URL: "http://x", Token: token, SourceType: "x:y", Output: sink.Output{
			Format: sink.FormatTemplate, Template: "{{.Headline}}{{range .Facts}}; {{.Label}}={{quote .Value}}{{end}}",
		}})
		event, err := text.events.one(r)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+"-template.json", append(event, '\n'))
	}
}

// shortened is an event, indented, with the beginning of the report only.
func shortened(t *testing.T, h *hec, r *report.Report) []byte {
	t.Helper()
	event, err := h.events.one(r)
	if err != nil {
		t.Fatal(err)
	}
	var around map[string]json.RawMessage
	if err := json.Unmarshal(event, &around); err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(event), string(around["event"]))
	if !ok {
		t.Fatal("the event is not in it")
	}
	short := string(around["event"][:160]) + "…"
	return []byte(before + short + after + "\n")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestFormats(t *testing.T) {
	for _, format := range sink.Formats() {
		h := openHEC(t, Config{URL: "http://x", Token: token, Output: sink.Output{Format: format}})
		raw, err := h.events.one(sinktest.Hostile())
		if err != nil {
			t.Fatal(err)
		}
		e, _, err := readEvent(raw)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if object := e.Event[0] == '{'; object != (format == "json" || format == "ecs" || format == "ocsf") {
			t.Errorf("%s: %.60s", format, e.Event)
		}
		if bytes.ContainsAny(raw, "\n\r") || e.SourceType != "filelessd:"+format {
			t.Errorf("%s: several lines, or source type %s", format, e.SourceType)
		}
		var text string
		if json.Unmarshal(e.Event, &text) == nil {
			if err := sinktest.CheckText(nil, []byte(text)); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
}

func TestTime(t *testing.T) {
	if got := epoch(time.Date(2024, 10, 25, 14, 1, 7, 31_816_432, time.UTC)); got != "1729864867.031" {
		t.Errorf("got %s", got)
	}
}

// FuzzEvent: whatever the host is called and the text says, the event is one object that a collector takes.
func FuzzEvent(f *testing.F) {
	f.Add("node-1", "text")
	f.Add("a\"},\"event\":\"x\n\u202e\xff"+strings.Repeat("界", 200), "\"}{\"event\":1}\x00")
	h := openHEC(f, Config{URL: "http://x", Token: token, Output: sink.Output{Format: sink.FormatTemplate, Template: `{{.ID}} {{.Title}}`}})
	f.Fuzz(func(t *testing.T, hostname, title string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Title = hostname, title
		raw, err := h.events.one(r)
		if err != nil {
			t.Fatal(err)
		}
		all, _, err := readEvents(append(raw, raw...))
		if err != nil || len(all) != 2 {
			t.Fatalf("%d, %v: %q", len(all), err, raw)
		}
		e, _, _ := readEvent(all[0])
		if report.Visible(e.Host) != e.Host || len(e.Host) > 255 || len(e.Fields) != 7 {
			t.Errorf("%+v", e)
		}
	})
}
