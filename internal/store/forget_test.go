package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

func TestCursorsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var forgotten []string
		onForget := store.OnForget(func(name string, pos uint64) {
			forgotten = append(forgotten, fmt.Sprint(name, " ", pos))
		})
		c, every := small("refuse"), store.MaintainEvery(10*time.Minute)
		l := open(t, dir, c, every, onForget)
		_, err := l.Append(t.Context(), recordOf("1"), recordOf("2"))
		must(t, err)
		for _, name := range []string{"stays", "closed", "gone", "removed"} {
			openCursor(t, l, name, 0)
			must(t, l.Settle(t.Context(), name, store.Settlement{UpTo: 1, Changes: []store.Change{{Kind: "k", Key: name, Body: []byte("x")}}}))
		}
		must(t, l.Forget(t.Context(), "removed"))
		if err := l.Forget(t.Context(), "removed"); !errors.Is(err, store.ErrNoCursor) {
			t.Fatalf("forget of an unknown cursor: %v", err)
		}
		time.Sleep(100 * time.Hour) // all are in use, though nothing moves
		crashed := open(t, copyLog(t, dir), c, every)
		time.Sleep(22 * time.Hour)
		if s := stats(t, crashed); len(s.Cursors) != 3 {
			t.Fatalf("22 hours after a crash: %+v", s.Cursors)
		}
		must(t, crashed.Close())
		must(t, l.CloseCursor(t.Context(), "closed"))
		time.Sleep(23 * time.Hour)
		must(t, l.Close())

		time.Sleep(30 * time.Minute)
		l = open(t, dir, c, every, onForget)
		openCursor(t, l, "stays", 1)
		names := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, c := range stats(t, l).Cursors {
				got = append(got, c.Name)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cursors %v, want %v", got, want)
			}
		}
		names("closed", "gone", "stays")
		time.Sleep(55 * time.Minute) // nothing is forgotten in the first hour
		names("closed", "gone", "stays")
		time.Sleep(10 * time.Minute)
		names("gone", "stays")
		time.Sleep(22 * time.Hour) // and half an hour, and 65 minutes, since it was last used
		names("gone", "stays")
		time.Sleep(2 * time.Hour)
		names("stays")
		if want := []string{"closed 1", "gone 1"}; !slices.Equal(forgotten, want) {
			t.Fatalf("forgotten %v, want %v", forgotten, want)
		}
		if err := l.Settle(t.Context(), "gone", store.Settlement{UpTo: 2}); !errors.Is(err, store.ErrNoCursor) {
			t.Fatalf("settle of a forgotten cursor: %v", err)
		}
		_, state, err := l.OpenCursor(t.Context(), "gone", store.StartNow)
		if err != nil || len(state) > 0 {
			t.Fatalf("a forgotten cursor left %v, %v", state, err)
		}
		must(t, l.Close())
	})
}

// TestDownForLong: a program that was off for days still has its cursors.
func TestDownForLong(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, small("refuse"))
		_, err := l.Append(t.Context(), recordOf("1"), recordOf("2"))
		must(t, err)
		openCursor(t, l, "a", 0)
		must(t, l.Settle(t.Context(), "a", store.Settlement{UpTo: 1}))
		must(t, l.Close())
		time.Sleep(1000 * time.Hour)
		l = open(t, dir, small("refuse"))
		synctest.Wait()
		openCursor(t, l, "a", 1)
		if recs, err := l.Read(context.Background(), 1, 1); err != nil || recs[0].Seq != 2 {
			t.Fatalf("%v, %v", recs, err)
		}
		must(t, l.Close())
	})
}
