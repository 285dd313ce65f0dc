package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/store"
)

// busy appends to l until stop is called.
func busy(t *testing.T, l *store.Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			if _, err := l.Append(ctx, recordOf(fmt.Sprint("busy", n))); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			n++
		}
		done <- n
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	openCursor(t, l, "a", 0)
	for i := range 2500 {
		if i%500 == 0 {
			var recs []store.Record
			for j := range 500 {
				recs = append(recs, recordOf(fmt.Sprint("check", i+j)))
			}
			_, err := l.Append(t.Context(), recs...)
			must(t, err)
		}
	}
	must(t, l.Settle(t.Context(), "a", store.Settlement{
		UpTo: 7, Changes: []store.Change{{Kind: "dead", Key: "x", Body: []byte("a dead letter")}},
		Outcomes: []store.Outcome{{Seq: 7, Result: "dead", Detail: "an answer of old"}},
	}))
	stop := busy(t, l)
	var calls int
	rep, err := l.Check(t.Context(), func(done, total uint64) {
		if calls++; done > total || total < 2500 {
			t.Errorf("%d of %d", done, total)
		}
	})
	stop()
	if err != nil || !rep.OK() || rep.Records < 2500 || rep.Damaged != 0 || rep.Cursors != 1 || rep.State != 1 || rep.Outcomes != 1 || calls < 3 {
		t.Fatalf("%d calls, %+v, %v", calls, rep, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = l.Check(ctx, func(uint64, uint64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a check that was cancelled: %v", err)
	}
	must(t, l.Close())
	if _, err := l.Check(t.Context(), nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("check of a closed log: %v", err)
	}

	path := filepath.Join(dir, "filelessd.db")
	b := readFile(t, path)
	for _, s := range []string{"a dead letter", "an answer of old", string(recordOf("check3").Body)} {
		b[bytes.Index(b, []byte(s))+1] ^= 1
	}
	writeFile(t, path, b)
	execSQL(t, path, "UPDATE cursors SET pos = pos + 1", "UPDATE meta SET value = 1 WHERE name = 'pruned'",
		"DELETE FROM records WHERE seq = 11", "INSERT INTO holes VALUES (11, 11)", "DELETE FROM records WHERE seq = 20")
	l = open(t, dir, store.DefaultConfig(), store.NoRebuild())
	rep, err = l.Check(t.Context(), nil)
	must(t, err)
	all := fmt.Sprintf("%+v", rep.Findings)
	for _, want := range []string{"Seq:4", "Seq:20", "record is missing", "state \"dead/x\" of cursor \"a\": damaged", "outcomes of records from 7: damaged"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %s", want, all)
		}
	}
	if rep.Damaged != 2 || rep.Lost != 1 || rep.State != 0 || rep.Outcomes != 0 {
		t.Errorf("%+v", rep)
	}
}

// TestCompact: all free room is given back while appends go on.
func TestCompact(t *testing.T) {
	t.Parallel()
	c := small("drop_oldest")
	c.MaxBytes = 256 << 20
	dir := t.TempDir()
	l := open(t, dir, c)
	openCursor(t, l, "a", 0)
	for i := 1; i <= 600; i++ {
		_, err := l.Append(t.Context(), bigRecord(i))
		must(t, err)
	}
	must(t, l.Close())
	path := filepath.Join(dir, "filelessd.db")
	execSQL(t, path, "DELETE FROM records WHERE seq <= 500", // as retention does, without what it gives back
		"UPDATE meta SET value = 0 WHERE name = 'probe'")
	l = open(t, dir, c, store.NoRebuild())
	openCursor(t, l, "a", 0)
	stop := busy(t, l)
	before := stats(t, l)
	rep, err := l.Compact(t.Context())
	stop()
	must(t, err)
	if before.FreeBytes < 20<<20 || rep.Before < 28<<20 || rep.After > rep.Before-20<<20 {
		t.Errorf("%+v; before %+v", rep, before)
	}
	rep, err = l.Compact(t.Context())
	// The append that stop cut short may still come between.
	if s := stats(t, l); err != nil || s.FreeBytes != 0 || rep.After > rep.Before+64<<10 {
		t.Errorf("%+v, %v; %+v", rep, err, s)
	}
	must(t, l.Close())
	if _, err := l.Compact(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("compacting a closed log: %v", err)
	}
}

// TestReadNow: what is there is read to its end, and nobody waits for what is not: nor for what is
// damaged at the end.
func TestReadNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	var want []string
	for i := range 600 {
		r := recordOf(fmt.Sprint("now", i))
		_, err := l.Append(t.Context(), r)
		must(t, err)
		want = append(want, r.ID)
	}
	all := func(l *store.Log, after uint64) (got []string) {
		for {
			recs, next, err := l.ReadNow(t.Context(), after, 100)
			if err != nil || len(recs) > 100 {
				t.Fatalf("%d records behind %d, %v", len(recs), after, err)
			}
			if next == 0 {
				return got
			}
			for _, r := range recs {
				got = append(got, r.ID)
			}
			after = next
		}
	}
	for after, want := range map[uint64][]string{0: want, 500: want[500:], 600: nil, 700: nil} {
		if d := cmp.Diff(want, all(l, after)); d != "" {
			t.Errorf("behind %d (-want +got):\n%s", after, d)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.ReadNow(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	must(t, l.Close())
	if _, _, err := l.ReadNow(t.Context(), 0, 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("of a closed log: %v", err)
	}
	path := filepath.Join(dir, "filelessd.db")
	execSQL(t, path, "UPDATE records SET crc = crc + 1 WHERE seq > 598 OR seq = 7")
	l = open(t, dir, store.DefaultConfig())
	if got := all(l, 0); len(got) != 597 || got[596] != want[597] {
		t.Errorf("%d records", len(got))
	}
}
