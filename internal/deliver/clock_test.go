package deliver

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestClockWasAhead: what was kept while the clock was years ahead waits for no time of that clock.
func TestClockWasAhead(t *testing.T) {
	for kind, c := range map[string]struct {
		prepare func(b *bench) // what is kept then
		told    func(b *bench) bool
	}{
		kindGroup: {
			func(b *bench) { b.grouping = DefaultGrouping(); b.log.append(repeats(imageAttack(), 10)...) },
			func(b *bench) bool { return len(b.sink.ofKind(report.KindSummary)) == 1 },
		},
		kindSuppressed: {
			func(b *bench) {
				b.policy.RateLimit = RateLimit{PerMinute: 1, Burst: 1}
				b.log.append(repeats(hostAttack(), 10)...)
			},
			func(b *bench) bool { return len(b.sink.ofKind(report.KindSuppression)) == 1 },
		},
		KindParked: {
			func(b *bench) { b.log.append(newReports(1, 60)...) },
			func(b *bench) bool { return b.worker.Status().Parked == 0 && len(b.sink.taken()) == 60 },
		},
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.sink.set(func(_ context.Context, r *report.Report) error {
					if r.ID == id(1) && kind == KindParked {
						return errDown
					}
					return nil
				})
				c.prepare(b)
				b.policy.Start = "oldest"
				b.start()
				time.Sleep(30 * time.Second)
				b.stop()
				if len(b.log.kept(kind)) == 0 || c.told(b) {
					t.Fatal("nothing is kept")
				}
				b.log.mu.Lock()
				for key, body := range b.log.state["s"] {
					b.log.state["s"][key] = bytes.ReplaceAll(body, []byte(`"2000-`), []byte(`"2030-`))
				}
				b.log.mu.Unlock()
				b.sink.set(nil)
				b.start()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if !c.told(b) {
					t.Errorf("after 2 h: %+v, the sink has %d", b.worker.Status(), len(b.sink.taken()))
				}
				b.stop()
			})
		})
	}
}
