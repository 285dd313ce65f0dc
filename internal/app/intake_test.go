package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/event"
)

// shortMatch is about the shortest alert that makes a report; n tells one from another.
func shortMatch(n int) string {
	return fmt.Sprintf(`{"rule":"r","time":"2026-11-01T00:00:00.%09dZ","output_fields":{"evt.type":"execve","proc.exepath":"memfd:x"}}`, n)
}

// TestPieces: no append holds more than a piece, and a batch that failed in the middle counts, and
// adds, once.
func TestPieces(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	in, log := *f.app.intake, &countingLog{appender: f.app.store, failAt: 3}
	in.store = log
	var events []event.Event
	for n := range 3 * pieceRecords {
		e, err := event.Parse([]byte(shortMatch(n)), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	counters := f.app.metrics.ofSource("hook")
	if err := in.handle(t.Context(), counters, events); err == nil {
		t.Fatal("no error of the log")
	}
	if got := f.counter("filelessd_alerts_received_total", "source", "hook"); got != 0 {
		t.Errorf("%v received of a batch that will come again", got)
	}
	if err := in.handle(t.Context(), counters, events); err != nil {
		t.Fatal(err)
	}
	if log.most > pieceRecords || f.app.store.LastSeq() != uint64(len(events)) {
		t.Errorf("up to %d records at once, %d in all", log.most, f.app.store.LastSeq())
	}
	// A long report is a piece of its own.
	long := bytes.Replace([]byte(shortMatch(0)), []byte("memfd:x"), append([]byte("memfd:"), bytes.Repeat([]byte("x"), pieceBytes)...), 1)
	e, err := event.Parse(long, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	log.most = 0
	if err := in.handle(t.Context(), counters, []event.Event{e, events[0]}); err != nil || log.most != 1 {
		t.Errorf("%d at once, %v", log.most, err)
	}
}

// countingLog notes how much comes at once, and fails once.
type countingLog struct {
	appender
	appends, failAt, most int
}

func (l *countingLog) Append(ctx context.Context, records ...store.Record) (int, error) {
	l.most = max(l.most, len(records))
	if l.appends++; l.appends == l.failAt {
		return 0, errors.New("no disk")
	}
	return l.appender.Append(ctx, records...)
}

// TestNotReadyWhileStopping: the listeners are down then, and what posts has to go elsewhere.
func TestNotReadyWhileStopping(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	if problems := f.app.problems(); problems != nil {
		t.Errorf("running: %v", problems)
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if problems := f.app.problems(); len(problems) != 1 {
		t.Errorf("stopped: %v", problems)
	}
}
