// Package examples has no code: its test reads the pages of the whole repository.
package examples

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// TestLinks: in every page each link to a file of the repository leads to one, and each link to a heading
// to a heading, by the names that GitHub gives to headings.
func TestLinks(t *testing.T) {
	pages := readPages(t, os.DirFS(".."))
	links := 0
	for name, p := range pages {
		for _, link := range p.links {
			u, err := url.Parse(link)
			if err == nil && u.IsAbs() {
				continue
			}
			links++
			if err == nil {
				err = follow(pages, name, u)
			}
			if err != nil {
				t.Errorf("%s: %s: %v", name, link, err)
			}
		}
	}
	if len(pages) < 20 || links < 100 {
		t.Errorf("%d pages with %d links: this test does not see what it is for", len(pages), links)
	}
}

// follow looks for what a link of the page name leads to.
func follow(pages map[string]page, name string, u *url.URL) error {
	target := name
	if u.Path != "" {
		target = path.Join(path.Dir(name), u.Path)
	}
	if !fs.ValidPath(target) {
		return fmt.Errorf("%s is outside of the repository", target)
	}
	if _, err := fs.Stat(os.DirFS(".."), target); err != nil {
		return err
	}
	if u.Fragment != "" && !pages[target].headings[u.Fragment] {
		return fmt.Errorf("%s has no such heading", target)
	}
	return nil
}

// page is what one of Markdown has of links and of places to link to.
type page struct {
	links    []string
	headings map[string]bool
}

// readPages reads every file *.md, but for those in directories that are built or belong to git.
func readPages(t *testing.T, repository fs.FS) map[string]page {
	t.Helper()
	pages := map[string]page{}
	err := fs.WalkDir(repository, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || name == "bin" || name == "dist") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".md" {
			return nil
		}
		source, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		pages[name] = readPage(source)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func readPage(source []byte) page {
	p := page{headings: map[string]bool{}}
	seen := map[string]int{}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	// The walker returns no error, so the walk has none.
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.Heading:
			id := headingID(words(n, source))
			if seen[id]++; seen[id] > 1 {
				id = fmt.Sprintf("%s-%d", id, seen[id]-1)
			}
			p.headings[id] = true
		}
		return ast.WalkContinue, nil
	})
	return p
}

// words is the text of a heading, without its marks.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// headingID is the name of a heading in a link, as GitHub makes it.
func headingID(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
