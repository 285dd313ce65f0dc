package store

import "strconv"

const (
	selectRecord = "SELECT seq, appended, at, crc, id, body FROM records WHERE "
	// selectByID reads the index from its newest end, and the record only once it is found: an ID
	// alone is looked up for a person, who asks for what is recent.
	selectByID  = selectRecord + "seq = (SELECT seq FROM records INDEXED BY records_at_id WHERE id = ? ORDER BY at DESC LIMIT 1)"
	selectState = "SELECT kind, key, crc, body FROM state WHERE scope = ? AND owner = ? ORDER BY kind, key"

	selectSomeState = "SELECT kind, key, crc, body FROM state WHERE scope = ? AND owner = ? AND kind = ? AND key >= ? ORDER BY key LIMIT ?"
)

var lastOutcomeRow = strconv.Itoa(outcomeRows - 1)

// statements are what the writer does to the database, compiled once.
type statements struct {
	begin, commit, rollback, probe           *stmt
	insertRecord, oldest, prune, setPruned   *stmt
	cursor, putCursor, moveCursor, delCursor *stmt
	seenCursor, nextCursor, resetPlace       *stmt
	setMeta                                  *stmt
	putOutcomes, pruneOutcomes, pruneHoles   *stmt
	readState, putState, delState, dropState *stmt
	putLoss, delLoss                         *stmt
	pages, freePages                         *stmt
	vacuum, mergeWAL, truncateWAL            *stmt
}

func (s *statements) prepare(db *conn) error {
	return db.keep(map[**stmt]string{
		&s.begin:    "BEGIN IMMEDIATE",
		&s.commit:   "COMMIT",
		&s.rollback: "ROLLBACK",
		&s.probe:    "UPDATE meta SET value = ? WHERE name = 'probe'",

		// ifnull, here and below: the driver binds an empty blob as NULL.
		&s.insertRecord: "INSERT INTO records VALUES (?, ?, ?, ?, ?, ifnull(?, x'')) ON CONFLICT (at, id) DO NOTHING",
		&s.oldest:       "SELECT seq, appended, length(body) FROM records WHERE seq > ? ORDER BY seq",
		&s.prune:        "DELETE FROM records WHERE seq <= ?",
		&s.setPruned:    "UPDATE meta SET value = CASE name WHEN 'pruned' THEN ?1 ELSE ?2 END WHERE name IN ('pruned', 'pruned_crc')",

		&s.cursor:     "SELECT pos, id FROM cursors WHERE name = ?",
		&s.putCursor:  "INSERT INTO cursors VALUES (?, ?, ?, ?, ?)",
		&s.moveCursor: "UPDATE cursors SET pos = ?, seen = ?, crc = ? WHERE name = ?",
		&s.resetPlace: "UPDATE cursors SET pos = ?, seen = ?, id = ?, crc = ? WHERE name = ?",
		&s.seenCursor: "UPDATE cursors SET seen = ? WHERE name = ?",
		&s.delCursor:  "DELETE FROM cursors WHERE name = ?",
		&s.setMeta:    "UPDATE meta SET value = ? WHERE name = ?",
		&s.nextCursor: "UPDATE meta SET value = value + 1 WHERE name = 'cursors' RETURNING value",

		// The next number behind the rows that begin at the same record.
		&s.putOutcomes: "INSERT OR REPLACE INTO outcomes " +
			"SELECT min(ifnull(max(id) + 1, ?1), ?1 + " + lastOutcomeRow + "), ?2, ?3, ?4, ?5 " +
			"FROM outcomes WHERE id BETWEEN ?1 AND ?1 + " + lastOutcomeRow,
		&s.pruneHoles:    "DELETE FROM holes WHERE last <= ?",
		&s.pruneOutcomes: "DELETE FROM outcomes WHERE id < ? AND last <= ?",

		&s.readState: selectState,
		&s.putState: "INSERT INTO state VALUES (?, ?, ?, ?, ?, ifnull(?, x'')) " +
			"ON CONFLICT DO UPDATE SET crc = excluded.crc, body = excluded.body",
		&s.delState:  "DELETE FROM state WHERE scope = ? AND owner = ? AND kind = ? AND key = ?",
		&s.dropState: "DELETE FROM state WHERE scope = ? AND owner = ?",

		&s.putLoss: "INSERT INTO losses VALUES (?, ?, ?, ?, ?)",
		&s.delLoss: "DELETE FROM losses WHERE id = ?",

		&s.pages:     "PRAGMA page_count",
		&s.freePages: "PRAGMA freelist_count",
		&s.vacuum:    "PRAGMA incremental_vacuum(" + strconv.Itoa(vacuumStep) + ")",
		&s.mergeWAL:  "PRAGMA wal_checkpoint(PASSIVE)",

		&s.truncateWAL: "PRAGMA wal_checkpoint(TRUNCATE)",
	})
}
