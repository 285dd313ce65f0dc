// Package store is the one durable log of filelessd. A record is in it before its source is
// acknowledged, every sink is a cursor over it, and whatever a sink must not forget (dead letters,
// parked deliveries, rate state) is settled in the transaction that moves its cursor.
//
// # Why SQLite
//
// The log needs four things at once: a record is on the disk when Append returns, a record is found
// by its ID so that a repeat adds nothing, a cursor moves together with the state that belongs to
// it, and a file that lost its tail opens again with everything before the tear. SQLite in WAL mode
// with synchronous=FULL does all four in one file that any sqlite3 program can read while filelessd
// runs. modernc.org/sqlite is SQLite translated to Go, so the program stays one static binary.
//
// Rejected:
//
//   - Segment files of our own: twice as fast, but the index by ID, atomic settling, retention and
//     repair would all be ours to write and to prove.
//   - bbolt: a torn file panics at open, a flipped bit in a value goes unseen, and a synced write
//     takes twice as long.
//   - pebble: as fast and as safe, for twice the binary and several times the memory.
//   - embedded NATS JetStream: with its defaults it acknowledges up to two minutes before it syncs;
//     syncing always, it is the slowest by far.
//   - database/sql between us and the driver: its pool, its copy of every value and its conversions
//     cost a tenth of an append and add nothing to connections that have one owner each.
//   - A unique index by ID alone, which is a hash: each insert lands on another page, so that a log
//     of 160,000 records took 0.6 times as many a second as it does now, wrote 1.7 times as many
//     bytes for each, and got slower as it grew. An index by time and ID refuses the same repeats.
//     It has a look-up by ID alone read the index, up to 0.1 s with a million records.
//   - Merging the write-ahead log every 32 MB and not every 8: no faster with the index as it is now,
//     and the appends that meet a merge wait four times as long.
//   - A row for each outcome: with four cursors they took three quarters of the processor time of an
//     append. Packed, a row for each settlement, they take an eighth.
//   - Inserts of many rows in one statement, and pages of 8, 16 or 32 KB: measured, no faster where
//     it counts, which is a log that holds some hundred thousand records already.
//
// What SQLite lacks is a checksum in its main file, so each record carries a CRC-32C over all of its
// columns, and each piece of state one of its own. They are checked on every read. Readers follow
// the sequence numbers, which have no holes, and not only the order of the index; where something
// is not as it should be they read number by number, and leave out what can not be read once they
// have found a record behind it. Nothing is left out while the disk does not answer at all, nor within
// the first minute in which it does not answer for a record: it may be gone for a moment.
//
// # How it works
//
// One goroutine owns the connection that writes. It takes everything that waits into one
// transaction, commits, and only then tells those who wait: that is the group commit. A Settle may
// wait 20 ms for company. An Append that comes alone commits at once; where several append at a
// time it waits up to 2 ms for the others: a transaction costs processor time, and where 16 posters
// share it, one in four as many brings a tenth more alerts a second. The same goroutine prunes and
// gives free pages back, one small transaction between two groups at a time. Readers have
// connections of their own, and mostly need none: the newest 4 MB stay in memory.
//
// # The file
//
// The directory holds filelessd.db, its -wal and -shm, and lock, which a running process keeps
// locked with flock. application_id is 0x666c7364 ("flsd"), user_version the version of the schema.
//
//	records  seq       sequence number, never used twice
//	         appended  when the log took it, nanoseconds since 1970: retention counts from here
//	         at        when that happened which it is about, nanoseconds since 1970
//	         crc       CRC-32C over body, id, the type of id (0 blob, 1 text), appended, at and seq
//	         id        32 bytes (a SHA-256) as a blob, any other id as text; at and id are unique
//	         body      what was appended
//	cursors  name, pos (everything up to it is settled), seen (last used, milliseconds since 1970),
//	         id (stands for it in outcomes), crc (CRC-32C over name, pos and id)
//	outcomes what became of the records of one settlement: id (its first record times 4096, plus a
//	         counter), last (record), cursor, crc, body (packed, see outcome.go)
//	state    scope ('cursor' or 'owner'), owner, kind, key, crc, body
//	losses   what drop_oldest took from a cursor and nobody was told of yet
//	meta     pruned: no record up to here exists any more; probe: written to test a disk that failed
//
// A file of an older schema is migrated when it is opened, in one transaction.
//
// The view record_text shows records with id and body as text and the times as dates.
//
// # Damage
//
// A record whose checksum is wrong is left out, reported, and stays. Where the structure of the file is
// damaged (its first page, its schema, a tree, the write-ahead log before its end), the file is rebuilt:
// when it is opened, or by the writer when an append or a reader meets the damage. Every page is read without
// SQLite, and each row whose checksum is good goes into a new file, with what the process has in memory. The new
// file takes the place of the old one once it is complete and synced; the old one stays as
// filelessd.db.damaged. What is missing is noted as a hole, so that readers pass it, and told as a loss.
// The newest transaction of the write-ahead log is left out where it is not whole: that is what a power cut
// leaves of one that nobody was told of. That it was on the disk, and was damaged later, shows by another one
// behind it. A disk that does not answer is no damage: nothing is moved then. While a file is rebuilt, which takes as
// long as reading and writing all of it, appends wait.
//
// # Room
//
// What counts against Config.MaxBytes is the pages in use and the write-ahead log. Free pages inside
// the file are filled before it grows, so they are only counted once they would have to be given
// back; more of them than a few commits fill are returned to the file system. A reserve for the
// write-ahead log and the next commits is set aside, so that the files as a whole stay below the
// limit. A write-ahead log that somebody else's long read keeps from being reset counts up to a
// quarter of the limit: removing records could not shrink it.
//
// State is never removed to make room. Whoever keeps much of it has to bound it: what it takes is
// not there for records.
package store
