package store

import (
	"database/sql/driver"
	"encoding/binary"
	"slices"
)

// The kinds of b-tree pages that hold rows.
const (
	tableLeaf     = 0x0d
	indexLeaf     = 0x0a
	indexInterior = 0x02
)

// mostPayload is more than any row of ours takes.
const mostPayload = 80 << 20

// row is a row that was found in a page. The key is that of a table with row numbers.
type row struct {
	table bool // of a table with row numbers; otherwise of an index, or a table that is one
	key   int64
	cols  []driver.Value
}

// scanner decodes the rows of pages. Whatever a page holds, it neither fails nor loops: what is no row
// is left out.
type scanner struct {
	image *image
	view  view
	over  []byte // an overflow page
}

// rows calls f with what the page holds. The first page begins behind the header of the file.
func (s *scanner) rows(n uint32, page []byte, f func(row) error) error {
	start := 0
	if n == 1 {
		start = 100
	}
	kind, header := page[start], 8
	if kind == indexInterior {
		header = 12
	}
	if kind != tableLeaf && kind != indexLeaf && kind != indexInterior {
		return nil
	}
	count := int(binary.BigEndian.Uint16(page[start+3:]))
	for i := range count {
		at := start + header + 2*i
		if at+2 > len(page) {
			break
		}
		cell := int(binary.BigEndian.Uint16(page[at:]))
		if cell <= at || cell >= len(page) {
			continue
		}
		r, ok, err := s.row(kind, page[cell:])
		if err == nil && ok {
			err = f(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// row decodes one cell.
func (s *scanner) row(kind byte, b []byte) (r row, ok bool, err error) {
	r.table = kind == tableLeaf
	if kind == indexInterior {
		if len(b) < 4 {
			return r, false, nil
		}
		b = b[4:]
	}
	size, n := varint(b)
	if b = b[n:]; n == 0 || size == 0 || size > mostPayload {
		return r, false, nil
	}
	if r.table {
		key, n := varint(b)
		if b = b[n:]; n == 0 {
			return r, false, nil
		}
		r.key = int64(key)
	}
	payload, ok, err := s.payload(r.table, int(size), b)
	if err != nil || !ok {
		return r, false, err
	}
	r.cols, ok = columns(payload)
	return r, ok, nil
}

// payload puts together what is in the cell and on overflow pages.
func (s *scanner) payload(table bool, size int, b []byte) (payload []byte, ok bool, err error) {
	const least = (pageSize-12)*32/255 - 23
	most := (pageSize-12)*64/255 - 23
	if table {
		most = pageSize - 35
	}
	local := size
	if size > most {
		if local = least + (size-least)%(pageSize-4); local > most {
			local = least
		}
	}
	if local > len(b) {
		return nil, false, nil
	}
	payload = slices.Clone(b[:local]) // grows with what is there, not with what a damaged cell says
	if local == size {
		return payload, true, nil
	}
	if len(b) < local+4 {
		return nil, false, nil
	}
	next := binary.BigEndian.Uint32(b[local:])
	for len(payload) < size {
		ok, err := s.image.page(s.view, next, s.over)
		if err != nil || !ok {
			return nil, false, err
		}
		payload = append(payload, s.over[4:min(pageSize, 4+size-len(payload))]...)
		next = binary.BigEndian.Uint32(s.over)
	}
	return payload, true, nil
}

// columns decodes a record of SQLite. Numbers come as int64, texts as string, blobs as []byte.
func columns(b []byte) (cols []driver.Value, ok bool) {
	size, n := varint(b)
	if n == 0 || size > uint64(len(b)) || size < uint64(n) {
		return nil, false
	}
	header, body := b[n:size], b[size:]
	for len(header) > 0 {
		kind, n := varint(header)
		if n == 0 || len(cols) > 10 {
			return nil, false
		}
		header = header[n:]
		v, width, ok := value(kind, body)
		if !ok {
			return nil, false
		}
		cols, body = append(cols, v), body[width:]
	}
	return cols, true
}

func value(kind uint64, b []byte) (v driver.Value, width int, ok bool) {
	widths := [...]int{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}
	switch {
	case kind < uint64(len(widths)):
		width = widths[kind] //nolint:gosec // the line before has looked
	case kind >= 12 && kind < mostPayload:
		width = int(kind-12) / 2
	default:
		return nil, 0, false
	}
	if width > len(b) {
		return nil, 0, false
	}
	b = b[:width]
	switch {
	case kind == 0:
		return nil, 0, true
	case kind == 7:
		return nil, 0, false // a floating-point number: no column of ours
	case kind == 8 || kind == 9:
		return int64(kind - 8), 0, true
	case kind >= 12 && kind%2 == 0:
		return b, width, true
	case kind >= 13:
		return string(b), width, true
	}
	n := int64(int8(b[0])) // the sign is in the first byte
	for _, c := range b[1:] {
		n = n<<8 | int64(c)
	}
	return n, width, true
}

// varint decodes one of SQLite's, and returns how many bytes it took, 0 if there is none.
func varint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		if n++; b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == len(b) {
		return 0, 0
	}
	return v<<8 | uint64(b[8]), 9
}
