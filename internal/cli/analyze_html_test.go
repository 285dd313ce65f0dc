package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnalyzeHTMLDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "pages")
	input := strings.Join([]string{hitLine, missLine, fdLine, hitLine, "text"}, "\n")
	code, stdout, stderr := run(t, input, "analyze", "-d", dir)
	if code != 3 || stdout != "" || !strings.Contains(stderr, "4 alerts, 3 show") {
		t.Errorf("exit status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	names := listOf(t, dir)
	if len(names) != 3 || names[2] != "index.html" {
		t.Fatalf("files %v", names)
	}
	index := contentOf(t, filepath.Join(dir, "index.html"))
	for _, name := range names[:2] {
		if !regexp.MustCompile(`^[0-9a-f]{64}\.html$`).MatchString(name) || strings.Count(index, `href="`+name+`"`) != 1 {
			t.Errorf("%s is not in the index once", name)
		}
		if page := contentOf(t, filepath.Join(dir, name)); !strings.HasPrefix(page, "<!DOCTYPE html>") || !strings.HasSuffix(page, "</html>\n") {
			t.Errorf("%s is no page", name)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	// Again: what is there is replaced, and nothing else comes or goes.
	page := filepath.Join(dir, names[0])
	if err := os.WriteFile(page, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := run(t, input, "analyze", "-o", "html", "-d", dir); code != 3 {
		t.Errorf("exit status %d", code)
	}
	if diff := cmp.Diff(names, listOf(t, dir)); diff != "" || contentOf(t, page) == "old" {
		t.Errorf("%s, or an old page", diff)
	}
}

// TestAnalyzeHTMLStays: a link in the place of a page is replaced, and what it leads to is left alone.
func TestAnalyzeHTMLStays(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "index.html")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, hitLine, "analyze", "-d", dir); code != 0 {
		t.Errorf("exit status %d: %s", code, stderr)
	}
	if contentOf(t, outside) != "mine" || !strings.HasPrefix(contentOf(t, filepath.Join(dir, "index.html")), "<!DOCTYPE html>") {
		t.Error("the link was followed")
	}
	// A file where the directory should be is an error before anything is read.
	if code, _, stderr := run(t, hitLine, "analyze", "-d", outside); code != 1 || !strings.Contains(stderr, "-d: ") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
}

func TestAnalyzeHTMLPage(t *testing.T) {
	code, stdout, _ := run(t, hitLine+"\n"+missLine, "analyze", "-o", "html")
	if code != 0 || !strings.HasPrefix(stdout, "<!DOCTYPE html>") || strings.Count(stdout, "</html>") != 1 {
		t.Errorf("exit status %d: %.200s", code, stdout)
	}
	file := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(file, []byte(hitLine+"\n"+fdLine+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "", "analyze", "-o", "html", file, file)
	if code != 2 || stdout != "" || strings.Count(stderr, "give -d DIR") != 1 {
		t.Errorf("exit status %d: %.200s%s", code, stdout, stderr)
	}
	if code, stdout, _ := run(t, missLine, "analyze", "-o", "html"); code != 0 || stdout != "" {
		t.Errorf("exit status %d: %q", code, stdout)
	}
}

func listOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, fmt.Sprint(e.Name()))
	}
	slices.Sort(names)
	return names
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
