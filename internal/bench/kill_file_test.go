package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // to look at the log without filelessd

	"github.com/filelessd/filelessd/internal/bench/rig"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/event"
)

// file is the log of the daemon.
func (k *killed) file() string { return filepath.Join(k.filelessd.Dir, "data", "filelessd.db") }

// sql runs statements on the log of a daemon that has ended.
func (k *killed) sql(path string, do func(*sql.DB) error) {
	k.t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		k.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if err := do(db); err != nil {
		k.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killed) exec(text string) {
	k.t.Helper()
	k.sql(k.file(), func(db *sql.DB) error {
		_, err := db.ExecContext(k.t.Context(), text)
		return err
	})
}

// toSchema1 takes away what schema 2 has added. What is left is as filelessd wrote it with schema 1,
// but for many cursors, so that to migrate them takes a time in which it can be killed.
const toSchema1 = `
BEGIN;
DROP TABLE outcomes;
DROP TABLE holes;
CREATE TABLE cursors_1 (name TEXT PRIMARY KEY, pos INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO cursors_1 SELECT name, pos, seen FROM cursors;
DROP TABLE cursors;
ALTER TABLE cursors_1 RENAME TO cursors;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000)
	INSERT OR REPLACE INTO cursors SELECT 'left ' || i, 0, (SELECT max(seen) FROM cursors) FROM n;
DELETE FROM meta WHERE name NOT IN ('pruned', 'probe');
PRAGMA user_version = 1;
COMMIT`

func (k *killed) makeSchema1() {
	k.t.Helper()
	k.exec(toSchema1)
}

// copied looks at a copy of the log, so that what a kill left is for the daemon to mend.
func (k *killed) copied(query string) (n int) {
	k.t.Helper()
	dir := k.t.TempDir()
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(k.file() + end)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "copy"+end), data, 0o600)
		}
		if err != nil && (end == "" || !os.IsNotExist(err)) {
			k.t.Fatal(err)
		}
	}
	k.sql(filepath.Join(dir, "copy"), func(db *sql.DB) error { return db.QueryRowContext(k.t.Context(), query).Scan(&n) })
	return n
}

// makeRoom fills the log with free pages, and returns how many.
func (k *killed) makeRoom() int {
	k.t.Helper()
	k.exec("CREATE TABLE bulk (b BLOB); INSERT INTO bulk VALUES (zeroblob(16 << 20)); DROP TABLE bulk")
	return k.freePages()
}

func (k *killed) freePages() int { return k.copied("PRAGMA freelist_count") }

// more is what only some stages have to tell.
func (k *killed) more() (text string) {
	if k.hits > 0 {
		text = fmt.Sprintf("; %d of the kills before it was through with it", k.hits)
	}
	if c := k.fast.Counts(); c.Members > 0 {
		text += fmt.Sprintf("; %d came by themselves, %d in %d summaries", c.Distinct, c.Members, len(k.fast.Told()))
	}
	return text
}

// countMembers has each alert in the log accounted for, at each webhook: it came, or the log says in
// which summary it is counted, that one came, and counts as many as the log says it does.
func (k *killed) countMembers() {
	if k.t.Failed() {
		return
	}
	log, err := store.Open(k.t.Context(), filepath.Dir(k.file()), store.DefaultConfig())
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			k.t.Error(err)
		}
	}()
	number := map[string]int{}
	for n := range k.next {
		e, err := event.Parse(rig.AppendAlert(nil, k.shape, n), time.Now())
		if err != nil {
			k.t.Fatal(err)
		}
		number[e.ID()] = n
	}
	counted := map[string]map[string]int{"fast": {}, "slow": {}} // members of each summary, by webhook
	alerts := 0
	for after := uint64(0); after < log.LastSeq(); {
		records, err := log.Read(k.t.Context(), after, 1000)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, record := range records {
			after = record.Seq
			if n, ok := number[record.ID]; ok {
				alerts++
				k.countMember(log, record.Seq, n, counted)
			}
		}
	}
	if alerts != k.sent.Accepted() {
		k.t.Errorf("%d alerts are in the log, of %d accepted", alerts, k.sent.Accepted())
	}
	for name, r := range k.receivers() {
		told := r.Told()
		for id, n := range told {
			if counted[name][id] != n {
				k.t.Errorf("summary %s at %s counts %d, in the log it has %d members", id, name, n, counted[name][id])
			}
		}
		if len(counted[name]) != len(told) {
			k.t.Errorf("%d summaries came to %s, of %d", len(told), name, len(counted[name]))
		}
	}
}

func (k *killed) receivers() map[string]*rig.Receiver {
	return map[string]*rig.Receiver{"fast": k.fast, "slow": k.slow}
}

// countMember adds the record of alert n to the summaries that count it, and wants it to have come
// where there is none.
func (k *killed) countMember(log *store.Log, seq uint64, n int, counted map[string]map[string]int) {
	outcomes, err := log.Outcomes(k.t.Context(), seq)
	if err != nil {
		k.t.Fatal(err)
	}
	summaries := map[string]string{}
	for _, o := range outcomes {
		if o.Result == string(deliver.Grouped) {
			_, summaries[o.Cursor] = deliver.CountedIn(o.Detail)
		}
	}
	for name, r := range k.receivers() {
		summary, grouped := summaries[name]
		if grouped {
			counted[name][summary]++
		}
		if came := r.Came(n); came == grouped {
			k.t.Errorf("alert %d, record %d: came to %s: %t; counted in a summary: %t", n, seq, name, came, grouped)
		}
	}
}
