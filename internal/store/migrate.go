package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// sinceSchema2 is what version 2 added to version 1, beside two columns of cursors.
const sinceSchema2 = `
CREATE TABLE outcomes (
	id     INTEGER PRIMARY KEY,
	last   INTEGER NOT NULL,
	cursor INTEGER NOT NULL,
	crc    INTEGER NOT NULL,
	body   BLOB NOT NULL
);
CREATE TABLE holes (
	first INTEGER PRIMARY KEY,
	last  INTEGER NOT NULL
);
`

// cursorsOf1To2 is how SQLite describes the table after the migration.
const cursorsOf1To2 = `CREATE TABLE cursors (
	name TEXT PRIMARY KEY,
	pos  INTEGER NOT NULL,
	seen INTEGER NOT NULL
, id INTEGER NOT NULL DEFAULT 0, crc INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`

// migrations[v] makes version v+1 of version v. They stay as they are once they were released.
var migrations = map[int64]func(*conn) error{1: toSchema2}

// migrate brings the file from a version to the present one, all of it in one transaction: whatever
// interrupts it leaves the old version.
func migrate(db *conn, version int64) error {
	err := db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	for v := version; v < schemaVersion && err == nil; v++ {
		err = migrations[v](db)
	}
	if err == nil {
		err = db.exec("PRAGMA user_version = " + strconv.Itoa(schemaVersion) + "; COMMIT")
	}
	if err != nil {
		_ = db.exec("ROLLBACK") // fails where SQLite has done it already
		return fmt.Errorf("bring it from schema %d to %d: %w", version, schemaVersion, err)
	}
	return nil
}

func toSchema2(db *conn) error {
	err := db.exec(sinceSchema2 +
		"ALTER TABLE cursors ADD COLUMN id INTEGER NOT NULL DEFAULT 0;" +
		"ALTER TABLE cursors ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;" +
		"INSERT INTO meta VALUES ('schema', 2), ('pruned_crc', 0), ('cursors_lost', 0);" +
		"INSERT INTO meta SELECT 'cursors', count(*) FROM cursors")
	if err != nil {
		return err
	}
	pruned, err := db.integer("SELECT value FROM meta WHERE name = 'pruned'")
	if err != nil {
		return err
	}
	err = db.exec("UPDATE meta SET value = " + strconv.FormatInt(prunedSum(pruned), 10) + " WHERE name = 'pruned_crc'")
	if err != nil {
		return err
	}
	cursors, err := cursorsOfSchema1(db)
	if err != nil {
		return err
	}
	put, err := db.prepare("UPDATE cursors SET id = ?, crc = ? WHERE name = ?")
	if err != nil {
		return err
	}
	for i, c := range cursors {
		c.id = int64(i) + 1
		if _, err = put.exec(c.id, c.sum(c.name), c.name); err != nil {
			break
		}
	}
	return errors.Join(err, put.Close())
}

type namedCursor struct {
	name string
	cursor
}

func cursorsOfSchema1(db *conn) (cursors []namedCursor, err error) {
	s, err := db.prepare("SELECT name, pos, seen FROM cursors")
	if err != nil {
		return nil, err
	}
	err = s.each(func(row []driver.Value) error {
		name, _ := row[0].(string)
		pos, _ := row[1].(int64)
		seen, _ := row[2].(int64)
		cursors = append(cursors, namedCursor{name, cursor{place: place{pos: uint64(pos)}, seen: time.UnixMilli(seen)}})
		return nil
	})
	return cursors, errors.Join(err, s.Close())
}
