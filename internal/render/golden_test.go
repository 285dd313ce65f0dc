package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenReports are the reports whose pages are kept, by the names of their files.
func goldenReports(t testing.TB) map[string]*report.Report {
	t.Helper()
	a, events := newAnalyst(t), recorded(t)
	reports := others(t)
	for _, id := range []string{"c01", "c02", "c04", "c09", "c12", "c16", "c20", "c25", "c26", "c28"} {
		reports[id] = a.report(t, events[id])
	}
	reports["full"] = full(t)
	return reports
}

// htmlGoldens are the reports whose pages are kept as HTML too: the other formats have the same
// blocks.
var htmlGoldens = []string{"full", "c04", "c26", "summary", "loss"}

// unstyled is an HTML page without its style, which is in style.css, and without the hash of it.
func unstyled(page []byte) []byte {
	page = regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAll(page, []byte("<style></style>"))
	return regexp.MustCompile(`'sha256-[^']*'`).ReplaceAll(page, []byte("'sha256-'"))
}

func TestGolden(t *testing.T) {
	for name, r := range goldenReports(t) {
		for format, extension := range map[string]string{"cef": ".cef", "html": ".html", "markdown": ".md", "text": ".txt"} {
			if format == "html" && !slices.Contains(htmlGoldens, name) {
				continue
			}
			t.Run(name+extension, func(t *testing.T) {
				got, err := render.Render(format, r)
				if err != nil {
					t.Fatal(err)
				}
				if format == "html" {
					got = unstyled(got)
				}
				golden := filepath.Join("testdata", "golden", name+extension)
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
			})
		}
	}
}
