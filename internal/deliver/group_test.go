package deliver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

func summaryOf(o store.Outcome) string {
	_, id := CountedIn(o.Detail)
	return id
}

func newGroupBench(t *testing.T) *bench {
	b := newBench(t)
	b.grouping = DefaultGrouping()
	return b
}

// repeats are alerts like a, each with a time and a process ID of its own.
func repeats(a attack, n int) []*report.Report {
	var all []*report.Report
	for range n {
		a.pid++
		a.at = a.at.Add(time.Millisecond)
		all = append(all, a.report())
	}
	return all
}

// TestRepeatsBecomeSummaries: the first goes out at once, the rest is told of at growing intervals.
func TestRepeatsBecomeSummaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		a := imageAttack()
		begin := time.Now()
		sent := 0
		for time.Since(begin) < 10*time.Hour {
			a.at, a.pid = time.Now(), a.pid+1
			a.container = fmt.Sprintf("c%011d", sent%3)
			b.log.append(a.report())
			sent++
			time.Sleep(10 * time.Second)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		var gaps []string
		count, last := 0, begin
		for _, r := range b.sink.ofKind(report.KindSummary) {
			gaps = append(gaps, r.CreatedAt.Sub(last).Round(time.Minute).String())
			last = r.CreatedAt
			count += r.Group.Count
		}
		want := []string{"1m0s", "4m0s", "16m0s", "1h4m0s", "4h0m0s", "4h0m0s", "4h0m0s"}
		if diff := cmp.Diff(want, gaps); diff != "" {
			t.Error(diff)
		}
		if alerts := len(b.sink.taken()) - len(gaps); alerts != 1 || count != sent-1 {
			t.Errorf("%d alerts went out, the summaries count %d of %d", alerts, count, sent-1)
		}
		b.stop()
		for seq, o := range b.log.endings {
			if seq > 1 && (o.Result != string(Grouped) || b.sink.told[summaryOf(o)] == nil) {
				t.Fatalf("record %d: %+v", seq, o)
			}
		}
	})
}

func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		a := imageAttack()
		first := a.report()
		members := repeats(a, 3)
		members[1].Event.Hostname = "node-1"
		members[2].Severity = report.Medium
		b.log.append(append([]*report.Report{first}, members...)...)
		time.Sleep(2 * time.Minute)
		b.stop()
		got := b.sink.ofKind(report.KindSummary)
		if len(got) != 1 {
			t.Fatalf("%d summaries", len(got))
		}
		r := got[0]
		key := KeyOf(first).Group
		want := &report.Group{
			Key: key, Count: 3, Rules: []string{"r"}, FirstTime: members[0].Event.Time, LastTime: members[2].Event.Time,
			Hosts: []string{"node-1"}, Containers: []string{"9f2d61c07be3"},
		}
		if diff := cmp.Diff(want, r.Group); diff != "" {
			t.Error(diff)
		}
		if r.Kind != report.KindSummary || r.Severity != report.High || r.Technique != "memfd_exec" || !slices.Equal(r.About, []string{key}) {
			t.Errorf("summary %+v", r)
		}
		if r.Event == nil || r.Event.ID() != members[0].ID || len(r.ID) != 64 || r.ID == members[0].ID {
			t.Errorf("the event of the summary is not the first member's: %+v", r)
		}
		if r.Title != "3 more alerts: Execution" || !strings.Contains(r.Summary, "is "+members[0].ID+": It happened.") {
			t.Errorf("%s\n%s", r.Title, r.Summary)
		}
		if members[0].Kind != report.KindAlert || members[0].Group != nil {
			t.Error("the log's own report was changed")
		}
	})
}

// TestBreakouts: what is new of an attack does not wait for a summary.
func TestBreakouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		base := imageAttack()
		critical := repeats(base, 1)[0]
		critical.Severity = report.Critical
		elsewhere := base
		elsewhere.host, elsewhere.pid = "node-2", 7
		parent := base
		parent.parent, parent.pid = "/usr/sbin/nginx", 8
		again := repeats(base, 50)[49]
		again.Severity = report.Critical
		var want []string
		for _, step := range []struct {
			r    *report.Report
			goes bool
		}{
			{base.report(), true},
			{repeats(base, 2)[1], false},
			{critical, true},
			{again, false}, // no higher than what was told
			{elsewhere.report(), true},
			{repeats(elsewhere, 5)[4], false},
			{parent.report(), true},
		} {
			b.log.append(step.r)
			if step.goes {
				want = append(want, step.r.ID)
			}
			settle()
		}
		if diff := cmp.Diff(want, b.sink.taken()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Hour)
		b.stop()
		if s := b.sink.ofKind(report.KindSummary); len(s) != 1 || s[0].Group.Count != 3 || s[0].Severity != report.Critical {
			t.Errorf("summaries %+v", s)
		}
	})
}

// TestSeveralRulesSeeOneEvent: the second rule's alert has other fields, and is still the same.
func TestSeveralRulesSeeOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		a := hostAttack()
		second := a
		second.rule, second.technique, second.parent, second.grandpa = "other rule", "fd_exec", "", ""
		stranger := second
		stranger.pid = 12345 // another process at the same nanosecond
		b.log.append(a.report(), second.report(), stranger.report())
		time.Sleep(2 * time.Minute)
		b.stop()
		if got := b.sink.taken(); len(got) != 3 || slices.Contains(got, second.report().ID) || !slices.Contains(got, stranger.report().ID) {
			t.Errorf("taken %v", got)
		}
		s := b.sink.ofKind(report.KindSummary)
		if len(s) != 1 || !slices.Equal(s[0].Group.Rules, []string{"r", "other rule"}) {
			t.Fatalf("summaries %+v", s)
		}
	})
}

// TestAttackOnAFleet: beyond a few hosts another one is no news, but is told of.
func TestAttackOnAFleet(t *testing.T) {
	for _, base := range []attack{hostAttack(), imageAttack()} {
		synctest.Test(t, func(t *testing.T) {
			b := newGroupBench(t)
			b.start()
			const hosts = 5000
			for n := range hosts {
				a := base
				a.host, a.pid = fmt.Sprint("host-", n), n
				b.log.append(a.report())
			}
			time.Sleep(time.Hour)
			b.stop()
			summaries := b.sink.ofKind(report.KindSummary)
			count := 0
			for _, r := range summaries {
				count += r.Group.Count
				if len(r.Group.Hosts) > mostNamed || !strings.Contains(r.Summary, " hosts or more") {
					t.Errorf("%d hosts named: %s", len(r.Group.Hosts), r.Summary)
				}
				if strings.Contains(r.Summary, "on the same host") {
					t.Errorf("of %d hosts is said: %s", len(r.Group.Hosts), r.Summary)
				}
			}
			alerts := len(b.sink.taken()) - len(summaries)
			if alerts != mostBreakouts || alerts+count != hosts {
				t.Errorf("%d alerts, %d summaries that count %d", alerts, len(summaries), count)
			}
		})
	}
}

// TestWhenAndSummaries: who wants high severities gets their summaries, and what was withheld of
// them; who asks for the kind decides alone.
func TestWhenAndSummaries(t *testing.T) {
	for expression, want := range map[string]int{
		`severity >= high`: 1, `rule == "r"`: 1, `score > 50`: 1, `kind == "alert"`: 0, `kind != "summary"`: 0, `kind != "test"`: 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newGroupBench(t)
			b.when = expression
			b.start()
			b.log.append(repeats(imageAttack(), 3)...)
			time.Sleep(2 * time.Minute)
			b.stop()
			if s := b.sink.ofKind(report.KindSummary); len(s) != want {
				t.Errorf("%s: %d summaries, want %d", expression, len(s), want)
			}
			if n := len(b.log.kept(kindMade)); n > 0 {
				t.Errorf("%s: %d left behind", expression, n)
			}
		})
	}
}

// TestOrderOfAGroup: a breakout does not overtake what came before it.
func TestOrderOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		var failures int
		b.sink.set(func(context.Context, *report.Report) error {
			if failures++; failures <= 3 {
				return errDown
			}
			return nil
		})
		var want []string
		for n := range 5 {
			a := imageAttack()
			a.host, a.pid = fmt.Sprint("node-", n), n
			b.log.append(a.report())
			want = append(want, a.report().ID)
		}
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(want, b.sink.taken()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestMemberThatIsGone: a summary whose first member the log has forgotten still counts.
func TestMemberThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		b.log.append(repeats(imageAttack(), 3)...)
		settle()
		b.log.mu.Lock()
		b.log.records[1].ID = "gone"
		b.log.mu.Unlock()
		time.Sleep(2 * time.Minute)
		b.stop()
		s := b.sink.ofKind(report.KindSummary)
		if len(s) != 1 || s[0].Group.Count != 2 || s[0].Technique != "memfd_exec" || s[0].Event != nil {
			t.Errorf("summaries %+v", s)
		}
	})
}
