package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// TestFind: by the beginning of an ID, whichever way it is stored.
func TestFind(t *testing.T) {
	log, err := store.Open(t.Context(), t.TempDir(), store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	hash := func(prefix string) string { return prefix + strings.Repeat("0", 64-len(prefix)) }
	at := time.Now()
	for i, id := range []string{hash("abcdef01"), hash("abcdef012"), hash("abcdef1"), "abcdef0-text", hash("ffffffff"), "ABCDEF0", hash("abcdef0f") + "x"} {
		if _, err := log.Append(t.Context(), store.Record{ID: id, At: at.Add(time.Duration(i)), Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix string
		limit  int
		want   []string
	}{
		{"abcdef01", 9, []string{hash("abcdef012"), hash("abcdef01")}},
		{"abcdef012", 9, []string{hash("abcdef012")}},
		{"abcdef0", 9, []string{hash("abcdef012"), hash("abcdef01"), hash("abcdef0f") + "x", "abcdef0-text"}},
		{"abcdef0", 2, []string{hash("abcdef012"), hash("abcdef01")}},
		{hash("ffffffff"), 9, []string{hash("ffffffff")}},
		{"%", 9, nil},
		{strings.Repeat("f", 65), 9, nil},
	} {
		got, err := log.Find(t.Context(), c.prefix, c.limit)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", c.prefix, err, diff)
		}
	}
}
