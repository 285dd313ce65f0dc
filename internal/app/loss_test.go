package app

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestLoss: records that drop_oldest takes from a sink are counted, logged, and reported.
func TestLoss(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	other := store.Loss{Cursor: "other", Records: 12, First: 5, Last: 20}
	if err := f.app.lost(other); err != nil {
		t.Fatal(err)
	}
	f.waitFor("the report", func() bool { return len(f.received()) == 1 })
	for _, r := range f.received() {
		if r.Kind != report.KindLoss || r.Severity != report.High || !strings.Contains(r.Title, "12 reports for sink other") || r.Event != nil {
			t.Errorf("%+v", r)
		}
	}
	if got := f.counter("filelessd_lost_total", "reason", "store_full"); got != 12 {
		t.Errorf("%v lost", got)
	}
	// Told again after a restart, it is the same report.
	if err := f.app.lost(other); err != nil {
		t.Fatal(err)
	}
	if f.app.store.LastSeq() != 1 {
		t.Errorf("%d records", f.app.store.LastSeq())
	}
}

// TestLossOfDamage: what a rebuilt log has lost is reported too, and no loss counts as told before
// its report is in the log.
func TestLossOfDamage(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	damage := store.Loss{Records: 3, First: 1, Last: 9}
	if err := f.app.lost(damage); err != nil {
		t.Fatal(err)
	}
	f.waitFor("the report", func() bool { return len(f.received()) == 1 })
	for _, r := range f.received() {
		if r.Kind != report.KindLoss || !strings.Contains(r.Title, "3 reports to damage") || r.About[0] != "store" {
			t.Errorf("%+v", r)
		}
	}
	if got := f.counter("filelessd_lost_total", "reason", "damaged"); got != 3 {
		t.Errorf("%v lost", got)
	}
	if err := f.app.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.app.lost(damage); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a loss that could not be reported: %v", err)
	}
	if got := f.counter("filelessd_lost_total", "reason", "damaged"); got != 3 {
		t.Errorf("%v lost", got)
	}
}

// TestLossFromBefore: the log tells of a loss that an earlier run left untold while it is being
// opened.
func TestLossFromBefore(t *testing.T) {
	dir := t.TempDir()
	log, err := store.Open(t.Context(), dir, store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "filelessd.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "INSERT INTO losses VALUES (1, 'other', 12, 5, 16)")
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	f := newFixtureIn(t, dir, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	f.waitFor("the report", func() bool { return f.app.store.LastSeq() == 1 })
	if got := f.counter("filelessd_lost_total", "reason", "store_full"); got != 12 {
		t.Errorf("%v lost", got)
	}
}
