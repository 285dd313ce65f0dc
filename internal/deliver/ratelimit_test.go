package deliver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestRateLimit: what is beyond the limit is counted and told of; a critical alert goes in any case.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.policy.RateLimit = RateLimit{PerMinute: 6, Burst: 10}
		b.start()
		var critical int
		const seconds = 600
		for n := range seconds {
			a := hostAttack()
			a.pid, a.at = n, time.Now()
			r := a.report()
			if n%100 == 50 {
				r.Severity = report.Critical
				critical++
			}
			b.log.append(r)
			time.Sleep(time.Second)
		}
		settle()
		alerts := len(b.sink.taken())
		// Those of the burst, then one each 10 s; the critical ones take their place.
		if alerts < 60 || alerts > 10+60+critical {
			t.Errorf("%d went out in 10 minutes", alerts)
		}
		time.Sleep(2 * time.Hour)
		b.stop()
		notices := b.sink.ofKind(report.KindSuppression)
		if len(notices) != 1 || notices[0].Group.Count+alerts != seconds || !slices.Equal(notices[0].About, []string{byRateLimit}) {
			t.Fatalf("notices %+v", notices)
		}
		if want := fmt.Sprintf("%d by the rate limit of 6 a minute: ", seconds-alerts); !strings.Contains(notices[0].Summary, want) {
			t.Errorf("%q is not in %q", want, notices[0].Summary)
		}
		for seq, o := range b.log.endings {
			if o.Result == string(RateLimited) && b.log.records[seq-1].Value.(*report.Report).Severity == report.Critical {
				t.Errorf("a critical alert was withheld")
			}
		}
	})
}

// TestSummariesWaitForTheRateLimit: a summary does not come on top of the limit, and is not withheld.
func TestSummariesWaitForTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.policy.RateLimit = RateLimit{PerMinute: 1, Burst: 20}
		b.start()
		const attacks = 15
		for n := range attacks {
			a := imageAttack()
			a.image, a.at = fmt.Sprint("image-", n), a.at.Add(time.Duration(n)*time.Hour)
			b.log.append(repeats(a, 2)...)
		}
		settle()
		begin := time.Now()
		time.Sleep(5 * time.Minute)
		early := len(b.sink.ofKind(report.KindSummary))
		if most := 20 - attacks + 5; early < most-1 || early > most {
			t.Errorf("%d summaries within %s", early, time.Since(begin))
		}
		time.Sleep(time.Hour)
		b.stop()
		if n := len(b.sink.ofKind(report.KindSummary)); n != attacks {
			t.Errorf("%d summaries", n)
		}
	})
}

// TestNoticeSurvivesACrash: what was withheld is told of once, under one ID.
func TestNoticeSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.silence(`rule == "r"`, 2*time.Hour)
		b.log.append(repeats(hostAttack(), 300)...)
		time.Sleep(30 * time.Millisecond)
		b.crash()
		b.start()
		settle()
		b.sink.set(func(context.Context, *report.Report) error { return errDown })
		time.Sleep(90 * time.Minute)
		b.crash()
		b.sink.set(nil)
		b.start()
		time.Sleep(3 * time.Hour)
		b.stop()
		n := b.sink.ofKind(report.KindSuppression)
		if len(n) != 1 || n[0].Group.Count != 300 {
			t.Fatalf("notices %+v", n)
		}
		for _, try := range b.sink.all() {
			if try.id != n[0].ID {
				t.Errorf("%s went out", try.id)
			}
		}
	})
}
