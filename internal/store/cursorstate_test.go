package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// TestCursorState: of one cursor and kind, in order, page by page; and OpenCursor without it.
func TestCursorState(t *testing.T) {
	log, err := store.Open(t.Context(), t.TempDir(), store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	settle := func(cursor string, changes ...store.Change) {
		t.Helper()
		if _, _, err := log.OpenCursor(t.Context(), cursor, store.StartNow); err != nil {
			t.Fatal(err)
		}
		if err := log.Settle(t.Context(), cursor, store.Settlement{Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	settle("a", store.Change{Kind: "dead", Key: "2", Body: []byte("two")}, store.Change{Kind: "parked", Key: "1", Body: []byte("x")},
		store.Change{Kind: "dead", Key: "1", Body: []byte("one")}, store.Change{Kind: "dead", Key: "3", Body: []byte("three")})
	settle("b", store.Change{Kind: "dead", Key: "9", Body: []byte("nine")})
	for _, c := range []struct {
		cursor, from string
		limit        int
		want         []string
	}{{"a", "", 9, []string{"1", "2", "3"}}, {"a", "", 2, []string{"1", "2"}}, {"a", "2\x00", 2, []string{"3"}}, {"c", "", 9, nil}} {
		var got []string
		state, err := log.CursorState(t.Context(), c.cursor, "dead", c.from, c.limit)
		for _, change := range state {
			got = append(got, change.Key)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%+v: %v %s", c, err, diff)
		}
	}
	if n, err := log.CountCursorState(t.Context(), "a", "dead"); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, state, err := log.OpenCursor(t.Context(), "a", store.StartNow, "dead"); len(state) != 1 || state[0].Kind != "parked" || err != nil {
		t.Errorf("%v, %v", state, err)
	}
}
