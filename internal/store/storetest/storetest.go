// Package storetest is the suite that every engine of the log passes.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// Engine is a log as its users see it.
type Engine interface {
	Records
	Cursors
	io.Closer
}

// Records is what is appended and read.
type Records interface {
	Append(ctx context.Context, recs ...store.Record) (added int, err error)
	Read(ctx context.Context, after uint64, max int) ([]store.Record, error)
	Get(ctx context.Context, id string) (store.Record, error)
	LastSeq() uint64
}

// Cursors is what is settled and saved.
type Cursors interface {
	OpenCursor(ctx context.Context, name string, start store.Start, but ...string) (pos uint64, state []store.Change, err error)
	Settle(ctx context.Context, cursor string, s store.Settlement) error
	Outcomes(ctx context.Context, seq uint64) ([]store.CursorOutcome, error)
	LoadState(ctx context.Context, owner string) ([]store.Change, error)
	SaveState(ctx context.Context, owner string, changes ...store.Change) error
}

// Run runs the suite. open opens the log in dir, or opens it again; the suite closes it.
func Run(t *testing.T, open func(t *testing.T, dir string) Engine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *harness)
	}{
		{"AppendAndRead", appendAndRead},
		{"AnyIDAndBody", anyIDAndBody},
		{"KnownIDsAreSkipped", knownIDs},
		{"TimeOfAppend", timeOfAppend},
		{"Reopen", reopen},
		{"ConcurrentAppends", concurrentAppends},
		{"ReadWaits", readWaits},
		{"ReadIsBounded", readIsBounded},
		{"ReadFromAnyPlace", readFromAnyPlace},
		{"CursorStarts", cursorStarts},
		{"SettleMovesForward", settleMovesForward},
		{"SettleWithChanges", settleWithChanges},
		{"SettleRefusals", settleRefusals},
		{"Outcomes", outcomes},
		{"OutcomeTexts", outcomeTexts},
		{"OutcomeRefusals", outcomeRefusals},
		{"State", state},
		{"CancelledAppend", cancelledAppend},
		{"Close", closing},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &harness{T: t, dir: t.TempDir(), open: open}
			h.start()
			t.Cleanup(h.stop)
			test.run(t, h)
		})
	}
}

type harness struct {
	*testing.T
	Engine
	dir  string
	open func(*testing.T, string) Engine
}

func (h *harness) start() { h.Engine = h.open(h.T, h.dir) }

func (h *harness) stop() {
	h.Helper()
	if h.Engine == nil {
		return
	}
	if err := h.Close(); err != nil {
		h.Errorf("close: %v", err)
	}
	h.Engine = nil
}

func (h *harness) restart() { h.stop(); h.start() }

// do fails the test on an error.
func (h *harness) do(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) add(want int, recs ...store.Record) {
	h.Helper()
	got, err := h.Append(h.Context(), recs...)
	h.do(err)
	if got != want {
		h.Fatalf("added %d records, want %d", got, want)
	}
}

// read reads n records behind after, however many calls it takes.
func (h *harness) read(after uint64, n int) []store.Record {
	h.Helper()
	var all []store.Record
	for len(all) < n {
		recs, err := h.Read(h.Context(), after, n-len(all))
		h.do(err)
		if len(recs) == 0 {
			h.Fatal("a read returned neither records nor an error")
		}
		all = append(all, recs...)
		after = all[len(all)-1].Seq
	}
	return all
}

func (h *harness) cursor(name string, start store.Start) (uint64, []store.Change) {
	h.Helper()
	pos, state, err := h.OpenCursor(h.Context(), name, start)
	h.do(err)
	return pos, state
}

// Record returns the i-th of a series of records that differ in everything.
func Record(i int) store.Record {
	return store.Record{
		ID:   fmt.Sprintf("%064x", uint64(i)*0x9e3779b97f4a7c15),
		At:   time.Date(2026, 1, 2, 3, 4, 5, i, time.UTC),
		Body: fmt.Appendf(nil, `{"number":%d,"padding":%q}`, i, strings.Repeat("x", i%97)),
	}
}

// series returns Record(first) to Record(last).
func series(first, last int) []store.Record {
	var recs []store.Record
	for i := first; i <= last; i++ {
		recs = append(recs, Record(i))
	}
	return recs
}

// same compares but for Time, which is of the append, and Value, which the disk does not keep.
// Numbers count from seq.
func (h *harness) same(got, want []store.Record, seq uint64) {
	h.Helper()
	want = slices.Clone(want)
	for i := range want {
		want[i].Seq = seq + uint64(i)
		want[i].Time, want[i].Value = time.Time{}, nil
	}
	got = slices.Clone(got)
	for i := range got {
		got[i].Time, got[i].Value = time.Time{}, nil
	}
	if d := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); d != "" {
		h.Fatalf("records differ (-want +got):\n%s", d)
	}
}
