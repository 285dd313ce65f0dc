package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
)

// cancelledAppend: who gives up may append again, and nothing comes twice.
func cancelledAppend(t *testing.T, h *harness) {
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		n, err := h.Append(ctx, Record(i))
		if err != nil && !errors.Is(err, context.Canceled) || err == nil && n != 1 {
			t.Fatalf("append: %d, %v", n, err)
		}
		cancel()
		n, err = h.Append(t.Context(), Record(i))
		if err != nil || n > 1 {
			t.Fatalf("append: %d, %v", n, err)
		}
	}
	h.same(h.read(0, 200), series(0, 199), 1)
}

func closing(t *testing.T, h *harness) {
	h.add(1, Record(1))
	h.cursor("a", store.StartOldest)
	read := make(chan error)
	go func() {
		_, err := h.Read(context.Background(), 1, 1)
		read <- err
	}()
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := map[string]bool{Record(1).ID: true}
	for w := range 4 {
		wg.Go(func() {
			for i := w*1000 + 2; ; i++ {
				_, err := h.Append(context.Background(), Record(i))
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				acked[Record(i).ID] = true
				mu.Unlock()
			}
		})
	}
	h.do(<-read) // the writers are at it
	h.do(h.Close())
	wg.Wait()
	for what, err := range map[string]error{
		"append": second(h.Append(t.Context(), Record(2))),
		"read":   second(h.Read(t.Context(), 0, 1)),
		"get":    second(h.Get(t.Context(), Record(1).ID)),
		"settle": h.Settle(t.Context(), "a", store.Settlement{UpTo: 1}),
		"save":   h.SaveState(t.Context(), "a"),
		"load":   second(h.LoadState(t.Context(), "a")),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after close: %v", what, err)
		}
	}
	h.do(h.Close())
	h.start()
	for id := range acked {
		if _, err := h.Get(t.Context(), id); err != nil {
			t.Errorf("an acknowledged record: %v", err)
		}
	}
	recs := h.read(0, int(h.LastSeq()))
	if len(recs) < len(acked) {
		t.Errorf("%d records, %d were acknowledged", len(recs), len(acked))
	}
}

func second[T any](_ T, err error) error { return err }
