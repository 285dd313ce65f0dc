package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// TestEachState: of one cursor and kind, in order, and no further than wanted.
func TestEachState(t *testing.T) {
	log, err := store.Open(t.Context(), t.TempDir(), store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, cursor := range []string{"a", "b"} {
		if _, _, err := log.OpenCursor(t.Context(), cursor, store.StartNow); err != nil {
			t.Fatal(err)
		}
	}
	settle := func(cursor string, changes ...store.Change) {
		t.Helper()
		if err := log.Settle(t.Context(), cursor, 0, changes...); err != nil {
			t.Fatal(err)
		}
	}
	settle("a", store.Change{Kind: "dead", Key: "2", Body: []byte("two")}, store.Change{Kind: "parked", Key: "1", Body: []byte("x")},
		store.Change{Kind: "dead", Key: "1", Body: []byte("one")}, store.Change{Kind: "dead", Key: "3", Body: []byte("three")})
	settle("b", store.Change{Kind: "dead", Key: "9", Body: []byte("nine")})
	enough := errors.New("enough")
	for _, c := range []struct {
		cursor string
		most   int
		want   []string
		err    error
	}{{"a", 9, []string{"one", "two", "three"}, nil}, {"a", 2, []string{"one", "two"}, enough}, {"c", 9, nil, nil}} {
		var got []string
		err := log.EachState(t.Context(), c.cursor, "dead", func(ch store.Change) error {
			got = append(got, string(ch.Body))
			if len(got) == c.most {
				return enough
			}
			return nil
		})
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: %s %v", c.cursor, diff, err)
		}
	}
}
