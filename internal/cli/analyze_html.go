package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

// htmlPage is one page on stdout. Several would be no document.
type htmlPage struct {
	paper
	page []byte
}

func (h *htmlPage) report(r *report.Report, _ []match.Check) error {
	if h.page != nil {
		h.page = []byte{}
		return usage(errors.New("-o html writes one page to stdout, and here is more than one report: give -d DIR"))
	}
	h.page = render.HTML(r)
	return nil
}

func (h *htmlPage) miss(miss) error { return nil }

func (h *htmlPage) bad(string, int, error) (bool, error) { return false, nil }

func (h *htmlPage) close() error { return errors.Join(h.put(h.page), h.paper.close()) }

// htmlDir is a directory with a page per report and an index. Its names are made of the reports' IDs, and
// every file is written below the directory whatever links are in it.
type htmlDir struct {
	name    string
	root    *os.Root
	entries []render.IndexEntry
	place   map[string]int // of a page among the entries
}

func newHTMLDir(name string) (*htmlDir, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, fmt.Errorf("-d: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("-d: %w", err)
	}
	return &htmlDir{name: name, root: root, place: map[string]int{}}, nil
}

func (h *htmlDir) report(r *report.Report, _ []match.Check) error {
	if len(r.ID) != 64 || strings.Trim(r.ID, "0123456789abcdef") != "" {
		return fmt.Errorf("the id %q can not be a file name", r.ID)
	}
	page := r.ID + ".html"
	if err := h.write(page, render.HTML(r)); err != nil {
		return err
	}
	entry := render.IndexEntryOf(r, page)
	if i, ok := h.place[page]; ok { // the same alert again
		h.entries[i] = entry
		return nil
	}
	h.place[page] = len(h.entries)
	h.entries = append(h.entries, entry)
	return nil
}

func (h *htmlDir) miss(miss) error { return nil }

func (h *htmlDir) bad(string, int, error) (bool, error) { return false, nil }

// close writes the index: of what is there, also when the reading was cut short.
func (h *htmlDir) close() error {
	return errors.Join(h.write("index.html", render.Index(h.entries)), h.root.Close())
}

// write puts a file in the place of one of the same name, whole or not at all.
func (h *htmlDir) write(name string, content []byte) error {
	temp := "." + name + "." + rand.Text() + ".tmp"
	f, err := h.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("-d %s: %w", h.name, err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = h.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("-d %s: %w", h.name, err), h.root.Remove(temp))
	}
	return nil
}
