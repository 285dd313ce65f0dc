//go:build integration

package render_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
)

// cmark returns a function that renders Markdown with cmark-gfm, GitHub's renderer, raw HTML
// allowed. It is Debian's package cmark-gfm.
func cmark(t *testing.T) func([]byte) []byte {
	t.Helper()
	tool, err := exec.LookPath("cmark-gfm")
	if err != nil {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf("FILELESSD_INTEGRATION=1 asks for cmark-gfm: %v", err)
		}
		t.Skipf("no second renderer of Markdown (apt-get install cmark-gfm): %v", err)
	}
	return func(page []byte) []byte {
		cmd := exec.CommandContext(t.Context(), tool, "--unsafe", "-e", "table", "-e", "autolink",
			"-e", "strikethrough", "-e", "tasklist", "-e", "footnotes")
		cmd.Stdin = bytes.NewReader(page)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("cmark-gfm: %v", err)
		}
		return out
	}
}

// TestSecondRenderer makes sure that GitHub's renderer sees the same pages as ours.
func TestIntegrationSecondRenderer(t *testing.T) {
	second := cmark(t)
	for name, r := range goldenReports(t) {
		t.Run(name, func(t *testing.T) {
			page := render.Markdown(r)
			want, got := parseHTML(t, toHTML(t, gfm, page)), parseHTML(t, second(page))
			if diff := cmp.Diff(want.tree, got.tree); diff != "" {
				t.Errorf("elements (-goldmark +cmark-gfm):\n%s", diff)
			}
			if diff := cmp.Diff(want.texts, got.texts, cmp.AllowUnexported(text{})); diff != "" {
				t.Errorf("texts (-goldmark +cmark-gfm):\n%s", diff)
			}
		})
	}
}

func TestIntegrationSecondRendererHostile(t *testing.T) {
	github := newReader(cmark(t))
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { github.check(t, value) })
	}
}

func TestIntegrationSecondRendererMixtures(t *testing.T) {
	github, random := newReader(cmark(t)), rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		github.check(t, mixture(random))
	}
}
