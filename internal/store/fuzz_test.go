package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzRecord appends a record and reads it back from the disk.
func FuzzRecord(f *testing.F) {
	f.Add("x", []byte("body"), int64(1))
	f.Add("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", []byte{}, int64(-1))
	f.Add("\x00\xff", []byte{0}, int64(0))
	l, err := Open(context.Background(), f.TempDir(), DefaultConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := l.Close(); err != nil {
			f.Error(err)
		}
	})
	times := map[string]int64{} // equal IDs have equal times
	f.Fuzz(func(t *testing.T, id string, body []byte, nanos int64) {
		if id == "" || len(id) > maxID {
			t.Skip("not an ID")
		}
		if first, known := times[id]; known {
			nanos = first
		}
		times[id] = nanos
		want := Record{ID: id, At: time.Unix(0, nanos), Body: body}
		added, err := l.Append(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := l.Append(t.Context(), want); err != nil || n != 0 {
			t.Fatalf("a repeat: %d, %v", n, err)
		}
		got, err := l.Get(t.Context(), id)
		if err != nil || got.ID != id {
			t.Fatalf("got %q, %v", got.ID, err)
		}
		if added == 1 && (!got.At.Equal(fromNanos(nanos)) || !bytes.Equal(got.Body, body)) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestChecksumCoversAll: no column of a record can change unseen, nor the type of one.
func TestChecksumCoversAll(t *testing.T) {
	good := func() []driver.Value {
		e := encode(Record{ID: "text", Body: []byte("body"), At: time.Unix(0, 5)}, time.Unix(0, 6))
		return []driver.Value{int64(3), e.appended, e.at, int64(withSeq(e.sum, 3)), e.id, e.Body}
	}
	if _, err := decode(good()); err != nil {
		t.Fatal(err)
	}
	for i, values := range [][]driver.Value{
		{int64(2), int64(-3), nil, "3"},
		{int64(5), nil, 6.0},
		{int64(4), nil, 5.0},
		{int64(0), nil},
		{"texu", "texttext", "", []byte("text"), nil, int64(0)},
		{[]byte("bodz"), []byte("bodybody"), []byte(nil), "body", nil},
	} {
		for _, v := range values {
			row := good()
			row[i] = v
			if _, err := decode(row); !errors.Is(err, ErrDamaged) {
				t.Errorf("column %d changed to %#v: %v", i, v, err)
			}
		}
	}
	blob := encode(Record{ID: strings.Repeat("0a", 32), Body: []byte("body"), At: time.Unix(0, 5)}, time.Unix(0, 6))
	row := []driver.Value{int64(3), blob.appended, blob.at, int64(withSeq(blob.sum, 3)), string(blob.id.([]byte)), blob.Body}
	if _, err := decode(row); !errors.Is(err, ErrDamaged) {
		t.Errorf("a hash that became a text: %v", err)
	}
}

// FuzzDecode feeds rows as a damaged file could hold them. A row that passes is one that was
// written: it encodes to the same columns.
func FuzzDecode(f *testing.F) {
	r := encode(Record{ID: "x", Body: []byte("body"), At: time.Unix(0, 5)}, time.Unix(0, 6))
	f.Add(int64(1), int64(6), int64(5), int64(withSeq(r.sum, 1)), []byte("x"), []byte("body"), uint8(1))
	f.Add(int64(-1), int64(0), int64(0), int64(-1), make([]byte, 32), []byte(nil), uint8(0))
	f.Fuzz(func(t *testing.T, seq, appended, at, sum int64, id, body []byte, kinds uint8) {
		row := []driver.Value{seq, appended, at, sum, id, body}
		if kinds&1 != 0 {
			row[4] = string(id)
		}
		for i := range row { // a column of another type
			if kinds>>2 == uint8(i)+1 {
				row[i] = nil
			}
		}
		rec, err := decode(row)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error %v", err)
			}
			return
		}
		e := encode(rec, rec.Time)
		if got := withSeq(e.sum, rec.Seq); e.appended != appended || e.at != at || int64(got) != sum {
			t.Fatalf("decoded %+v, which encodes to %d, %d with the checksum %d", rec, e.appended, e.at, got)
		}
	})
}
