package sink_test

import (
	"html"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestFitTakesEverything(t *testing.T) {
	r := sinktest.Ordinary()
	got := sink.Fit{Limit: 4000, Where: sink.Where(r, "https://r.example/{id}")}.Text(sink.NewBrief(r).Pieces(nil))
	for _, want := range []string{"Verdict: suspicious\n", "Run: cp /proc/4711/exe /root/evidence\n", "ID: " + r.ID + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "left out") || !strings.HasSuffix(got, "\nwhole report: https://r.example/"+r.ID) {
		t.Errorf("got\n%s", got)
	}
}

func TestFitKeepsWhatMatters(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.SetField("proc.cmdline", "head"+strings.Repeat(" argument", 10_000))
	r.Summary = strings.Repeat("It happened. ", 1000)
	got := sink.Fit{Limit: 900, Measure: sink.Runes, Where: sink.Where(r, "")}.Text(sink.NewBrief(r).Pieces(nil))
	if n := sink.Runes(got); n > 900 || n < 800 {
		t.Errorf("%d characters", n)
	}
	for _, want := range []string{
		"Verdict: suspicious\n", "Score: 55 of 100\n", "Host: node-1\n", "Container: none", "Command line: head argument", "…\n",
		"Do first: Keep the program\n", "left out: ", "cut: ", "command line", "whole report: filelessd explain " + r.ID,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestFitNote(t *testing.T) {
	pieces := []sink.Piece{{Name: "first", Text: strings.Repeat("x", 200), Required: true}}
	for _, name := range []string{"a", "b", "b", "c", "d", "e"} {
		pieces = append(pieces, sink.Piece{Name: name, Text: strings.Repeat("y", 300), Whole: true})
	}
	got := sink.Fit{Limit: 250, Where: "elsewhere", NoteBefore: "\n[", NoteAfter: "]"}.Text(pieces)
	if !strings.HasSuffix(got, "…\n[left out: a, b, c and 2 more; cut: first; elsewhere]") {
		t.Errorf("got %s", got)
	}
}

func TestFitCutsNoCommand(t *testing.T) {
	pieces := []sink.Piece{{Name: "run", Text: "rm -r /tmp/evidence/copy-of-what-is-no-longer-needed", Required: true, Whole: true}}
	if got := (sink.Fit{Limit: 50, Where: "log"}).Text(pieces); strings.Contains(got, "rm ") || !strings.Contains(got, "left out: run; log") {
		t.Errorf("got %s", got)
	}
}

func TestMeasures(t *testing.T) {
	const s = "aé€😀"
	if sink.Bytes(s) != 10 || sink.Runes(s) != 4 || sink.UTF16(s) != 5 {
		t.Errorf("%d bytes, %d runes, %d UTF-16", sink.Bytes(s), sink.Runes(s), sink.UTF16(s))
	}
}

func TestCheckLink(t *testing.T) {
	for link, want := range map[string]string{
		"": "", "https://r.example/{id}": "", "https://r.example/": "link: want {id} in it, for the report's id",
		"r.example/{id}": "link: want a URL that begins with http:// or https://",
	} {
		got := ""
		if err := sink.CheckLink("link", link); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
	}
}

var measures = []func(string) int{sink.Bytes, sink.Runes, sink.UTF16}

var escapes = []func(string) string{
	nil, report.Visible, html.EscapeString,
	func(s string) string { return strings.ReplaceAll(s, "a", "") }, // shrinks
	func(s string) string { return "<" + s + "\xff>" },              // is not UTF-8
}

// checkFit holds what Fit promises, whatever it is given.
func checkFit(t *testing.T, text, name string, limit, measure, escape int, required bool) {
	t.Helper()
	pieces := []sink.Piece{
		{Name: name, Before: "[", Text: text, After: "]\n"}, {Name: "must", Before: "M:", Text: "required 1", After: "\n", Required: true},
		{Name: "long", Text: strings.Repeat(text, 3), Required: required, Whole: !required}, {Name: "end", Text: "end of it", Whole: true},
	}
	count := measures[measure%len(measures)]
	got := sink.Fit{
		Limit: limit, Measure: count, Escape: escapes[escape%len(escapes)], Where: "whole: &" + name, NoteBefore: "(", NoteAfter: ")",
	}.Text(pieces)
	if n := count(got); n > max(limit, 0) {
		t.Fatalf("limit %d, measures %d: %q", limit, n, got)
	}
	if !utf8.ValidString(got) {
		t.Fatalf("not UTF-8: %q", got)
	}
	if strings.Count(got, "[") < strings.Count(got, "]\n") && !strings.ContainsAny(text+name, "[]") {
		t.Fatalf("what stands around a piece was parted: %q", got)
	}
	if strings.Contains(got, "end of it") && limit < 120 && !required && !strings.Contains(got, "M:") && escape%len(escapes) < 3 {
		t.Fatalf("an optional piece displaced a required one, limit %d: %q", limit, got)
	}
	if escape%len(escapes) == 2 && strings.Contains(html.EscapeString(html.UnescapeString(got)), "&amp;amp") && !strings.Contains(text+name, "amp") {
		t.Fatalf("half an escape: %q", got)
	}
}

func TestFitHoldsItsLimit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	alphabet := []string{"a", "é", "😀", "&", "<", "\n", "\xff", "\u202e", "\\", "\u0301"}
	for range 20_000 {
		var b strings.Builder
		for range random.IntN(200) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		checkFit(t, b.String(), "name", random.IntN(400)-5, random.IntN(3), random.IntN(5), random.IntN(2) == 0)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("text & <more>\n", "name", 100, 0, 2, true)
	f.Add(strings.Repeat("😀\xff\u202e", 50), "n", 60, 2, 0, false)
	f.Fuzz(func(t *testing.T, text, name string, limit, measure, escape int, required bool) {
		checkFit(t, text, name, limit%10_000, int(uint(measure)%3), int(uint(escape)%5), required)
	})
}

func BenchmarkFit(b *testing.B) {
	r := sinktest.Hostile()
	pieces := sink.NewBrief(r).Pieces(nil)
	for b.Loop() {
		sink.Fit{Limit: 2048, Where: sink.Where(r, "")}.Text(pieces)
	}
}
