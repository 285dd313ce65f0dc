package syslog

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is a report of examples/reports.
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

func testWriter(t testing.TB, c Config) writer {
	t.Helper()
	c.Address, c.Hostname = "127.0.0.1:514", "collector.example"
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestGolden(t *testing.T) {
	reports := map[string]*report.Report{
		"test-unconfirmed": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(),
	}
	for name, r := range reports {
		for _, format := range []string{"json", "text"} {
			for _, network := range []string{"udp", "tcp"} {
				c := defaults()
				c.Network, c.Format = network, format
				if name == "malicious-likely" {
					c.Link = "https://reports.example/{id}"
				}
				got, err := testWriter(t, c).message(r)
				if err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+network+"."+format, got)
			}
		}
	}
}

// TestGoldenCEF shortens lines that package render wrote.
func TestGoldenCEF(t *testing.T) {
	for _, name := range []string{"full", "c28"} {
		line, err := os.ReadFile("../../render/testdata/golden/" + name + ".cef")
		if err != nil {
			t.Fatal(err)
		}
		w := testWriter(t, defaults())
		w.format, w.render = "cef", func(*report.Report) ([]byte, error) { return []byte(strings.TrimSpace(string(line))), nil }
		w.limit = 1700
		got, err := w.message(sinktest.Ordinary())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".udp.cef", got)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestHeader(t *testing.T) {
	c := defaults()
	c.Facility = "authpriv"
	w := testWriter(t, c)
	for severity, want := range map[report.Severity]int{
		report.Critical: 82, report.High: 83, report.Medium: 84, report.Low: 85, report.Info: 86, "": 86,
	} {
		r := sinktest.Ordinary()
		r.Severity = severity
		if p, err := parse([]byte(w.header(r) + "x")); err != nil || p.priority != want {
			t.Errorf("%q: %+v, %v", severity, p, err)
		}
	}
	p, err := parse([]byte(w.header(sinktest.Ordinary()) + "x"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{
		"origin": {"software": "filelessd", "swVersion": "1.2.3"},
		"filelessd@32473": {
			"id": sinktest.Ordinary().ID, "severity": "high", "verdict": "suspicious", "confidence": "medium", "score": "55",
			"technique": "memfd_exec", "host": "node-1", "container": "host", "rule": event.StockMemfdRule,
			"time": "2026-03-01T11:59:59.123456789Z",
		},
	}
	if diff := cmp.Diff(want, p.data); diff != "" {
		t.Error(diff)
	}
	if p.time != "2026-03-01T12:00:00.123456Z" || p.host != "collector.example" || p.app != "filelessd" || p.kind != "alert" {
		t.Errorf("%+v", p)
	}
	if p, err := parse([]byte(w.header(&report.Report{ID: "x"}) + "x")); err != nil || p.time != "-" || p.kind != "-" {
		t.Errorf("of nothing: %+v, %v", p, err)
	}
	w.sdID = ""
	if p, err := parse([]byte(w.header(sinktest.Ordinary()) + "x")); err != nil || len(p.data) != 0 {
		t.Errorf("without structured data: %+v, %v", p, err)
	}
}

// check holds a message to the grammar, to its size, and its text to its format.
func check(t *testing.T, w writer, message []byte) {
	t.Helper()
	if len(message) > w.limit {
		t.Errorf("%d bytes, the limit is %d", len(message), w.limit)
	}
	all, err := texts(message)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all {
		if report.Visible(text) != text || !utf8.ValidString(text) {
			t.Errorf("not visible: %.200q", text)
		}
	}
	text := all[0]
	switch w.format {
	case "json":
		if !json.Valid([]byte(text)) {
			t.Errorf("not JSON: %s", text)
		}
	case "text":
		checkPairs(t, text)
	}
}

// checkPairs reads key="value" as logfmt readers do, and refuses a key that is not the sink's.
func checkPairs(t *testing.T, text string) {
	t.Helper()
	for rest := text; rest != ""; rest = strings.TrimPrefix(rest, " ") {
		key, after, ok := strings.Cut(rest, `="`)
		if !ok || key == "" || strings.ContainsFunc(key, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }) {
			t.Fatalf("no key: %.200q", rest)
		}
		end := 0
		for end < len(after) && after[end] != '"' {
			if after[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(after) {
			t.Fatalf("a value does not end: %.200q", after)
		}
		if key == "injected" {
			t.Fatalf("a key of the alert's: %s", text)
		}
		rest = after[end+1:]
	}
}

func TestEveryKindInEveryFormat(t *testing.T) {
	for _, format := range []string{"json", "text", "cef"} {
		for _, limit := range []int{leastMaxBytes, datagramBytes, streamBytes} {
			c := defaults()
			c.Format, c.MaxBytes = format, limit
			w := testWriter(t, c)
			for _, r := range append(sinktest.Kinds(), sinktest.Reports()...) {
				got, err := w.message(r)
				if err != nil {
					t.Fatal(err)
				}
				check(t, w, got)
			}
		}
	}
}

// TestLongestHeader: the least size has room for a text.
func TestLongestHeader(t *testing.T) {
	c := defaults()
	c.AppName, c.SDID, c.MaxBytes = strings.Repeat("a", longestAppName), strings.Repeat("s", longestSDName-6)+"@32473", leastMaxBytes
	w := testWriter(t, c)
	w.hostname, w.version = strings.Repeat("h", longestHost), strings.Repeat("v", 100)
	r := sinktest.Hostile()
	r.Group = &report.Group{Count: 1 << 40}
	r.Event.SetField("container.id", strings.Repeat(`"`, 500))
	for _, format := range []string{"json", "text"} {
		w.format = format
		got, err := w.message(r)
		if err != nil {
			t.Fatal(err)
		}
		check(t, w, got)
		if len(got) < w.limit-250 {
			t.Errorf("%s: %d bytes of %d are used", format, len(got), w.limit)
		}
	}
}

func TestTemplateIsShortened(t *testing.T) {
	c := defaults()
	c.Format, c.Template, c.Link = sink.FormatTemplate, "{{.Headline}}\n{{.Field \"proc.cmdline\"}}", "https://r.example/{id}"
	w := testWriter(t, c)
	r := sinktest.Hostile()
	r.Event.SetField("proc.cmdline", strings.Repeat("A", 1<<16))
	got, err := w.message(r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, w, got)
	if !strings.HasSuffix(string(got), "A… (cut: text; whole report: https://r.example/"+r.ID+")") {
		t.Errorf("%s", got)
	}
}

// FuzzCEF: what is shortened has no pair and no part of a header that was not there before.
