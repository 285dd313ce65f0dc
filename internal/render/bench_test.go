package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

// large is a report with all that one can offer: six steps, and 20 KB of files.
func large(b *testing.B) *report.Report {
	r := *full(b)
	for i := range 4 {
		r.Actions = append(r.Actions, r.Actions[0])
		r.Actions[i+2].Commands = []string{strings.Repeat("cat /proc/48213/maps >\"$OUT/48213.maps\"\n", 12)}
	}
	for i := range 12 {
		m := r.Mitigations[0]
		m.Files = []report.File{{
			Path: fmt.Sprintf("/etc/example/%d.yaml", i), MediaType: "application/yaml",
			Content: strings.Repeat("- rule: Fileless execution via memfd_create # <exception> & 'more'\n", 25),
		}}
		r.Mitigations = append(r.Mitigations, m)
	}
	return &r
}

func BenchmarkHTMLLarge(b *testing.B) {
	r := large(b)
	for b.Loop() {
		render.HTML(r)
	}
}

func BenchmarkMarkdownLarge(b *testing.B) {
	r := large(b)
	for b.Loop() {
		render.Markdown(r)
	}
}

func BenchmarkHTML(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		render.HTML(r)
	}
}

func BenchmarkMarkdown(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		render.Markdown(r)
	}
}

func BenchmarkText(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		render.Text(r)
	}
}

func BenchmarkJSON(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		if _, err := render.JSON(r); err != nil {
			b.Fatal(err)
		}
	}
}
