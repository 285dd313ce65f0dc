package teams

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
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

func posted(t testing.TB, r *report.Report) []byte {
	t.Helper()
	to := openTeams(t, Config{
		URL: "https://workflows.example/x", Mentions: []string{"Jane Doe <jane@example.com>"}, MentionSeverity: "high",
		Link: "https://filelessd.example/reports/{id}",
	})
	body := to.message(r)
	if err := checkRequest(map[string][]string{"Content-Type": {"application/json"}}, body); err != nil {
		t.Fatalf("%v: %.500s", err, body)
	}
	return body
}

// The golden files are the messages, indented, and what a person reads of them.
func TestGolden(t *testing.T) {
	reports := map[string]*report.Report{
		"reference": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(),
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			body := posted(t, r)
			s, err := readCard(body)
			if err != nil {
				t.Fatal(err)
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(indented.Bytes(), '\n'))
			golden(t, name+".txt", []byte(strings.Join(append(s.marked, s.plain...), "\n")+"\n"))
		})
	}
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
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKindIsACard(t *testing.T) {
	for _, r := range append(sinktest.Kinds(), sinktest.Reports()...) {
		s, err := readCard(posted(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(s.plain, "\n"); !strings.Contains(text, r.ID) {
			t.Errorf("%s: no id", r.Kind)
		}
		if mentions := len(s.entities) > 0; mentions != (r.Severity.Rank() >= report.High.Rank()) || mentions != (len(s.marked) > 0) {
			t.Errorf("%s of severity %s: mentions %v", r.Kind, r.Severity, s.entities)
		}
	}
}

// What does not fit is left out, and the card says so. Commands are shown whole or not at all.
func TestLongReport(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.SetField("proc.cmdline", strings.Repeat("界𝄞", 20_000))
	r.Summary = strings.Repeat("x", 50_000)
	r.Actions[0].Commands = []string{"echo short", strings.Repeat("echo long\n", 5_000), "echo last"}
	s, err := readCard(posted(t, r))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(s.plain, "\n")
	for _, want := range []string{"Score: 55 of 100", "Host: node-1", "Do first: Keep the program", "left out: run", "cut: command line, summary; whole report: https://filelessd.example/reports/" + r.ID} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s in %.500s", want, text)
		}
	}
	if strings.Contains(text, "echo long") || !strings.Contains(text, "echo short") {
		t.Error("commands are cut, or missing")
	}
}

func TestManyCommands(t *testing.T) {
	r := sinktest.Ordinary()
	r.Actions[0].Commands = strings.Split(strings.Repeat("true\n", 999), "\n")
	s, err := readCard(posted(t, r))
	if err != nil || len(s.ids) != maxCommands {
		t.Errorf("%d commands, %v", len(s.ids), err)
	}
}

func TestEscape(t *testing.T) {
	for raw, want := range map[string]string{
		"**b** _i_ [x](http://x) # h": "**b** _i_ [x](http://x) # h", // a TextRun has no markup
		"<at>Jane Doe</at> <AT id=1>": "< at>Jane Doe< /at> < AT id=1>",
		"<attack> {{.Image}}":         "<attack> {{.Image}}",
		"{{DATE(2017-02-14)}}{{time(": "{ {DATE(2017-02-14)}}{ {time(",
		"a\"b\\c\nd\u202e":            `a\"b\\c\\nd\\u202e`,
	} {
		if got := escape(raw); got != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
}

// FuzzEscape: whatever the text, it is one text of JSON that shows and does nothing.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "<at>Jane</at>", "{{{DATE(x)", "\"}]},", "a\n\x00\xff\u202e\\", "<<at{{{{TIME("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var text string
		if err := json.Unmarshal([]byte(`"`+escape(raw)+`"`), &text); err != nil {
			t.Fatalf("%v: %q", err, escape(raw))
		}
		if report.Visible(text) != text || active.MatchString(text) {
			t.Errorf("%q", text)
		}
		if err := json.Unmarshal([]byte(`"`+escapeLines(raw)+`"`), &text); err != nil || active.MatchString(text) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzCard: whatever an alert says, the request is by the published form and its size.
func FuzzCard(f *testing.F) {
	f.Add("x", "y", 3)
	f.Add(strings.Repeat("界\"", 9000), "a\nb", 40)
	f.Fuzz(func(t *testing.T, text, command string, repeat int) {
		r := sinktest.Ordinary()
		r.Title, r.Summary, r.Event.Hostname = text, strings.Repeat(text, max(0, min(repeat, 50))), text
		r.Event.SetField("proc.cmdline", text)
		r.Actions[0].Commands = []string{command, text}
		posted(t, r)
	})
}
