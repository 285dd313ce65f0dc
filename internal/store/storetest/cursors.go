package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

func cursorStarts(t *testing.T, h *harness) {
	h.add(3, series(1, 3)...)
	if pos, state := h.cursor("new", store.StartNow); pos != 3 || len(state) > 0 {
		t.Fatalf("a new cursor at now: %d, %v", pos, state)
	}
	if pos, _ := h.cursor("all", store.StartOldest); pos != 0 {
		t.Fatalf("a new cursor at the oldest: %d", pos)
	}
	h.add(1, Record(4))
	h.restart()
	for _, start := range []store.Start{store.StartNow, store.StartOldest} {
		if pos, _ := h.cursor("new", start); pos != 3 {
			t.Fatalf("the known cursor moved to %d", pos)
		}
		if pos, _ := h.cursor("all", start); pos != 0 {
			t.Fatalf("the known cursor moved to %d", pos)
		}
	}
	if _, _, err := h.OpenCursor(t.Context(), "", store.StartNow); err == nil {
		t.Fatal("a cursor without a name was opened")
	}
}

func settleMovesForward(t *testing.T, h *harness) {
	h.add(9, series(1, 9)...)
	h.cursor("a", store.StartOldest)
	h.cursor("b", store.StartOldest)
	for _, step := range []struct{ upTo, want uint64 }{{3, 3}, {3, 3}, {2, 3}, {9, 9}, {0, 9}} {
		h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: step.upTo}))
		if pos, _ := h.cursor("a", store.StartNow); pos != step.want {
			t.Fatalf("settled %d: at %d, want %d", step.upTo, pos, step.want)
		}
	}
	if pos, _ := h.cursor("b", store.StartNow); pos != 0 {
		t.Fatalf("the other cursor moved to %d", pos)
	}
}

func settleWithChanges(t *testing.T, h *harness) {
	h.add(9, series(1, 9)...)
	h.cursor("a", store.StartOldest)
	h.cursor("b", store.StartOldest)
	h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: 1, Changes: []store.Change{
		{Kind: "dead", Key: "2", Body: []byte("two")},
		{Kind: "dead", Key: "1", Body: []byte("one")},
		{Kind: "a kind", Key: "", Body: []byte{}},
		{Kind: "dead", Key: "none"},
	}}))
	h.do(h.Settle(t.Context(), "b", store.Settlement{UpTo: 1, Changes: []store.Change{{Kind: "dead", Key: "1", Body: []byte("of b")}}}))
	h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: 4, Changes: []store.Change{
		{Kind: "dead", Key: "1"},
		{Kind: "dead", Key: "3", Body: []byte("first")},
		{Kind: "dead", Key: "3", Body: []byte("last")},
	}}))
	want := []store.Change{
		{Kind: "a kind", Key: "", Body: []byte{}},
		{Kind: "dead", Key: "2", Body: []byte("two")},
		{Kind: "dead", Key: "3", Body: []byte("last")},
	}
	for range 2 {
		pos, state := h.cursor("a", store.StartNow)
		if d := cmp.Diff(want, state); d != "" || pos != 4 {
			t.Fatalf("at %d; state differs (-want +got):\n%s", pos, d)
		}
		h.restart()
	}
}

func settleRefusals(t *testing.T, h *harness) {
	change := store.Change{Kind: "k", Key: "x", Body: []byte("y")}
	h.add(2, series(1, 2)...)
	if err := h.Settle(t.Context(), "nobody", store.Settlement{UpTo: 1, Changes: []store.Change{change}}); !errors.Is(err, store.ErrNoCursor) {
		t.Fatalf("settle of an unknown cursor: %v", err)
	}
	_, state := h.cursor("nobody", store.StartOldest)
	if len(state) > 0 {
		t.Fatalf("a refused settle left %v", state)
	}
	if err := h.Settle(t.Context(), "nobody", store.Settlement{UpTo: 3, Changes: []store.Change{change}}); err == nil {
		t.Fatal("a cursor was moved past the newest record")
	}
	if pos, state := h.cursor("nobody", store.StartOldest); pos != 0 || len(state) > 0 {
		t.Fatalf("a refused settle left %d, %v", pos, state)
	}
}

func state(t *testing.T, h *harness) {
	one := []store.Change{{Kind: "offset", Key: "/var/log/falco", Body: []byte("17")}}
	two := []store.Change{{Kind: "offset", Key: "/var/log/falco", Body: []byte("99")}}
	h.cursor("one", store.StartNow)
	h.do(h.SaveState(t.Context(), "one", one...))
	h.do(h.SaveState(t.Context(), "two", two...))
	h.restart()
	for owner, want := range map[string][]store.Change{"one": one, "two": two, "three": nil} {
		got, err := h.LoadState(t.Context(), owner)
		h.do(err)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("state of %s (-want +got):\n%s", owner, d)
		}
	}
	if _, state := h.cursor("one", store.StartNow); len(state) > 0 {
		t.Fatalf("the cursor of the same name has %v", state)
	}
	h.do(h.SaveState(t.Context(), "one", store.Change{Kind: "offset", Key: "/var/log/falco"}))
	if got, err := h.LoadState(t.Context(), "one"); err != nil || len(got) > 0 {
		t.Fatalf("deleted state: %v, %v", got, err)
	}
}
