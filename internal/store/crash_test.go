package store_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
)

// TestCrash kills a process that appends and settles, at any point, and looks whether everything
// it was told is there.
func TestCrash(t *testing.T) {
	t.Parallel()
	crashes := 4
	if soak {
		crashes = 200
	}
	dir := t.TempDir()
	var a acked
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range crashes {
		killAfter(t, dir, r.IntN(600), &a)
		verify(t, dir, &a)
	}
	t.Logf("%d records were acknowledged, %d settled", len(a.ids), a.settled)
}

func verify(t *testing.T, dir string, a *acked) {
	t.Helper()
	l, err := store.Open(t.Context(), dir, store.DefaultConfig(), store.OnDamage(func(seq uint64, err error) {
		t.Errorf("record %d: %v", seq, err)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	stored := map[string]bool{}
	for after := uint64(0); after < l.LastSeq(); {
		recs, err := l.Read(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			if r.Seq != after+1 || stored[r.ID] || !bytes.Equal(r.Body, bodyOf(r.ID)) {
				t.Fatalf("record %d, %s, behind %d: %d bytes", r.Seq, r.ID, after, len(r.Body))
			}
			after, stored[r.ID] = r.Seq, true
		}
	}
	for _, id := range a.ids {
		if !stored[id] {
			t.Fatalf("record %s was acknowledged and is gone", id)
		}
	}
	pos, state, err := l.OpenCursor(t.Context(), "c", store.StartOldest)
	if err != nil {
		t.Fatal(err)
	}
	if pos < a.settled || pos > l.LastSeq() {
		t.Fatalf("cursor at %d; settled %d of %d", pos, a.settled, l.LastSeq())
	}
	if pos > 0 && (len(state) != 1 || string(state[0].Body) != strconv.FormatUint(pos, 10)) {
		t.Fatalf("cursor at %d with the state %+v", pos, state)
	}
}
