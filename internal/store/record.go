package store

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

// Errors that callers tell apart. Those of the database come wrapped, with the path of the file.
var (
	// ErrNotFound: no record has this ID, or it is no longer kept.
	ErrNotFound = errors.New("no such record")
	// ErrFull: max_bytes is reached, and what is there must stay: on_full is refuse, or the file
	// is damaged where the oldest records are.
	ErrFull = errors.New("the log is full: max_bytes is reached and nothing may be removed")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("the log is closed")
	// ErrNoCursor: the cursor was never opened, or was forgotten.
	ErrNoCursor = errors.New("no such cursor")
	// ErrDamaged: what the disk gave back is not what was written.
	ErrDamaged = errors.New("damaged")
)

// Record is one entry of the log. Its Body and Value are shared with whoever appends or reads it,
// and must not be changed.
type Record struct {
	// Seq is its place in the log, given by Append: from 1, without holes, never twice.
	Seq uint64
	// ID and At together name a record: another one with the same two is a repeat. ID is any 1 to
	// 1000 bytes; 64 lower-case hexadecimal digits are stored in half the room.
	ID string
	// At is when that happened which the record is about, to the nanosecond between the years 1678
	// and 2262: what lies before comes back as the zero time, what lies behind as the last one. It
	// has to follow from what the ID follows from, so that equal IDs have equal times; where nothing
	// does, it stays zero. The index is in the order of At: records that come in about that order
	// are cheap to append.
	At time.Time
	// Time is when the log took the record. Append sets it.
	Time time.Time
	// Body is the record itself: bytes, to the log.
	Body []byte
	// Value is what Body encodes, if whoever appended the record left it here. It spares readers
	// of a recent record the decoding; it is nil in a record that was read from the disk.
	Value any
}

// Change is one piece of state that an owner keeps in the log, named by kind and key. A nil Body
// deletes it.
type Change struct {
	Kind, Key string
	Body      []byte
}

// Start says where a new cursor begins.
type Start int

// Where a new cursor can begin.
const (
	StartNow    Start = iota // behind the newest record
	StartOldest              // before the oldest record that is kept
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is a record on its way to the disk.
type entry struct {
	Record
	id       driver.Value // as stored
	appended int64        // Time as stored
	at       int64        // At as stored
	sum      uint32       // the checksum but for the sequence number, which is not known yet
}

func encode(r Record, now time.Time) entry {
	e := entry{Record: r, id: encodeID(r.ID), appended: nanos(now), at: nanos(r.At)}
	e.Time, e.At = fromNanos(e.appended), fromNanos(e.at)
	e.sum = checksum(e.Body, e.id, e.appended, e.at)
	return e
}

// decode makes a Record of a row: seq, appended, at, crc, id, body. The row may be damaged in any way.
func decode(row []driver.Value) (Record, error) {
	seq, ok1 := row[0].(int64)
	appended, ok2 := row[1].(int64)
	at, ok3 := row[2].(int64)
	sum, ok4 := row[3].(int64)
	id, ok5 := decodeID(row[4])
	body, ok6 := row[5].([]byte)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return Record{}, fmt.Errorf("%w: a column has the wrong type", ErrDamaged)
	}
	if int64(withSeq(checksum(body, row[4], appended, at), uint64(seq))) != sum {
		return Record{}, fmt.Errorf("%w: the checksum does not match", ErrDamaged)
	}
	return Record{Seq: uint64(seq), ID: id, At: fromNanos(at), Time: fromNanos(appended), Body: notNil(body)}, nil
}

func checksum(body []byte, id driver.Value, appended, at int64) uint32 {
	sum := crc32.Checksum(body, castagnoli)
	tail := make([]byte, 1, 17) // the type too: one flipped bit makes a text of a blob
	switch id := id.(type) {
	case []byte:
		sum = crc32.Update(sum, castagnoli, id)
	case string:
		sum = crc32.Update(sum, castagnoli, []byte(id))
		tail[0] = 1
	}
	tail = binary.LittleEndian.AppendUint64(tail, uint64(appended))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(at))
	return crc32.Update(sum, castagnoli, tail)
}

func withSeq(sum uint32, seq uint64) uint32 {
	return crc32.Update(sum, castagnoli, binary.LittleEndian.AppendUint64(nil, seq))
}

func stateSum(owner string, c Change) uint32 {
	sum := crc32.Checksum(c.Body, castagnoli)
	for _, s := range []string{owner, c.Kind, c.Key} {
		sum = crc32.Update(sum, castagnoli, []byte(s))
		sum = crc32.Update(sum, castagnoli, []byte{0})
	}
	return sum
}

// encodeID returns a SHA-256 as 32 bytes and any other ID as text. The two never meet: SQLite holds
// a blob and a text for different values whatever their bytes.
func encodeID(id string) driver.Value {
	if len(id) != 2*32 {
		return id
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return id
		}
	}
	b := make([]byte, 32)
	if _, err := hex.Decode(b, []byte(id)); err != nil {
		return id
	}
	return b
}

func decodeID(v driver.Value) (string, bool) {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v), len(v) == 32
	case string:
		return v, true
	}
	return "", false
}

// nanos returns t in nanoseconds since 1970, or the nearest that an int64 holds.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// fromNanos is the other way. The zero time, which lies outside, comes back as it was.
func fromNanos(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// notNil turns the nil that the driver returns for an empty blob into an empty slice.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
