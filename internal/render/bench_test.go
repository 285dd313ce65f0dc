package render_test

import (
	"testing"

	"github.com/filelessd/filelessd/internal/render"
)

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
