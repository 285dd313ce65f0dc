package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

func appendAndRead(t *testing.T, h *harness) {
	if n := h.LastSeq(); n != 0 {
		t.Fatalf("an empty log has a last record %d", n)
	}
	h.add(0)
	h.add(1, Record(1))
	h.add(9, series(2, 10)...)
	h.same(h.read(0, 10), series(1, 10), 1)
	if n := h.LastSeq(); n != 10 {
		t.Fatalf("last record %d, want 10", n)
	}
	got, err := h.Get(t.Context(), Record(7).ID)
	h.do(err)
	h.same([]store.Record{got}, []store.Record{Record(7)}, 7)
	if _, err := h.Get(t.Context(), Record(11).ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("get of an unknown record: %v", err)
	}
	for _, id := range []string{"", strings.Repeat("x", 1001)} {
		if _, err := h.Append(t.Context(), Record(12), store.Record{ID: id}); err == nil {
			t.Fatalf("an ID of %d bytes was taken", len(id))
		}
	}
	if n := h.LastSeq(); n != 10 {
		t.Fatalf("last record %d after a refused append", n)
	}
}

func anyIDAndBody(t *testing.T, h *harness) {
	hexID := strings.Repeat("0123456789abcdef", 4)
	ids := []string{
		hexID, strings.ToUpper(hexID), hexID[:63], hexID + "0", hexID[:63] + "g",
		"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef" + // the bytes of hexID
			"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef",
		"x", "x\x00", "\x00", "\xff\xfe", "naïve ✓", strings.Repeat("y", 1000), "1", "1.0", " 1",
	}
	bodies := [][]byte{{}, {0}, []byte("\xff\x00\xff"), []byte("text"), make([]byte, 70_000)}
	var recs []store.Record
	for i, id := range ids {
		recs = append(recs, store.Record{ID: id, At: time.Unix(int64(i), 1).UTC(), Body: bodies[i%len(bodies)]})
	}
	recs[1].At = time.Time{}
	recs[2].At = time.Date(3000, 1, 1, 0, 0, 0, 1, time.UTC) // out of range: the nearest is kept
	h.add(len(recs), recs...)
	recs[2].At = h.read(2, 1)[0].At
	if y := recs[2].At.Year(); y != 2262 {
		t.Fatalf("year %d, want the last that is stored", y)
	}
	h.restart()
	h.same(h.read(0, len(recs)), recs, 1)
	for i, r := range recs {
		got, err := h.Get(t.Context(), r.ID)
		h.do(err)
		h.same([]store.Record{got}, []store.Record{r}, uint64(i)+1)
	}
	h.add(0, recs...)
}

func timeOfAppend(t *testing.T, h *harness) {
	before := time.Now()
	h.add(1, store.Record{ID: "x", Time: time.Unix(1, 0)})
	after := time.Now()
	for range 2 {
		if got := h.read(0, 1)[0].Time; got.Before(before) || got.After(after) {
			t.Fatalf("taken at %v, want between %v and %v", got, before, after)
		}
		h.restart()
	}
}

func knownIDs(t *testing.T, h *harness) {
	h.add(2, Record(1), Record(2), Record(1))
	changed := Record(2)
	changed.Body = []byte("another body of the same alert")
	h.add(1, Record(1), changed, Record(3), Record(3))
	h.restart()
	h.add(1, Record(3), Record(4))
	h.same(h.read(0, 4), series(1, 4), 1)
	h.add(2, store.Record{ID: "no time"}, store.Record{ID: "none either"}, store.Record{ID: "no time"})
	h.restart()
	h.add(0, store.Record{ID: "none either"}, store.Record{ID: "no time"})
	if n := h.LastSeq(); n != 6 {
		t.Fatalf("last record %d, want 6: a repeat leaves no hole", n)
	}
}

func reopen(t *testing.T, h *harness) {
	h.add(50, series(1, 50)...)
	h.cursor("a", store.StartOldest)
	h.do(h.Settle(t.Context(), "a", store.Settlement{UpTo: 20}))
	h.restart()
	h.same(h.read(0, 50), series(1, 50), 1)
	h.add(50, series(51, 100)...)
	h.restart()
	h.same(h.read(20, 80), series(21, 100), 21)
	if pos, _ := h.cursor("a", store.StartNow); pos != 20 {
		t.Fatalf("cursor at %d, want 20", pos)
	}
}

func concurrentAppends(t *testing.T, h *harness) {
	const writers, each = 8, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				// Each record is appended twice, by two writers.
				n, err := h.Append(t.Context(), Record(w*each+i), Record((w+1)%writers*each+i))
				if err != nil || n < 0 || n > 2 {
					t.Errorf("append: %d, %v", n, err)
				}
			}
		})
	}
	seen := map[string]bool{}
	for after := uint64(0); len(seen) < writers*each; {
		recs, err := h.Read(t.Context(), after, 7)
		h.do(err)
		for _, r := range recs {
			if r.Seq != after+1 || seen[r.ID] {
				t.Fatalf("record %d (%s) follows %d; seen before: %v", r.Seq, r.ID, after, seen[r.ID])
			}
			after, seen[r.ID] = r.Seq, true
		}
	}
	wg.Wait()
	if n := h.LastSeq(); n != writers*each {
		t.Fatalf("last record %d, want %d", n, writers*each)
	}
}

func readWaits(t *testing.T, h *harness) {
	const readers = 20
	got := make(chan []store.Record, readers)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			recs, err := h.Read(t.Context(), 0, 10)
			if err != nil {
				t.Errorf("read: %v", err)
			}
			got <- recs
		})
	}
	h.add(1, Record(1))
	wg.Wait()
	for range readers {
		h.same(<-got, series(1, 1), 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Read(ctx, 1, 10); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled read: %v", err)
	}
}

func readIsBounded(_ *testing.T, h *harness) {
	recs := series(1, 40)
	for i := range recs {
		recs[i].Body = append(recs[i].Body, make([]byte, 200_000)...)
	}
	h.add(40, recs...)                              // more than is kept in memory
	for _, after := range []uint64{0, 10, 25, 39} { // on the disk and in memory
		got, err := h.Read(h.Context(), after, 1000)
		h.do(err)
		if n := len(got); n < 1 || n > 6 {
			h.Fatalf("behind %d: %d records of 200 kB at once, want a megabyte", after, n)
		}
		h.same(got, recs[after:int(after)+len(got)], after+1)
	}
	got, err := h.Read(h.Context(), 5, 2)
	h.do(err)
	h.same(got, recs[5:7], 6)
	got, err = h.Read(h.Context(), 0, 0)
	h.do(err)
	h.same(got, recs[:1], 1)
}

func readFromAnyPlace(_ *testing.T, h *harness) {
	recs := series(1, 300)
	for i := range recs {
		recs[i].Body = append(recs[i].Body, make([]byte, 30_000)...) // twice what is kept in memory
	}
	for i := 0; i < len(recs); i += 50 {
		h.add(50, recs[i:i+50]...)
	}
	for after := 0; after < len(recs); after += 37 {
		h.same(h.read(uint64(after), len(recs)-after), recs[after:], uint64(after)+1)
	}
}
