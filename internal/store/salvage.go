package store

import (
	"database/sql/driver"
	"errors"
	"strconv"
)

// known is what is in memory when the file turns out to be damaged. There is nothing when that is
// found out while it is opened.
type known struct {
	pruned  uint64
	last    uint64
	cursors map[string]*cursor
	recs    []Record // the newest
	lossRow int64
}

// salvaged is what was found in a damaged file.
type salvaged struct {
	rows    int    // of any kind, with a good checksum where they have one
	records int64  // that are kept
	newest  uint64 // number that is known to have existed
	lost    Loss   // records that are gone
	lossRow int64  // its row
	holes   holes
	cursors int  // that were found
	all     bool // of the cursors were found, since the process knew them
}

// salvager moves what can be read of a damaged file into a new one.
type salvager struct {
	db    *conn
	known *known
	salvaged
	version2 bool // checksums of cursors are to be expected
	pruned   int64
	sum      int64

	begin, commit                        *stmt
	record, cursor, state, outcome, hole *stmt
	loss, nextLoss, meta                 *stmt
	delOld, lastSeq, count               *stmt
	pending                              int
}

// salvage fills the new file at to with what can be read of an image.
func salvage(m *image, to string, k *known) (_ salvaged, err error) {
	db, err := connect(to)
	if err != nil {
		return salvaged{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &salvager{db: db, known: k}
	// Nobody needs the new file before it is complete and synced.
	err = db.exec("PRAGMA page_size = " + strconv.Itoa(pageSize) + "; PRAGMA auto_vacuum = INCREMENTAL;" +
		"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;" + schema +
		"PRAGMA application_id = " + strconv.Itoa(applicationID) + ";" +
		"PRAGMA user_version = " + strconv.Itoa(schemaVersion))
	if err == nil {
		err = s.prepare()
	}
	if err == nil {
		err = s.scan(m)
	}
	if err == nil {
		err = s.finish()
	}
	return s.salvaged, err
}

func (s *salvager) prepare() error {
	return s.db.keep(map[**stmt]string{
		&s.begin:  "BEGIN",
		&s.commit: "COMMIT",
		// The first one found stays: what is current is looked at first.
		&s.record: "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ifnull(?, x''))",
		// Repeated rather than lost: of two positions the lower one counts.
		&s.cursor: "INSERT INTO cursors VALUES (?, ?, ?, ?, ?) " +
			"ON CONFLICT DO UPDATE SET pos = excluded.pos, crc = excluded.crc, id = excluded.id WHERE pos > excluded.pos",
		&s.state:    "INSERT OR IGNORE INTO state VALUES (?, ?, ?, ?, ?, ifnull(?, x''))",
		&s.outcome:  "INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?, ?, ?)",
		&s.hole:     "INSERT OR REPLACE INTO holes VALUES (?, ?)",
		&s.loss:     "INSERT OR IGNORE INTO losses VALUES (?, ?, ?, ?, ?)",
		&s.meta:     "UPDATE meta SET value = ? WHERE name = ?",
		&s.delOld:   "DELETE FROM records WHERE seq <= ?",
		&s.lastSeq:  "SELECT max(seq) FROM records",
		&s.count:    "SELECT count(*) FROM records",
		&s.nextLoss: "SELECT ifnull(max(id), 0) + 1 FROM losses",
	})
}

// scan goes through all pages: those that are current, and of those that are not, what stands in
// the write-ahead log behind a damaged part of it.
func (s *salvager) scan(m *image) error {
	if _, err := s.begin.exec(); err != nil {
		return err
	}
	current := &scanner{image: m, view: m.current(), over: make([]byte, pageSize)}
	page := make([]byte, pageSize)
	last := m.pages
	for n := range m.valid {
		last = max(last, n)
	}
	for n := uint32(1); n <= last && n > 0; n++ {
		if _, in := m.valid[n]; !in && n > m.pages {
			continue
		}
		ok, err := m.page(current.view, n, page)
		if err == nil && ok {
			err = current.rows(n, page, s.take)
		}
		if err != nil {
			return err
		}
	}
	late := &scanner{image: m, view: m.late(), over: make([]byte, pageSize)}
	for n := range m.beyond {
		ok, err := m.page(late.view, n, page)
		if err == nil && ok {
			err = late.rows(n, page, s.takeLate)
		}
		if err != nil {
			return err
		}
	}
	_, err := s.commit.exec()
	return err
}

// take keeps a row, if it is one of ours. Tables are told apart by their columns, which no two have in
// common, because the page that says which is which may be damaged.
func (s *salvager) take(r row) error {
	err := s.takeLate(r)
	if err != nil {
		return err
	}
	if r.table {
		switch {
		case is(r.cols, "ttttib"):
			return s.takeState(r.cols)
		case is(r.cols, "ntiii"):
			return s.takeLoss(r)
		case is(r.cols, "ni") && r.cols[1].(int64) >= r.key: //nolint:errcheck,forcetypeassert // is looked
			return s.add(s.hole, r.key, r.cols[1])
		}
		return nil
	}
	switch {
	case is(r.cols, "tiiii"), is(r.cols, "tii"):
		return s.takeCursor(r.cols)
	case is(r.cols, "ti"):
		s.takeMeta(r.cols)
	}
	return nil
}

// takeLate keeps a row of which a later version does no harm.
func (s *salvager) takeLate(r row) error {
	if cols, ok := recordOfRow(r); ok {
		return s.add(s.record, cols...)
	}
	if r.table && is(r.cols, "niiib") {
		r.cols[0] = r.key
		if _, _, err := decodeOutcomes(r.cols); err == nil {
			return s.add(s.outcome, r.key, r.cols[1], r.cols[2], r.cols[3], r.cols[4])
		}
	}
	return nil
}

// is compares the types of columns: n for NULL, i, t, b for a number, a text, a blob.
func is(cols []driver.Value, types string) bool {
	if len(cols) != len(types) {
		return false
	}
	for i, v := range cols {
		var c byte
		switch v.(type) {
		case nil:
			c = 'n'
		case int64:
			c = 'i'
		case string:
			c = 't'
		case []byte:
			c = 'b'
		}
		if c != types[i] {
			return false
		}
	}
	return true
}

// add inserts a row, and commits now and then so that little memory is used.
func (s *salvager) add(to *stmt, values ...any) error {
	s.rows++
	if _, err := to.exec(values...); err != nil {
		return err
	}
	if s.pending++; s.pending < 1000 {
		return nil
	}
	s.pending = 0
	_, err := s.commit.exec()
	if err == nil {
		_, err = s.begin.exec()
	}
	return err
}

func (s *salvager) takeState(cols []driver.Value) error {
	var text [4]string
	for i := range text {
		text[i], _ = cols[i].(string)
	}
	body, _ := cols[5].([]byte)
	sum, _ := cols[4].(int64)
	known := text[0] == ofCursor || text[0] == ofOther
	if !known || int64(stateSum(text[1], Change{text[2], text[3], body})) != sum {
		return nil
	}
	return s.add(s.state, text[0], text[1], text[2], text[3], sum, body)
}

func (s *salvager) takeLoss(r row) error {
	name, _ := r.cols[1].(string)
	records, _ := r.cols[2].(int64)
	first, _ := r.cols[3].(int64)
	last, _ := r.cols[4].(int64)
	if first < 1 || last < first || records < 1 || records > last-first+1 {
		return nil
	}
	return s.add(s.loss, r.key, name, records, first, last)
}

// takeCursor keeps a cursor. Those of schema 1 have no checksum: there is nothing better.
func (s *salvager) takeCursor(cols []driver.Value) error {
	if len(cols) == 3 {
		cols = append(cols, int64(0), int64(0))
		name, c, _ := decodeCursor(cols)
		c.id = int64(s.cursors) + 1
		cols[3], cols[4] = c.id, c.sum(name)
	} else {
		s.version2 = true
	}
	name, c, err := decodeCursor(cols)
	if err != nil || c.pos >= mostSeq {
		return nil //nolint:nilerr // the others are read all the same
	}
	s.cursors++
	s.newest = max(s.newest, c.pos)
	return s.add(s.cursor, name, cols[1], cols[2], cols[3], cols[4])
}

func (s *salvager) takeMeta(cols []driver.Value) {
	value, _ := cols[1].(int64)
	switch cols[0] {
	case metaPruned:
		s.pruned = value
	case metaPrunedSum:
		s.sum, s.version2 = value, true
	default:
		return
	}
	s.rows++
}
