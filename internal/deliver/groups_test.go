package deliver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestQuietGroupIsForgotten: after a long silence an alert is a first one again, and nothing stays.
func TestQuietGroupIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		a := hostAttack()
		b.log.append(a.report())
		settle()
		if got := len(b.log.kept(kindGroup)); got != 2 { // the host's and the shape's
			t.Errorf("%d groups kept", got)
		}
		time.Sleep(b.grouping.forgetAfter() + time.Hour)
		a.pid++
		again := a.report()
		b.log.append(again)
		settle()
		if got := b.sink.taken(); len(got) != 2 || got[1] != again.ID {
			t.Errorf("taken %v", got)
		}
		time.Sleep(b.grouping.forgetAfter() + time.Hour)
		other := a
		other.cmdline = "%d other"
		b.log.append(other.report())
		settle()
		b.stop()
		if got := len(b.log.kept(kindGroup)); got != 2 {
			t.Errorf("%d groups kept", got)
		}
	})
}

// TestManyGroups: the number of groups is bounded, in memory and on disk, and nothing is lost.
func TestManyGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		const attacks = 12_000
		for n := range attacks {
			a := hostAttack()
			a.parent, a.pid = "/opt/"+strings.Repeat("x", n%50)+strings.Repeat("y", n/50), n
			b.log.append(a.report())
			if n%256 == 0 {
				settle()
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.sink.taken()); n != attacks {
			t.Errorf("%d of %d different attacks went out", n, attacks)
		}
		b.stop()
		if n := len(b.log.kept(kindGroup)); n > mostGroups || n < mostGroups/2 {
			t.Errorf("%d groups kept", n)
		}
		if n := len(b.worker.groups.byKey); n > mostGroups {
			t.Errorf("%d groups in memory", n)
		}
	})
}

// TestManyGroupsThatHold: groups that have something to tell are not dropped for others; the alerts
// of those go out.
func TestManyGroupsThatHold(t *testing.T) {
	gs := newGroups(DefaultGrouping())
	now := time.Now()
	for n := range mostGroups + 100 {
		a := imageAttack()
		a.at = a.at.Add(time.Duration(n) * time.Second)
		a.image = fmt.Sprintf("image-%d", n)
		for _, r := range []*report.Report{a.report(), repeats(a, 1)[0]} {
			g, _, hold := gs.take(r, now)
			if (g == nil) != (n > mostGroups-2) {
				t.Fatalf("attack %d: group %v", n, g)
			}
			if g == nil {
				continue
			}
			o := Grouped
			if !hold {
				o = Delivered
				gs.tell(r, g)
			}
			gs.passed(g, r, 1, o, now)
		}
	}
	if len(gs.due) != len(gs.byKey) || gs.idle.Len() != 0 {
		t.Errorf("%d groups, %d due, %d idle", len(gs.byKey), len(gs.due), gs.idle.Len())
	}
}

// TestNamesTakeLittle: who can raise alerts of any text can not have the groups take much memory, or
// room on disk, and each alert is counted all the same.
func TestNamesTakeLittle(t *testing.T) {
	gs := newGroups(DefaultGrouping())
	now := time.Now()
	const attacks, each = 1500, 60
	restored := newGroups(DefaultGrouping())
	for n := range attacks {
		var g *group
		for m := range each {
			a := imageAttack()
			a.at = a.at.Add(time.Duration(n*each+m) * time.Second)
			a.image = fmt.Sprintf("image-%d", n)
			a.host = fmt.Sprintf("%d%s", m, strings.Repeat("h", 1000))
			a.container = fmt.Sprintf("%d-%s", m, strings.Repeat("c", 1000))
			a.rule = fmt.Sprintf("%d-%s", m, strings.Repeat("r", 1000))
			r := a.report()
			var hold bool
			o := Delivered
			if g, _, hold = gs.take(r, now); hold {
				o = Grouped
			} else {
				gs.tell(r, g)
			}
			gs.passed(g, r, 1, o, now)
		}
		if g.Held.Count != each-mostBreakouts {
			t.Fatalf("attack %d: %d held", n, g.Held.Count)
		}
	}
	kept := 0
	changes, err := gs.changes()
	for _, c := range changes {
		kept += len(c.Body)
		if err := restored.restore(c); err != nil {
			t.Fatal(err)
		}
	}
	if most := mostNames + attacks*mostBreakouts*2*longestHost + attacks*500; err != nil || kept > most {
		t.Errorf("%d bytes are kept, want at most %d (%v)", kept, most, err)
	}
	if restored.named != gs.named || gs.named < mostNames || gs.named > mostNames+100*longestName {
		t.Errorf("the names take %d, after a restart %d", gs.named, restored.named)
	}
	for _, g := range gs.byKey {
		gs.told(g)
		g.Rules = nil
		gs.touch(g)
	}
	if gs.named != 0 {
		t.Errorf("%d bytes of names remain", gs.named)
	}
}

// TestHeldSurvivesACrash: what is held is counted once, whenever the worker dies, and the summary
// has the same ID and says the same.
func TestHeldSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		a := imageAttack()
		all := repeats(a, 1000)
		b.log.append(all[:600]...)
		time.Sleep(30 * time.Millisecond) // in the middle of settling
		b.crash()
		b.start()
		b.log.append(all[600:]...)
		settle()
		b.sink.set(down)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(b.log.kept(kindMade)); n != 1 {
			t.Fatalf("%d summaries kept", n)
		}
		b.crash()
		b.sink.set(nil)
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		s := b.sink.ofKind(report.KindSummary)
		if len(s) != 1 || s[0].Group.Count != 999 {
			t.Fatalf("summaries %+v", s)
		}
		for _, try := range b.sink.all() {
			if try.id != s[0].ID && try.id != all[0].ID {
				t.Errorf("%s went out", try.id)
			}
		}
		if left := slices.Concat(b.log.kept(kindMade), b.log.kept(KindParked)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// TestStopTellsNothingEarly: what is held keeps for the next start.
func TestStopTellsNothingEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.start()
		b.log.append(repeats(imageAttack(), 10)...)
		settle()
		close(b.drain)
		if err := <-b.ended; err != nil {
			t.Fatal(err)
		}
		if n := len(b.sink.taken()); n != 1 {
			t.Fatalf("%d went out", n)
		}
		b.grouping.Enabled = false // what is held is told even then
		b.start()
		time.Sleep(2 * time.Minute)
		b.stop()
		if s := b.sink.ofKind(report.KindSummary); len(s) != 1 || s[0].Group.Count != 9 {
			t.Errorf("summaries %+v", s)
		}
	})
}

// TestSummaryAfterALongOutage: an outage that has had everything given up leaves nothing to try the sink
// with but what is held; repeats that go on make no other.
func TestSummaryAfterALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBench(t)
		b.policy.Retry.GiveUp = time.Hour
		b.sink.set(down)
		b.start()
		all := repeats(imageAttack(), 100)
		b.log.append(all[:50]...)
		time.Sleep(3 * time.Hour)
		if s := b.worker.Status(); !s.BreakerOpen || !slices.Contains(b.log.kept(KindDead), all[0].ID) {
			t.Fatalf("%+v, dead letters %v", s, b.log.kept(KindDead))
		}
		b.sink.set(nil)
		for _, r := range all[50:] {
			b.log.append(r)
			time.Sleep(time.Minute)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if s := b.worker.Status(); s.BreakerOpen {
			t.Errorf("after it works again: %+v", s)
		}
		told := 0
		for _, s := range b.sink.ofKind(report.KindSummary) {
			told += s.Group.Count
		}
		b.stop()
		if told < 50 || len(b.sink.taken()) > 6 {
			t.Errorf("%d repeats were told of, by %d messages", told, len(b.sink.taken()))
		}
	})
}
