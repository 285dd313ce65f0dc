package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

func TestTotal(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []int
		score   int
		verdict report.Verdict
		want    string
	}{
		{"as it adds up", []int{40, 5}, 45, report.Suspicious, "| **Total** | **45** | Class suspicious. | |"},
		{"below 0", []int{40, -45}, 0, report.BenignLikely, "| **Total** | **0** | The sum is -5; a score is never below 0. Class benign-likely. | |"},
		{"above 100", []int{40, 70}, 100, report.MaliciousLikely, "| **Total** | **100** | The sum is 110; a score is never above 100. Class malicious-likely. | |"},
		{"a test", []int{45, -25}, 20, report.Test, "| **Total** | **20** | Class test: it replaces the class of this score, because the event looks like a test. | |"},
		{"a test below 0", []int{5, -25}, 0, report.Test, "The sum is -20; a score is never below 0. Class test: "},
		{"adds up to something else", []int{40}, 50, report.Suspicious, "| **50** | The sum is 40. Class suspicious. | |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &report.Report{Kind: report.KindAlert, Score: c.score, Verdict: c.verdict}
			for i, w := range c.weights {
				r.Factors = append(r.Factors, report.Factor{ID: fmt.Sprint("E", i), Weight: w, Reason: "so"})
			}
			if page := string(render.Markdown(r)); !strings.Contains(page, c.want) {
				t.Errorf("no %q in\n%s", c.want, page)
			}
		})
	}
}
