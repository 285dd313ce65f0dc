package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	lib "modernc.org/sqlite/lib"
)

const (
	applicationID = 0x666c7364 // "flsd", where file(1) and sqlite3 find it
	schemaVersion = 2
	pageSize      = 4096 // SQLite's own choice; said here because salvage relies on it
)

// No STRICT tables: sqlite3 programs from before 2021 could not read the file.
const schema = `
CREATE TABLE records (
	seq      INTEGER PRIMARY KEY,
	appended INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	crc      INTEGER NOT NULL,
	id       BLOB NOT NULL,
	body     BLOB NOT NULL
);
CREATE UNIQUE INDEX records_at_id ON records (at, id);
CREATE TABLE cursors (
	name TEXT PRIMARY KEY,
	pos  INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	id   INTEGER NOT NULL,
	crc  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE state (
	scope TEXT NOT NULL,
	owner TEXT NOT NULL,
	kind  TEXT NOT NULL,
	key   TEXT NOT NULL,
	crc   INTEGER NOT NULL,
	body  BLOB NOT NULL,
	PRIMARY KEY (scope, owner, kind, key)
);
CREATE TABLE losses (
	id      INTEGER PRIMARY KEY,
	cursor  TEXT NOT NULL,
	records INTEGER NOT NULL,
	first   INTEGER NOT NULL,
	last    INTEGER NOT NULL
);
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 2), ('pruned', 0), ('pruned_crc', 0), ('probe', 0), ('cursors', 0), ('cursors_lost', 0);
` + sinceSchema2 + `
CREATE VIEW record_text AS SELECT
	seq,
	strftime('%Y-%m-%dT%H:%M:%fZ', appended / 1000000000.0, 'unixepoch') AS appended,
	strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000000.0, 'unixepoch') AS at,
	CASE typeof(id) WHEN 'blob' THEN lower(hex(id)) ELSE id END AS id,
	CAST(body AS TEXT) AS body
FROM records;
`

// prepareFile makes sure that the file at path is a log of this version, and creates one where
// there is none. It looks before it writes, so that a file of another program stays as it is.
func prepareFile(path string) error {
	created, err := createFile(path)
	if err != nil {
		return err
	}
	db, err := connect(path, busyTimeout(lockPatience))
	if err != nil {
		return err
	}
	version, err := inspect(db)
	blank := version == 0
	switch {
	case err != nil:
	case blank:
		err = createSchema(db)
	case version < schemaVersion:
		err = migrate(db, version)
	}
	// The close of the only connection merges the write-ahead log into the file. What a process before this
	// one left there can be in the kernel's memory only, if a sync failed; and what is there does not count as
	// new, so that no later sync would bring it to the disk. In the file it is written anew.
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if created || blank { // blank: a process before us created it, and may have ended before this
		return syncDirs(filepath.Dir(path))
	}
	return nil
}

// createFile creates the file if it is not there, readable for its owner only; SQLite gives its
// -wal and -shm the same permissions.
func createFile(path string) (created bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil // not even opened: a close would drop SQLite's locks on it
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, fmt.Errorf("create the log: %w", err)
	}
	return true, f.Close()
}

// inspect returns the version of the schema, 0 for an empty database, and says what is wrong if it
// is not a log.
func inspect(db *conn) (version int64, err error) {
	id, err := db.integer("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err = db.integer("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	objects, err := db.integer("SELECT count(*) FROM sqlite_master")
	if err != nil {
		return 0, err
	}
	whole, err := hasSchema(db)
	if err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && objects == 0:
		return 0, nil
	case isAlmostOurs(id), id == applicationID && version < 1:
		return 0, errHeader
	case id != applicationID:
		return 0, errors.New("it is the database of another program")
	case version > schemaVersion && isSchema(db, schemaVersion):
		return 0, errHeader
	case version == schemaVersion && !whole:
		return 0, errHeader
	case version > schemaVersion:
		return 0, fmt.Errorf("it was written by a newer filelessd: schema %d, this one knows %d",
			version, schemaVersion)
	}
	return version, nil
}

// isSchema reports whether the other place that has the version of the schema says this one.
func isSchema(db *conn, version int64) bool {
	said, err := db.integer("SELECT value FROM meta WHERE name = 'schema'")
	return err == nil && said == version
}

// hasSchema reports whether all tables are there as they were made, and where. A flipped bit in the text of
// one can leave a schema that SQLite takes, and that finds no record.
func hasSchema(db *conn) (bool, error) {
	texts, err := db.texts(context.Background(), "SELECT sql FROM sqlite_master")
	if err != nil {
		return false, err
	}
	for text := range strings.SplitSeq(schema, ";\n") {
		text = strings.TrimSpace(text)
		migrated := strings.HasPrefix(text, "CREATE TABLE cursors ") && slices.Contains(texts, cursorsOf1To2)
		if strings.HasPrefix(text, "CREATE ") && !slices.Contains(texts, text) && !migrated {
			return false, nil
		}
	}
	// With auto_vacuum the roots of all trees are the first pages, behind the schema and the map of pages.
	// One that a flipped bit has led elsewhere reads rows of another table.
	sound, err := db.integer("SELECT count(*) = count(DISTINCT rootpage) AND ifnull(min(rootpage), 3) = 3 AND " +
		"ifnull(max(rootpage), 2) = 2 + count(*) FROM sqlite_master WHERE rootpage > 0")
	return sound == 1, err
}

func createSchema(db *conn) error {
	return db.exec("PRAGMA page_size = " + strconv.Itoa(pageSize) + ";" +
		"PRAGMA auto_vacuum = INCREMENTAL;" + // has to come before anything is written
		"PRAGMA journal_mode = WAL;" +
		"PRAGMA synchronous = FULL;" +
		"BEGIN IMMEDIATE;" + schema +
		"PRAGMA application_id = " + strconv.Itoa(applicationID) + ";" +
		"PRAGMA user_version = " + strconv.Itoa(schemaVersion) + ";" +
		"COMMIT;" +
		"PRAGMA wal_checkpoint(TRUNCATE)") // the file alone is a log from here on
}

// explain names the file in an error of the database, and says what can be done where SQLite's own
// words do not.
func explain(path string, err error) error {
	if isCorrupt(err) || errors.Is(err, errHeader) || errors.Is(err, errWAL) || errors.Is(err, errUnsound) {
		return fmt.Errorf("%s is damaged or not a database (move it away to start with an empty log): %w", path, err)
	}
	if code(err) == lib.SQLITE_BUSY {
		return fmt.Errorf("%s: another program keeps it locked: %w", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// syncDirs makes a new file in dir, and dir itself, survive a power cut.
func syncDirs(dir string) error {
	for _, d := range []string{dir, filepath.Dir(dir)} {
		f, err := os.Open(d)
		if err != nil {
			if d != dir && errors.Is(err, os.ErrPermission) {
				continue // a parent that we may pass but not read; it was there before
			}
			return err
		}
		err = f.Sync()
		if errors.Is(err, syscall.EINVAL) {
			err = nil // a file system that does not sync directories
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
