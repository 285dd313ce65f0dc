package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// outcomes: what became of a record is known for each cursor, in the order of time, until the record
// is gone; wherever the cursor is.
func outcomes(t *testing.T, h *harness) {
	h.add(5000, series(1, 5000)...)
	h.cursor("a", store.StartOldest)
	h.cursor("b", store.StartOldest)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	parked := store.Outcome{Seq: 2, At: at, Attempts: 5, Result: "parked", Detail: "status 500"}
	far := store.Outcome{Seq: 4999, At: at.Add(-time.Hour), Attempts: 1, Result: "delivered", Detail: "200 OK"}
	ahead := store.Outcome{Seq: 7, At: at, Result: "filtered"}
	h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: 3, Outcomes: []store.Outcome{ahead, far, parked}}))
	later := store.Outcome{Seq: 2, At: at.Add(time.Minute), Attempts: 6, Result: "delivered", Detail: "200 OK"}
	h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: 1, Outcomes: []store.Outcome{later}}))
	ofB := store.Outcome{Seq: 2, At: at.Add(-time.Minute), Result: "silenced", Detail: "silence 12"}
	h.do(h.Settle(t.Context(), "b", store.Settlement{UpTo: 5000, Outcomes: []store.Outcome{ofB}}))
	check := func() {
		t.Helper()
		for seq, want := range map[uint64][]store.CursorOutcome{
			1: nil, 7: {{Cursor: "a", Outcome: ahead}}, 4999: {{Cursor: "a", Outcome: far}}, 5000: nil, 5001: nil,
			2: {{Cursor: "a", Outcome: parked}, {Cursor: "a", Outcome: later}, {Cursor: "b", Outcome: ofB}},
		} {
			got, err := h.Outcomes(t.Context(), seq)
			h.do(err)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("record %d (-want +got):\n%s", seq, d)
			}
		}
	}
	check()
	h.restart()
	check()
}

// outcomeTexts: whatever an answer or an error says, it is stored within bounds and as text.
func outcomeTexts(t *testing.T, h *harness) {
	h.add(1, Record(1))
	h.cursor("a", store.StartOldest)
	for _, text := range []string{"", "\x00\n'); DROP", strings.Repeat("é", 400), "\xff\xfe", strings.Repeat("\xff", 400)} {
		h.do(h.Settle(t.Context(), "a", store.Settlement{Outcomes: []store.Outcome{
			{Seq: 1, Attempts: -1, Result: text, Detail: text},
		}}))
	}
	got, err := h.Outcomes(t.Context(), 1)
	h.do(err)
	if len(got) != 5 || got[1].Detail != "\x00\n'); DROP" || got[2].Detail != strings.Repeat("é", 250) || got[3].Detail != "\uFFFD" {
		t.Fatalf("%+v", got)
	}
	for _, o := range got {
		if len(o.Detail) > 500 || len(o.Result) > 64 || !utf8.ValidString(o.Detail+o.Result) || o.Attempts != 0 {
			t.Errorf("%+v", o)
		}
	}
}

// outcomeRefusals: a settlement of what does not exist changes nothing, and outcomes go with what is
// forgotten.
func outcomeRefusals(t *testing.T, h *harness) {
	h.add(2, series(1, 2)...)
	h.cursor("a", store.StartOldest)
	one := store.Outcome{Seq: 1, Result: "delivered", At: time.Unix(1, 0).UTC()}
	err := h.Settle(t.Context(), "a", store.Settlement{UpTo: 2, Outcomes: []store.Outcome{one, {Seq: 3}}})
	if err == nil {
		t.Fatal("an outcome of a record that does not exist was taken")
	}
	if pos, _ := h.cursor("a", store.StartNow); pos != 0 {
		t.Fatalf("the cursor moved to %d", pos)
	}
	if got, err := h.Outcomes(t.Context(), 1); err != nil || len(got) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	err = h.Settle(t.Context(), "b", store.Settlement{Outcomes: []store.Outcome{one}})
	if !errors.Is(err, store.ErrNoCursor) {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := h.Outcomes(ended, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
