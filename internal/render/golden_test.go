package render_test

import (
	"flag"
	"os"
	"path/filepath"
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

func TestGolden(t *testing.T) {
	for name, r := range goldenReports(t) {
		for format, extension := range map[string]string{"html": ".html", "markdown": ".md", "text": ".txt"} {
			t.Run(name+extension, func(t *testing.T) {
				got, err := render.Render(format, r)
				if err != nil {
					t.Fatal(err)
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
