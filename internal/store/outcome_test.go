package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// count asks the file itself.
func count(t *testing.T, l *Log, sql string) int64 {
	t.Helper()
	db, err := connect(filepath.Join(filepath.Dir(l.path), "filelessd.db"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := db.integer(sql)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOutcomesGo: outcomes are in the file as long as one of their records is, and are not shown
// for a cursor that only has the name of theirs.
func TestOutcomesGo(t *testing.T) { synctest.Test(t, outcomesGo) }

func outcomesGo(t *testing.T) {
	l := openLog(t, MaintainEvery(time.Hour))
	defer l.mustClose(t)
	ctx := t.Context()
	add := func(first, last int) {
		t.Helper()
		for i := first; i <= last; i++ {
			if _, err := l.Append(ctx, short(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	use := func() {
		t.Helper()
		if _, _, err := l.OpenCursor(ctx, "a", StartOldest); err != nil {
			t.Fatal(err)
		}
	}
	use()
	add(1, 10)
	time.Sleep(l.limits.Retention / 2)
	add(11, 20)
	var list []Outcome
	for i := range 20 {
		list = append(list, Outcome{Seq: uint64(i) + 1, Result: "delivered"})
	}
	for _, part := range [][]Outcome{list[:4], list[4:15], list[15:]} {
		if err := l.Settle(ctx, "a", Settlement{UpTo: 20, Outcomes: part}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(l.limits.Retention/2 + 2*time.Hour)
	synctest.Wait()
	rows := "SELECT count(*) FROM outcomes"
	if n := count(t, l, rows); n != 2 {
		t.Errorf("%d rows for records 5 to 15 and 16 to 20", n)
	}
	for seq, want := range map[uint64]int{4: 0, 10: 0, 11: 1, 20: 1} {
		if got, err := l.Outcomes(ctx, seq); err != nil || len(got) != want {
			t.Errorf("record %d: %+v, %v", seq, got, err)
		}
	}
	if err := l.Settle(ctx, "a", Settlement{Outcomes: list[:4]}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, l, rows); n != 2 {
		t.Errorf("%d rows after an outcome of records that are gone", n)
	}
	if err := l.Forget(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	use()
	if got, err := l.Outcomes(ctx, 11); err != nil || len(got) > 0 {
		t.Errorf("of a cursor that was forgotten: %+v, %v", got, err)
	}
	if err := l.Settle(ctx, "a", Settlement{UpTo: 20}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(l.limits.Retention)
	synctest.Wait()
	if n := count(t, l, rows); n != 0 {
		t.Errorf("%d rows without records", n)
	}
}

// TestOutcomesAreBounded: a record that is settled again and again keeps its first outcomes and the
// last one, and others their own.
func TestOutcomesAreBounded(t *testing.T) {
	l := openLog(t)
	defer l.mustClose(t)
	ctx := t.Context()
	if _, err := l.Append(ctx, short(1), short(2)); err != nil {
		t.Fatal(err)
	}
	var failed error
	r := &request{size: 1, run: func(*batch) error {
		for i := range outcomeRows + 3 {
			rows := packOutcomes([]Outcome{{Seq: 1, Attempts: i, At: time.Unix(int64(i), 0)}})
			failed = errors.Join(failed, l.writer.saveOutcomes(7, rows))
		}
		return errors.Join(failed, l.writer.saveOutcomes(7, packOutcomes([]Outcome{{Seq: 2, Attempts: 9}})))
	}}
	if err := l.do(ctx, r); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.cursors["a"] = &cursor{place: place{id: 7}}
	l.mu.Unlock()
	got, err := l.Outcomes(ctx, 1)
	if err != nil || len(got) != outcomeRows || got[0].Attempts != 0 || got[outcomeRows-1].Attempts != outcomeRows+2 {
		t.Errorf("%d outcomes, %v", len(got), err)
	}
	if got, err := l.Outcomes(ctx, 2); err != nil || len(got) != 1 || got[0].Attempts != 9 {
		t.Errorf("of the other: %+v, %v", got, err)
	}
}

// TestPackOutcomes: rows are few, small, and hold what went in.
func TestPackOutcomes(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	var list []Outcome
	for i := range 200 {
		at := now.Add(time.Duration(i%16) * 317 * time.Microsecond)
		list = append(list, Outcome{Seq: uint64(1e6 + i), At: at, Attempts: 1, Result: "delivered", Detail: "200 OK"})
	}
	rows := packOutcomes(list)
	if len(rows) != 1 || len(rows[0].body) > 200*6+40 {
		t.Fatalf("%d rows, the first of %d bytes", len(rows), len(rows[0].body))
	}
	got, err := unpackRow(rows[0].first, rows[0].body)
	if d := cmp.Diff(list, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	rows = packOutcomes([]Outcome{{Seq: 1}, {Seq: outcomeSpan}, {Seq: outcomeSpan + 1}})
	if len(rows) != 2 || rows[0].last != outcomeSpan || rows[1].first != outcomeSpan+1 {
		t.Errorf("%+v", rows)
	}
	if n := len(packOutcomes(make([]Outcome, 3*outcomeSpan))); n != 3 {
		t.Errorf("%d rows", n)
	}
}

// TestDamagedOutcomes: they are left out and reported.
func TestDamagedOutcomes(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(t.Context(), dir, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = l.Append(t.Context(), short(1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err = l.OpenCursor(t.Context(), "a", StartOldest); err != nil {
		t.Fatal(err)
	}
	for _, detail := range []string{"the first answer", "the other answer"} {
		if err := l.Settle(t.Context(), "a", Settlement{Outcomes: []Outcome{{Seq: 1, Detail: detail}}}); err != nil {
			t.Fatal(err)
		}
	}
	l.mustClose(t)
	db, err := connect(l.path)
	if err == nil {
		err = db.exec("UPDATE outcomes SET body = CAST(replace(body, 'first', 'forst') AS BLOB)")
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var told []string
	l, err = Open(t.Context(), dir, DefaultConfig(), OnDamage(func(seq uint64, err error) {
		told = append(told, fmt.Sprint(seq, " ", err))
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Outcomes(t.Context(), 1)
	if err != nil || len(got) != 1 || got[0].Detail != "the other answer" {
		t.Errorf("%+v, %v", got, err)
	}
	l.mustClose(t)
	if len(told) != 1 || !strings.Contains(told[0], "outcomes of records near 1: damaged") {
		t.Errorf("told %q", told)
	}
}

func FuzzUnpackOutcomes(f *testing.F) {
	for _, row := range packOutcomes([]Outcome{{Seq: 1, Result: "x", Detail: "y", Attempts: 3}, {Seq: 9, At: time.Unix(1, 0)}}) {
		f.Add(row.body)
	}
	f.Add([]byte{outcomeFormat, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := unpackRow(1, b)
		if err != nil || len(list) == 0 {
			return
		}
		for _, o := range list {
			if len(o.Result)+len(o.Detail) > len(b) {
				t.Errorf("%d bytes became %+v", len(b), o)
			}
		}
	})
}
