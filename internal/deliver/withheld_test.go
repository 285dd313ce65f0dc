package deliver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
)

func (b *bench) silence(matcher string, d time.Duration) string {
	b.t.Helper()
	id, err := b.silences.Add(b.t.Context(), matcher, "ann", "a test of the cluster", time.Now().Add(d))
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// TestSilenceReportsItself: what a silence withholds is counted and told of, from time to time and at
// its end.
func TestSilenceReportsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.when = "severity >= high" // does not keep the notice away
		b.start()
		id := b.silence(`fields["container.image.repository"] == "registry.example/shop/web"`, 150*time.Minute)
		var sent int
		for begin := time.Now(); time.Since(begin) < 3*time.Hour; time.Sleep(time.Minute) {
			a := imageAttack()
			a.pid, a.at = sent, time.Now()
			b.log.append(a.report())
			sent++
		}
		other := hostAttack().report()
		b.log.append(other)
		settle()
		if got := b.silences.List(); len(got) != 1 || got[0].Withheld != 150 || got[0].Active(time.Now()) || got[0].Author != "ann" {
			t.Errorf("listed %+v", got)
		}
		b.stop()
		notices := b.sink.ofKind(report.KindSuppression)
		count := 0
		for _, r := range notices {
			count += r.Group.Count
			if !slices.Equal(r.About, []string{id}) || r.Severity != report.Info {
				t.Errorf("notice %+v", r)
			}
		}
		if len(notices) != 3 || count != 150 {
			t.Fatalf("%d notices that count %d", len(notices), count)
		}
		for _, part := range []string{"60 by silence " + id + " of ann until", "(a test of the cluster): 60 memfd_exec; the highest severity was high, and the first of them is " + b.log.records[0].ID + "."} {
			if !strings.Contains(notices[0].Summary, part) {
				t.Errorf("%q is not in %q", part, notices[0].Summary)
			}
		}
		if taken := b.sink.taken(); len(taken) != 30+1+3 || !slices.Contains(taken, other.ID) {
			t.Errorf("%d taken", len(taken))
		}
	})
}

// TestSilenceExpiresEarly: an operator's end of a silence takes effect, and is told of, at once.
func TestSilenceExpiresEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		id := b.silence(`rule == "r"`, 24*time.Hour)
		b.log.append(repeats(hostAttack(), 3)...)
		settle()
		if len(b.sink.taken()) != 0 {
			t.Fatal("not silenced")
		}
		b.stop()
		b.start() // a silence survives a restart, and so does what it withheld
		if got := b.silences.List(); len(got) != 1 || got[0].Withheld != 3 {
			t.Errorf("listed %+v", got)
		}
		if err := b.silences.Expire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		settle()
		b.log.append(repeats(hostAttack(), 4)[3])
		settle()
		if n := b.sink.ofKind(report.KindSuppression); len(n) != 1 || n[0].Group.Count != 3 {
			t.Errorf("notices %+v", n)
		}
		if len(b.sink.taken()) != 2 {
			t.Errorf("taken %v", b.sink.taken())
		}
		if err := b.silences.Expire(t.Context(), id); err == nil {
			t.Error("expired twice")
		}
		if err := b.silences.Expire(t.Context(), "x"); !errors.Is(err, ErrNoSilence) {
			t.Error(err)
		}
		time.Sleep(keepSilence + time.Hour)
		if got := b.silences.List(); len(got) != 0 {
			t.Errorf("still listed: %+v", got)
		}
		b.silence("score > 99", time.Hour)
		b.log.mu.Lock()
		if n := len(b.log.owners[silenceOwner]); n != 1 {
			t.Errorf("%d silences kept", n)
		}
		b.log.mu.Unlock()
		b.stop()
		b.start() // where the count of a forgotten one goes too
		settle()
		b.stop()
		if got := b.log.kept(kindSuppressed); len(got) != 0 {
			t.Errorf("tallies kept: %v", got)
		}
	})
}

func TestSilenceIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenSilences(t.Context(), newMemoryLog())
		if err != nil {
			t.Fatal(err)
		}
		hour := time.Now().Add(time.Hour)
		for _, bad := range []struct {
			matcher, author, reason string
			expires                 time.Time
			want                    string
		}{
			{"", "a", "b", hour, "matcher: missing"},
			{"nonsense == 1", "a", "b", hour, "matcher: "},
			{"score > 1", " ", "b", hour, "author: missing"},
			{"score > 1", "a", "", hour, "reason: missing"},
			{"score > 1", "a", strings.Repeat("b", 1001), hour, "want at most 1000 bytes"},
			{"score > 1", "a", "b", time.Now(), "is over"},
			{"score > 1", "a", "b", time.Time{}, "is over"},
			{"score > 1", "a", "b", hour.Add(10_000 * time.Hour), "at most 366 days"},
		} {
			if _, err := s.Add(t.Context(), bad.matcher, bad.author, bad.reason, bad.expires); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		_, err = s.Add(t.Context(), "nonsense == 1", "a", "b", hour)
		if _, ok := errors.AsType[*when.Error](err); !ok {
			t.Errorf("%T", err)
		}
		for range mostSilences {
			if _, err := s.Add(t.Context(), "score > 1", "a", "b", hour); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Add(t.Context(), "score > 1", "a", "b", hour); err == nil {
			t.Error("no bound")
		}
		time.Sleep(2 * time.Hour)
		if _, err := s.Add(t.Context(), "score > 1", "a", "b", time.Now().Add(time.Hour)); err != nil {
			t.Errorf("those that ended count: %v", err)
		}
	})
}

func TestSilenceThatCanNotBeSaved(t *testing.T) {
	log := newMemoryLog()
	s, _ := OpenSilences(t.Context(), log)
	log.fail = errors.New("disk full")
	if _, err := s.Add(t.Context(), "score > 1", "a", "b", time.Now().Add(time.Hour)); err == nil || len(s.List()) > 0 {
		t.Error("in force, and not on the disk")
	}
}

// TestSilenceAndNotices: what filelessd says of itself is only silenced by who asks for its kind.
func TestSilenceAndNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.silence(`severity >= info`, time.Hour)
		b.log.append(&report.Report{ID: "loss1", Kind: report.KindLoss, Severity: report.High})
		settle()
		b.silence(`kind == "loss"`, time.Hour)
		b.log.append(&report.Report{ID: "loss2", Kind: report.KindLoss, Severity: report.High})
		settle()
		// A matcher that fails on a report withholds nothing.
		b.silence(`int(fields["x"]) > 3`, time.Hour)
		b.stop()
		if got := b.sink.taken(); !slices.Equal(got, []string{"loss1"}) {
			t.Errorf("taken %v", got)
		}
	})
}

func TestSilenceThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.silence(`int(fields["x"]) > 3`, time.Hour)
		b.log.append(hostAttack().report())
		settle()
		b.stop()
		if len(b.sink.taken()) != 1 {
			t.Error("withheld")
		}
	})
}
