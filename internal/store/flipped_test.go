package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFlipped flips bits in the file.
func TestFlipped(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	r := random(t)
	places := []int{0, 16, 18, 19, 20, 21, 28, 31, 40, 44, 47, 52, 56, 59, 60, 63, 68, 71, 100, 101, 103, 105, 110}
	for range either(10, 1250) {
		places = append(places, r.IntN(len(s.db)))
	}
	for range either(6, 500) {
		places = append(places, r.IntN(10*page)) // where all but the records is
	}
	flipAll(t, r, places, func(flips []flip) {
		s.check(t, fmt.Sprint("flipped ", flips), flipped(s.db, flips), nil)
	})
}

// TestFlippedSchema flips a bit of each byte (in a short run, of some) of the page that says which tables
// there are: SQLite takes some of these for other tables, in which no record is found.
func TestFlippedSchema(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	r := random(t)
	const number = "CREATE TABLE records (\n\tseq      INTEGER P"
	flips := []flip{{bytes.Index(s.db, []byte(number)) + len(number), 0}} // no PRIMARY KEY any more
	const root = "tableholesholes"                                        // one byte of its root page follows
	for bit := range 8 {
		flips = append(flips, flip{bytes.Index(s.db, []byte(root)) + len(root), bit})
	}
	step := 1
	if !soak {
		step = 211
	}
	for at := 100 + r.IntN(step); at < page; at += step {
		flips = append(flips, flip{at, r.IntN(8)})
	}
	for _, f := range flips {
		s.check(t, fmt.Sprint("flipped ", f), flipped(s.db, []flip{f}), nil)
	}
}

// TestFlippedName flips each bit (in a short run, some) of what says whose file it is.
func TestFlippedName(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	for at := 68; at < 72; at++ {
		for bit := range 8 {
			if !soak && bit != 7 {
				continue
			}
			s.check(t, fmt.Sprint("flipped in application_id: ", at, bit), flipped(s.db, []flip{{at, bit}}), nil)
		}
	}
}

// TestFlippedIndex flips what an entry of an index, and its row, has behind a key: an entry that leads to no
// row is found by who compares the two.
func TestFlippedIndex(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	const key = "cursoradead109" // of a letter that cursor a keeps
	found := 0
	for at := range s.db[:len(s.db)-len(key)] {
		if bytes.HasPrefix(s.db[at:], []byte(key)) {
			found++
			s.check(t, fmt.Sprint("flipped behind a key at ", at), flipped(s.db, []flip{{at + len(key), 6}}), nil)
		}
	}
	if found < 2 {
		t.Errorf("the key stands in the file %d times: not in the table and its index", found)
	}
}

// TestFlippedCursor flips bits of a cursor's row, which then may not look like one any more: its sink must not
// begin at the newest record for that.
func TestFlippedCursor(t *testing.T) {
	t.Parallel()
	s := newSample(t, true)
	row := []byte("\x06\x0f\x01\x05\x01\x04bx") // the types of its columns, "b", and 120
	at := bytes.Index(s.db, row)
	if at < 0 {
		t.Fatal("the row of cursor b does not look like that")
	}
	for end := at + len(row); at < end; at++ {
		for bit := range 8 {
			if soak || bit == 1 {
				s.check(t, fmt.Sprint("flipped in a cursor: ", at, " ", bit), flipped(s.db, []flip{{at, bit}}), nil)
			}
		}
	}
}

// flip is a bit of a byte.
type flip struct{ at, bit int }

// flipAll calls f with each place alone, and some together.
func flipAll(t *testing.T, r *rand.Rand, places []int, f func([]flip)) {
	t.Helper()
	for i, at := range places {
		flips := []flip{{at, r.IntN(8)}}
		for range i % 4 * (i % 2) * 3 {
			flips = append(flips, flip{places[r.IntN(len(places))], r.IntN(8)})
		}
		f(flips)
	}
}

func flipped(b []byte, flips []flip) []byte {
	b = bytes.Clone(b)
	for _, f := range flips {
		b[f.at] ^= 1 << f.bit
	}
	return b
}

// TestFlippedLog flips bits of the write-ahead log: SQLite leaves out what is behind them.
func TestFlippedLog(t *testing.T) {
	t.Parallel()
	s := newSample(t, false)
	r := random(t)
	places := []int{0, 3, 9, 17, 21, 25, 31, 32, 36, 40, 44, 48, 52}
	for range either(6, 750) {
		places = append(places, r.IntN(len(s.wal)))
	}
	flipAll(t, r, places, func(flips []flip) {
		s.check(t, fmt.Sprint("flipped in the write-ahead log ", flips), s.db, flipped(s.wal, flips))
	})
}

// TestTruncatedWithLog cuts the main file while nearly all is in the write-ahead log.
func TestTruncatedWithLog(t *testing.T) {
	t.Parallel()
	s := newSample(t, false)
	step := 4000
	if soak {
		step = 100
	}
	for n := 0; n < len(s.db); n += step {
		s.check(t, fmt.Sprintf("cut at %d of %d, all in the log", n, len(s.db)), s.db[:n], s.wal)
	}
}
