package render_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

// indexed has an entry for each golden report of an alert.
func indexed(t testing.TB) []render.IndexEntry {
	t.Helper()
	reports := goldenReports(t)
	var names []string
	for name, r := range reports {
		if r.Kind == report.KindAlert {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var entries []render.IndexEntry
	for _, name := range names {
		entries = append(entries, render.IndexEntryOf(reports[name], name+".html"))
	}
	return entries
}

func TestIndexGolden(t *testing.T) {
	got := unstyled(render.Index(indexed(t)))
	golden := filepath.Join("testdata", "golden", "index.html")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIndexOrder(t *testing.T) {
	entry := func(page string, v report.Verdict, score, minutes int) render.IndexEntry {
		return render.IndexEntry{Page: page, Title: "title of " + page, Verdict: v, Score: score, Time: received.Add(time.Duration(minutes) * time.Minute)}
	}
	given := []render.IndexEntry{
		entry("e", report.BenignLikely, 10, 1), entry("d", report.Test, 60, 1), entry("c", report.Suspicious, 50, 2),
		entry("b", report.Suspicious, 50, 1), entry("a", report.MaliciousLikely, 70, 9),
	}
	before := slices.Clone(given)
	page := parseHTML(t, render.Index(given))
	var got []string
	for _, x := range page.texts {
		if name, ok := strings.CutPrefix(x.content, "title of "); ok {
			got = append(got, name)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.Equal(given, before) {
		t.Error("the caller's list was sorted")
	}
}

func TestIndexEmpty(t *testing.T) {
	if page := parseHTML(t, render.Index(nil)); !page.has("p", "No alert showed fileless execution.") || page.contains("th", "all") {
		t.Errorf("an index of nothing: %v", page.texts)
	}
}

// TestIndexLinks makes sure that a link leads to a file beside the index or is none.
func TestIndexLinks(t *testing.T) {
	for page, linked := range map[string]bool{
		"a.html": true, "2ea71c18131a7f03.html": true, "": false, "..": false, ".hidden.html": false, "a/b.html": false,
		"javascript:alert(1)": false, "https://evil.example": false, "//evil.example": false, `a".html`: false, "a.html#x": false, "a.html?x": false,
	} {
		root := parseTree(t, render.Index([]render.IndexEntry{{Page: page, Title: "the title"}}))
		links := all(root, "a")
		if got := len(links) == 1 && attribute(links[0], "href") == page; got != linked || !linked && len(links) > 0 {
			t.Errorf("%q: linked %v, want %v", page, got, linked)
		}
		if !strings.Contains(content(root), "the title") {
			t.Errorf("%q: no title", page)
		}
	}
}

func TestIndexHostile(t *testing.T) {
	written["a"], written["span"] = "href", "class"
	defer func() { delete(written, "a"); delete(written, "span") }()
	entry := func(v string) []render.IndexEntry {
		return []render.IndexEntry{{
			Page: "a.html", Host: v, Title: v, Technique: report.Technique(v), Verdict: report.Verdict(v), Severity: report.Severity(v),
		}}
	}
	want := skeleton(parseTree(t, render.Index(entry("harmless"))), false)
	for name, value := range hostile(t) {
		root := parseTree(t, render.Index(entry(value)))
		checkWritten(t, root)
		if got := skeleton(root, false); got != want {
			t.Errorf("%s is active (-harmless +hostile):\n%s", name, cmp.Diff(want, got))
		}
		shown := report.Visible(value)
		if len([]rune(shown)) <= 300 && !strings.Contains(content(root), shown) {
			t.Errorf("%s is not on the page", name)
		}
	}
}
