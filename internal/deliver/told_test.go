package deliver

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestWorseVerdictBreaksOut: an alert that is taken for a test, or for harmless, does not fold what is
// not, even where their severity is the same.
func TestWorseVerdictBreaksOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		all := repeats(imageAttack(), 8)
		var want []string
		for n, step := range []struct {
			verdict  report.Verdict
			severity report.Severity
			goes     bool
		}{
			{report.Test, report.Medium, true},
			{report.BenignLikely, report.Low, false},
			{report.Suspicious, report.Medium, true},
			{report.Test, report.Medium, false},
			{report.Suspicious, report.High, true},
			{report.MaliciousLikely, report.High, true},
			{report.MaliciousLikely, report.High, false},
			{report.Suspicious, report.High, false},
		} {
			all[n].Verdict, all[n].Severity = step.verdict, step.severity
			b.log.append(all[n])
			if step.goes {
				want = append(want, all[n].ID)
			}
			if n%2 == 0 { // in the window together, or one behind the other
				settle()
			}
		}
		settle()
		b.stop()
		if diff := cmp.Diff(want, b.sink.taken()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWithheldIsNotTold: an alert that the rate limit withholds tells the sink nothing, so the next one
// like it is no repeat. Else who fills the limit with anything would have an attack of its own folded
// into a group that nobody heard of.
func TestWithheldIsNotTold(t *testing.T) {
	nameless := imageAttack()
	nameless.host = "" // else each alert of a host that is not known goes out in any case
	for _, together := range []bool{true, false} {
		for _, base := range []attack{hostAttack(), imageAttack(), nameless} {
			synctest.Test(t, func(t *testing.T) {
				b := newGroupBench(t)
				b.policy.RateLimit = RateLimit{PerMinute: 1, Burst: 1}
				b.start()
				noise := base
				noise.cmdline = "%d noise"
				attack := repeats(base, 4)
				b.log.append(noise.report(), attack[0], attack[1])
				if !together {
					settle()
				}
				time.Sleep(2 * time.Minute)
				b.log.append(attack[2], attack[3])
				settle()
				if got, want := b.sink.taken(), []string{noise.report().ID, attack[2].ID}; !slices.Equal(got, want) {
					t.Errorf("taken %v, want %v", got, want)
				}
				time.Sleep(3 * time.Hour)
				b.stop()
				s, n := b.sink.ofKind(report.KindSummary), b.sink.ofKind(report.KindSuppression)
				if len(s) != 1 || s[0].Group.Count != 1 || len(n) != 1 || n[0].Group.Count != 2 {
					t.Errorf("summaries %v, notices %v", s, n)
				}
			})
		}
	}
}
