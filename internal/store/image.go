package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	walHeader   = 32
	frameHeader = 24
	frameSize   = frameHeader + pageSize
)

// image is a database as it lies on the disk, read page by page without SQLite, which gives up on a
// file where a page that it needs is damaged. A page of the write-ahead log stands before the same one
// of the file.
type image struct {
	db, wal *os.File
	pages   uint32           // of the file, the last one perhaps in part
	valid   map[uint32]int64 // page -> place in the log, of what SQLite would take from there
	// beyond is what comes behind a frame that is damaged, and what SQLite therefore leaves out.
	beyond map[uint32]int64
	// broken: a transaction beyond was committed, since another one follows it: none is begun before the
	// one before is on the disk. Without that, what is there is what a power cut left of the newest
	// transaction, of which the disk may have the end and not the beginning; or what is left of one whose
	// sync failed, behind a shorter one. Nobody was told of these.
	broken bool
}

// openImage opens the database at path with the write-ahead log at wal. Either may be missing.
func openImage(path, wal string) (*image, error) {
	m := &image{valid: map[uint32]int64{}, beyond: map[uint32]int64{}}
	var err error
	if m.db, err = openIfThere(path); err != nil {
		return nil, err
	}
	if m.wal, err = openIfThere(wal); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if m.db != nil {
		m.pages = uint32((fileSize(path) + pageSize - 1) / pageSize)
	}
	if m.wal != nil {
		if err := m.readWAL(fileSize(wal)); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

func openIfThere(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close closes both files.
func (m *image) Close() error {
	var errs []error
	for _, f := range []*os.File{m.db, m.wal} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// view is one way to put the pages together: what maps hold them, the first one first, before the
// file.
type view []map[uint32]int64

func (m *image) current() view { return view{m.valid} }
func (m *image) late() view    { return view{m.beyond, m.valid} }

// page reads a page into b; ok is false if there is none. An error means that the disk did not
// answer: then nothing may be concluded from what was read.
func (m *image) page(v view, n uint32, b []byte) (ok bool, err error) {
	for _, frames := range v {
		if at, found := frames[n]; found {
			return readPage(m.wal, at, b)
		}
	}
	if n == 0 || n > m.pages {
		return false, nil
	}
	return readPage(m.db, int64(n-1)*pageSize, b)
}

// readPage reads a page, and fills with zeros what lies behind the end of the file.
func readPage(f *os.File, at int64, b []byte) (ok bool, err error) {
	n, err := f.ReadAt(b[:pageSize], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("the disk does not answer at byte %d: %w", at, err)
	}
	clear(b[n:pageSize])
	return n > 0, nil
}

// readWAL finds out which pages are in the write-ahead log: as SQLite does, up to the last commit
// before the first frame with a wrong checksum; and then the others of the same generation.
func (m *image) readWAL(size int64) error {
	b := make([]byte, frameSize)
	if size < walHeader+frameSize {
		return nil
	}
	if _, err := m.wal.ReadAt(b[:walHeader], 0); err != nil {
		return fmt.Errorf("the disk does not answer: %w", err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if b[3]&1 == 1 {
		order = binary.BigEndian
	}
	sum := walSum{order: order}
	sum.add(b[:24])
	good := sum.is(b[24:32])
	salts := string(b[16:24])
	if !good {
		var err error
		if salts, err = newestSalts(m.wal, size); err != nil {
			return err
		}
	}
	headless := !good          // a header is synced before anything comes behind it: no power cut leaves this
	var ends []walSum          // what a transaction behind one that is beyond would go on from
	open := map[uint32]int64{} // of the transaction that is being read
	ours := true               // the frame before is of this generation
	for at := int64(walHeader); at+frameSize <= size; at += frameSize {
		if ok, err := readFrame(m.wal, at, b); err != nil || !ok {
			return err
		}
		for _, end := range ends {
			m.broken = m.broken || end.goesOn(b)
		}
		ends = nil
		page, commit := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]) > 0
		said := walSum{order, binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])}
		// Behind the newest generation lie older ones, whose frames go on from each other too.
		goesOn, salted := sum.goesOn(b), string(b[8:16]) == salts
		ours = page > 0 && (salted || ours && goesOn)
		switch good = good && goesOn && salted && ours; {
		case good:
			open[page] = at + frameHeader
			if commit {
				for n, at := range open {
					m.valid[n] = at
				}
				clear(open)
			}
		case ours:
			m.beyond[page] = at + frameHeader
			if commit {
				ends = []walSum{said, sum} // where it is damaged itself, one of them is right
				m.broken = m.broken || headless
			}
		}
		sum = said
	}
	for n, at := range open { // no commit came before the damage
		if _, later := m.beyond[n]; !later {
			m.beyond[n] = at
		}
	}
	return nil
}

// newestSalts returns the salts of the newest frames, where the header that should say them is
// damaged. SQLite counts the first one up whenever it begins the log again from the front.
func newestSalts(f *os.File, size int64) (newest string, err error) {
	seen := map[string]bool{}
	b := make([]byte, frameHeader)
	for at := int64(walHeader); at+frameSize <= size; at += frameSize {
		if ok, err := readFrame(f, at, b); err != nil || !ok {
			return newest, err
		}
		salts := string(b[8:16])
		if once := size < walHeader+2*frameSize; (seen[salts] || once) && salts > newest {
			newest = salts
		}
		seen[salts] = true // damaged ones come once
	}
	return newest, nil
}

func readFrame(f *os.File, at int64, b []byte) (ok bool, err error) {
	_, err = f.ReadAt(b, at)
	switch {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the disk does not answer at byte %d: %w", at, err)
	}
	return true, nil
}

// walSum is the running checksum of the write-ahead log.
type walSum struct {
	order  binary.ByteOrder
	s1, s2 uint32
}

func (s *walSum) add(b []byte) {
	for i := 0; i+8 <= len(b); i += 8 {
		s.s1 += s.order.Uint32(b[i:]) + s.s2
		s.s2 += s.order.Uint32(b[i+4:]) + s.s1
	}
}

// goesOn adds a frame, and reports whether it says the same.
func (s *walSum) goesOn(frame []byte) bool {
	s.add(frame[:8])
	s.add(frame[frameHeader:])
	return s.is(frame[16:24])
}

func (s *walSum) is(b []byte) bool {
	return s.s1 == binary.BigEndian.Uint32(b) && s.s2 == binary.BigEndian.Uint32(b[4:])
}
