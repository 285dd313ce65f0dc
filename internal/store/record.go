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
	// ID is unique among the records that are kept: any 1 to 1000 bytes. 64 lower-case hexadecimal
	// digits are stored in half the room.
	ID string
	// Time is when the record was made, to the nanosecond between the years 1678 and 2262. The
	// zero time is replaced by that of the append.
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
	id    driver.Value // as stored
	nanos int64        // Time as stored
	sum   uint32       // the checksum but for the sequence number, which is not known yet
}

func encode(r Record, now time.Time) entry {
	if r.Time.IsZero() {
		r.Time = now
	}
	e := entry{Record: r, id: encodeID(r.ID), nanos: nanos(r.Time)}
	e.Time = time.Unix(0, e.nanos).UTC()
	e.sum = checksum(e.Body, e.id, e.nanos)
	return e
}

// decode makes a Record of a row: seq, time, crc, id, body. The row may be damaged in any way.
func decode(row []driver.Value) (Record, error) {
	seq, ok1 := row[0].(int64)
	at, ok2 := row[1].(int64)
	sum, ok3 := row[2].(int64)
	body, ok4 := row[4].([]byte)
	id, ok5 := decodeID(row[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return Record{}, fmt.Errorf("%w: a column has the wrong type", ErrDamaged)
	}
	if int64(withSeq(checksum(body, row[3], at), uint64(seq))) != sum {
		return Record{}, fmt.Errorf("%w: the checksum does not match", ErrDamaged)
	}
	return Record{Seq: uint64(seq), ID: id, Time: time.Unix(0, at).UTC(), Body: notNil(body)}, nil
}

func checksum(body []byte, id driver.Value, nanos int64) uint32 {
	sum := crc32.Checksum(body, castagnoli)
	tail := make([]byte, 1, 9) // the type too: one flipped bit makes a text of a blob
	switch id := id.(type) {
	case []byte:
		sum = crc32.Update(sum, castagnoli, id)
	case string:
		sum = crc32.Update(sum, castagnoli, []byte(id))
		tail[0] = 1
	}
	return crc32.Update(sum, castagnoli, binary.LittleEndian.AppendUint64(tail, uint64(nanos)))
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
	switch s := t.Unix(); {
	case s <= math.MinInt64/int64(time.Second):
		return math.MinInt64
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// notNil turns the nil that the driver returns for an empty blob into an empty slice.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
