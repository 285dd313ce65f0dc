package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Names in meta.
const (
	metaPruned    = "pruned"
	metaPrunedSum = "pruned_crc"
	metaCursors   = "cursors"
	metaLost      = "cursors_lost"
)

// prunedSum is the checksum of the number up to which records are gone, and 0 for 0.
func prunedSum(n int64) int64 {
	sum := func(n int64) uint32 {
		return crc32.Checksum(binary.LittleEndian.AppendUint64(nil, uint64(n)), castagnoli)
	}
	return int64(sum(n) ^ sum(0))
}

func (s *salvaged) String() string {
	text := fmt.Sprintf("%d records and %d cursors could be read", s.records, s.cursors)
	if s.lost.Records > 0 {
		text += fmt.Sprintf(", %d records between %d and %d could not", s.lost.Records, s.lost.First, s.lost.Last)
	}
	if s.cursorsLost() {
		text += "; a cursor that is missing starts at the oldest record"
	}
	return text
}

// cursorsLost reports whether there may have been more cursors than were found. A row that is damaged need not
// look like a cursor any more, so that only a process that knew all of them can tell.
func (s *salvaged) cursorsLost() bool { return !s.all }

// finish makes a log of the rows that were found.
func (s *salvager) finish() error {
	if _, err := s.begin.exec(); err != nil {
		return err
	}
	for _, step := range []func() error{s.fromMemory, s.findPruned, s.findNewest, s.fillHoles, s.putMeta} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err := s.commit.exec()
	return err
}

// fromMemory adds what the process knows.
func (s *salvager) fromMemory() error {
	for _, r := range s.known.recs {
		e := entry{Record: r, id: encodeID(r.ID), appended: nanos(r.Time), at: nanos(r.At)}
		sum := withSeq(checksum(r.Body, e.id, e.appended, e.at), r.Seq)
		if _, err := s.record.exec(int64(r.Seq), e.appended, e.at, int64(sum), e.id, r.Body); err != nil {
			return err
		}
	}
	if s.known.cursors == nil {
		return nil
	}
	if err := s.db.exec("DELETE FROM cursors"); err != nil {
		return err
	}
	s.cursors, s.all = len(s.known.cursors), true
	for name, c := range s.known.cursors {
		s.newest = max(s.newest, c.pos)
		if _, err := s.cursor.exec(name, int64(c.pos), c.seen.UnixMilli(), c.id, c.sum(name)); err != nil {
			return err
		}
	}
	return nil
}

// findPruned settles up to where records are gone. Pages that are no longer in use can hold older
// ones, which would come back.
func (s *salvager) findPruned() error {
	newest, err := s.lastSeq.integer()
	if err != nil {
		return err
	}
	s.newest = max(s.newest, uint64(newest), s.known.last)
	switch {
	case s.known.cursors != nil:
		s.pruned = int64(s.known.pruned)
	case s.version2 && s.sum != prunedSum(s.pruned), s.pruned < 0, uint64(s.pruned) > s.newest:
		oldest, err := s.db.integer("SELECT ifnull(min(seq) - 1, 0) FROM records")
		if err != nil {
			return err
		}
		s.pruned = oldest
	}
	_, err = s.delOld.exec(s.pruned)
	return err
}

func (s *salvager) findNewest() (err error) {
	s.newest = max(s.newest, uint64(s.pruned))
	s.records, err = s.count.integer()
	return err
}

// fillHoles notes which numbers are missing, so that readers pass over them, and counts those that
// were not missing before.
func (s *salvager) fillHoles() error {
	before, err := loadHoles(s.db)
	if err != nil {
		return err
	}
	gaps, err := findGaps(s.db, uint64(s.pruned), s.newest)
	if err != nil {
		return err
	}
	s.holes = gaps
	if err := s.db.exec("DELETE FROM holes"); err != nil {
		return err
	}
	for _, g := range gaps {
		if _, err := s.hole.exec(int64(g.first), int64(g.last)); err != nil {
			return err
		}
		if n := g.size() - before.within(g); n > 0 {
			if s.lost.Records == 0 {
				s.lost.First = g.first
			}
			s.lost.Records += n
			s.lost.Last = g.last
		}
	}
	if s.lost.Records == 0 {
		return nil
	}
	id, err := s.nextLoss.integer()
	if err != nil {
		return err
	}
	s.lossRow = max(id, s.known.lossRow+1)
	_, err = s.loss.exec(s.lossRow, "", int64(s.lost.Records), int64(s.lost.First), int64(s.lost.Last))
	return err
}

func (s *salvager) putMeta() error {
	lastCursor, err := s.db.integer("SELECT ifnull(max(id), 0) FROM cursors")
	if err != nil {
		return err
	}
	lost := int64(0)
	if s.cursorsLost() {
		lost = 1
	}
	for name, value := range map[string]int64{
		metaPruned: s.pruned, metaPrunedSum: prunedSum(s.pruned), metaCursors: lastCursor, metaLost: lost,
	} {
		if _, err := s.meta.exec(value, name); err != nil {
			return err
		}
	}
	return nil
}
