package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func testLayout() layout {
	return layout{mentions: []string{"channel"}, from: report.High, link: linked + "{id}"}
}

func encoded(t testing.TB, m message) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		t.Fatal(err)
	}
	if _, err := readMessage(b.Bytes()); err != nil {
		t.Fatalf("%v: %.500s", err, b.Bytes())
	}
	return b.Bytes()
}

// read is what a person sees of m, with the markup.
func read(m message) string {
	var b strings.Builder
	for _, block := range m.Blocks {
		b.WriteString("[" + block.Type + "]\n")
		if block.Text != nil {
			b.WriteString(html.UnescapeString(block.Text.Text) + "\n")
		}
		for _, e := range block.Elements {
			b.WriteString(html.UnescapeString(e.Text) + "\n")
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	reports := map[string]*report.Report{
		"reference": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(),
	}
	for name, r := range reports {
		m := testLayout().message(r)
		golden(t, name+".json", encoded(t, m))
		golden(t, name+".txt", []byte(read(m)))
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
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEveryKindIsAMessage(t *testing.T) {
	for _, r := range append(sinktest.Kinds(), sinktest.Reports()...) {
		m := testLayout().message(r)
		encoded(t, m)
		text := read(m)
		if !strings.Contains(text, r.ID) || !strings.Contains(text, "<"+linked+r.ID+"|Whole report>") {
			t.Errorf("%s: %s", r.Kind, text)
		}
		if mentions := strings.Contains(text, "<!channel>"); mentions != (r.Severity.Rank() >= report.High.Rank()) {
			t.Errorf("%s of severity %s: mentions %v", r.Kind, r.Severity, mentions)
		}
	}
	m := layout{from: report.Info}.message(sinktest.Ordinary())
	encoded(t, m)
	if text := read(m); !strings.Contains(text, "whole report: filelessd explain "+sinktest.Ordinary().ID) {
		t.Error(text)
	}
}

// What does not fit is left out or cut, and the message says so. Commands are whole or not there.
func TestLongReport(t *testing.T) {
	r := sinktest.Ordinary()
	r.Title, r.Summary = strings.Repeat("title<", 200), strings.Repeat("x&", 50_000)
	r.Event.SetField("proc.cmdline", strings.Repeat("界𝄞`", 20_000))
	r.Actions[0].Commands = []string{"echo short", strings.Repeat("echo long\n", 500), "echo last"}
	for range 70 {
		r.Actions = append(r.Actions, report.Action{Title: "another action"})
	}
	m := testLayout().message(r)
	encoded(t, m)
	text := read(m)
	for _, want := range []string{
		"*Score:* `55 of 100`", "*Host:* `node-1`", "*Do first:* `Keep the program`", "echo short", "echo last",
		"_cut: command line_", "left out: 1 of the 3 commands of the first action; cut: summary", "left out: actions", "[header]\nSuspicious: title<title<",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s in %.4000s", want, text)
		}
	}
	if strings.Contains(text, "echo long") {
		t.Error("a command is cut")
	}
	r.Actions[0].Commands = strings.Split(strings.Repeat("true\n", 200), "\n")
	encoded(t, testLayout().message(r))
}

func TestMention(t *testing.T) {
	if got, want := mention([]string{"channel", "here", "everyone", "U1", "W2", "S3"}), "<!channel> <!here> <!everyone> <@U1> <@W2> <!subteam^S3>"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestEscape(t *testing.T) {
	for raw, want := range map[string]string{
		"<!channel> <@U1> <http://x|y> &lt;": "&lt;!channel&gt; &lt;@U1&gt; &lt;http://x|y&gt; &amp;lt;",
		"a\n`b` *c*\u202e":                   "a\\n\u02cbb\u02cb *c*\\u202e",
	} {
		if got := code(raw); got != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
	if got := codeLines("\n a\tb\n\x1bc```\n\n"); got != "a  b\n\\x1bc\u02cb\u02cb\u02cb" {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		raw   string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"a&b", 7, "a&amp;b"},
		{"a&bc", 7, "a&amp;…"},
		{"a&b", 6, "a…"},
		{"a&bc", 5, "a…"},
		{"𝄞𝄞", 3, "𝄞…"},
		{"𝄞𝄞", 4, "𝄞𝄞"},
		{"\xff\xff", 7, `\xff…`},
		{"", 5, ""},
		{"ab", 1, "…"},
	} {
		if got := cut(tt.raw, tt.limit); got != tt.want {
			t.Errorf("%q to %d: got %q, want %q", tt.raw, tt.limit, got, tt.want)
		}
	}
}

// FuzzEscape: what is escaped can be read back by undoing the three entities, shows everything, and has
// nothing that acts, whole or cut.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "<!channel>", "&amp;<@U1>`*_~", "a\n\x00\xff\u202e", strings.Repeat("&", 40)} {
		f.Add(seed, 10)
	}
	f.Fuzz(func(t *testing.T, raw string, limit int) {
		limit = max(1, min(limit, 200))
		undo := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
		if got := undo.Replace(escape(raw)); got != report.Visible(raw) {
			t.Errorf("%q became %q", raw, got)
		}
		for _, got := range []string{escape(raw), code(raw), cut(raw, limit), codeCut(raw, limit)} {
			if strings.ContainsAny(got, "<>\n") || report.Visible(got) != got {
				t.Errorf("%q", got)
			}
			if strings.Contains(strings.NewReplacer("&lt;", "", "&gt;", "", "&amp;", "").Replace(got), "&") {
				t.Errorf("an entity is parted: %q", got)
			}
		}
		if strings.Contains(codeLines(raw), "`") || sink.UTF16(cut(raw, limit)) > limit {
			t.Errorf("%q", raw)
		}
	})
}

// FuzzMessage: whatever an alert says, the message is by the published form and its limits.
func FuzzMessage(f *testing.F) {
	f.Add("x", "y", 3)
	f.Add(strings.Repeat("界`<", 3000), "a\nb```", 40)
	f.Fuzz(func(t *testing.T, text, command string, repeat int) {
		r := sinktest.Ordinary()
		r.Title, r.Summary, r.Event.Hostname = text, strings.Repeat(text, max(0, min(repeat, 50))), text
		r.Event.SetField("proc.cmdline", text)
		r.Actions[0].Title, r.Actions[0].Commands = text, []string{command, text}
		encoded(t, testLayout().message(r))
	})
}
