package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxResult and maxDetail bound the texts of an outcome, in bytes.
	maxResult = 64
	maxDetail = 500
	// outcomeSpan bounds how far apart the records of one row are, so that those of a record are
	// found by looking at the rows that begin shortly before it.
	outcomeSpan = 1024
	// outcomeRows is how many rows may begin at the same record; the last one gives way to another.
	outcomeRows  = 1 << outcomeShift
	outcomeShift = 12
	// mostSeq is more than any sequence number.
	mostSeq = 1 << (63 - outcomeShift)
	// outcomeFormat is the first byte of a row's body.
	outcomeFormat = 1
)

// Outcome is what became of one record at one cursor: a delivery, or why there was none. A record
// can have several at a cursor, one after the other.
type Outcome struct {
	Seq      uint64
	At       time.Time // to the microsecond
	Attempts int
	Result   string // one word; cut to 64 bytes
	Detail   string // an answer, an error, the key of a group; cut to 500 bytes, and valid UTF-8
}

// CursorOutcome is an outcome with the cursor that it is of.
type CursorOutcome struct {
	Cursor string
	Outcome
}

// Outcomes returns what became of a record, in the order of cursors and time. It is known as long as
// the record and the cursor are.
func (l *Log) Outcomes(ctx context.Context, seq uint64) (all []CursorOutcome, err error) {
	if seq <= l.prunedTo() || seq > l.LastSeq() {
		return nil, ctx.Err()
	}
	names := l.cursorNames()
	err = l.reading(ctx, func(r *reader) error {
		from := (max(seq, outcomeSpan) - outcomeSpan) << outcomeShift
		return r.outcomes.each(func(row []driver.Value) error {
			cursor, list, err := decodeOutcomes(row)
			if err != nil {
				l.notify.damage(0, fmt.Errorf("%s: outcomes of records near %d: %w", l.path, seq, err))
				return nil
			}
			for _, o := range list {
				if name, ok := names[cursor]; ok && o.Seq == seq {
					all = append(all, CursorOutcome{name, o})
				}
			}
			return nil
		}, int64(from), int64((seq+1)<<outcomeShift), int64(seq))
	})
	if err != nil {
		return nil, fmt.Errorf("outcomes of record %d: %w", seq, err)
	}
	slices.SortStableFunc(all, func(a, b CursorOutcome) int {
		return cmp.Or(strings.Compare(a.Cursor, b.Cursor), a.At.Compare(b.At))
	})
	return all, nil
}

// cursorNames returns the names of the cursors by their numbers.
func (l *Log) cursorNames() map[int64]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make(map[int64]string, len(l.cursors))
	for name, c := range l.cursors {
		names[c.id] = name
	}
	return names
}

// outcomeRow holds outcomes of records that are close together, as they are stored.
type outcomeRow struct {
	first, last uint64
	body        []byte
}

func (r *outcomeRow) sum(cursor int64) uint32 { return outcomeSum(r.body, r.first, r.last, cursor) }

func outcomeSum(body []byte, first, last uint64, cursor int64) uint32 {
	tail := make([]byte, 0, 24)
	for _, n := range []uint64{first, last, uint64(cursor)} {
		tail = binary.LittleEndian.AppendUint64(tail, n)
	}
	return crc32.Update(crc32.Checksum(body, castagnoli), castagnoli, tail)
}

// packOutcomes makes as few rows of a settlement's outcomes as it can. With four cursors they cost an
// eighth of the processor time of an append; a row for each record would cost three quarters.
func packOutcomes(list []Outcome) (rows []outcomeRow) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Outcome) int { return cmp.Compare(a.Seq, b.Seq) })
	for len(list) > 0 {
		n := 1
		for n < len(list) && n < outcomeSpan && list[n].Seq-list[0].Seq < outcomeSpan {
			n++
		}
		rows = append(rows, outcomeRow{list[0].Seq, list[n-1].Seq, packRow(list[:n])})
		list = list[n:]
	}
	return rows
}

// packRow writes the texts, each pair once, and then of each outcome the distance to the one before
// in number and time, the attempts, and which pair of texts. An ordinary delivery takes six bytes.
func packRow(list []Outcome) []byte {
	type texts struct{ result, detail string }
	var pairs []texts
	known := map[texts]int{}
	which := make([]int, len(list))
	for i, o := range list {
		p := texts{cut(o.Result, maxResult), cut(o.Detail, maxDetail)}
		n, ok := known[p]
		if !ok {
			n = len(pairs)
			known[p] = n
			pairs = append(pairs, p)
		}
		which[i] = n
	}
	b := make([]byte, 0, 16+8*len(list)+64*len(pairs))
	b = append(b, outcomeFormat)
	b = binary.AppendUvarint(b, uint64(len(pairs)))
	for _, p := range pairs {
		for _, s := range []string{p.result, p.detail} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	seq, at := list[0].Seq, int64(0)
	for i, o := range list {
		t := o.At.UnixMicro()
		b = binary.AppendUvarint(b, o.Seq-seq)
		b = binary.AppendVarint(b, t-at)
		b = binary.AppendUvarint(b, uint64(max(o.Attempts, 0)))
		b = binary.AppendUvarint(b, uint64(which[i]))
		seq, at = o.Seq, t
	}
	return b
}

// cut shortens s to n bytes of valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

var errOutcomes = fmt.Errorf("%w: the outcomes can not be decoded", ErrDamaged)

// decodeOutcomes reads a row: first<<outcomeShift + n, last, cursor, crc, body.
func decodeOutcomes(row []driver.Value) (cursor int64, list []Outcome, err error) {
	var n [4]int64
	ok := true
	for i := range n {
		var is bool
		n[i], is = row[i].(int64)
		ok = ok && is
	}
	body, isBlob := row[4].([]byte)
	first, last, cursor := uint64(n[0])>>outcomeShift, uint64(n[1]), n[2]
	if !ok || !isBlob || int64(outcomeSum(body, first, last, cursor)) != n[3] {
		return 0, nil, fmt.Errorf("%w: the checksum does not match", ErrDamaged)
	}
	list, err = unpackRow(first, body)
	return cursor, list, err
}

func unpackRow(first uint64, b []byte) (list []Outcome, err error) {
	if len(b) == 0 || b[0] != outcomeFormat {
		return nil, errOutcomes
	}
	u := unpacker{b: b[1:]}
	pairs := u.uvarint()
	if pairs > uint64(len(u.b)) {
		return nil, errOutcomes
	}
	texts := make([]string, 2*pairs)
	for i := range texts {
		texts[i] = u.text()
	}
	seq, at := first, int64(0)
	for len(u.b) > 0 && u.err == nil {
		seq += u.uvarint()
		at += u.varint()
		attempts := u.uvarint()
		which := u.uvarint()
		if u.err != nil || which >= pairs {
			return nil, errOutcomes
		}
		list = append(list, Outcome{
			Seq: seq, At: time.UnixMicro(at).UTC(), Attempts: int(attempts),
			Result: texts[2*which], Detail: texts[2*which+1],
		})
	}
	return list, u.err
}

// unpacker takes values from the front of b, until it finds one that can not be.
type unpacker struct {
	b   []byte
	err error
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.b)
	u.skip(n)
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.b)
	u.skip(n)
	return v
}

func (u *unpacker) skip(n int) {
	if n <= 0 {
		u.err, u.b = errOutcomes, nil
		return
	}
	u.b = u.b[n:]
}

func (u *unpacker) text() string {
	n := u.uvarint()
	if n > uint64(len(u.b)) {
		u.err, u.b = errOutcomes, nil
		return ""
	}
	s := string(u.b[:n])
	u.b = u.b[n:]
	return s
}
