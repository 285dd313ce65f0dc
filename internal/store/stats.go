package store

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Stats is what the log holds at a moment.
type Stats struct {
	Records   uint64        `json:"records"`    // as the sequence numbers tell
	Bytes     int64         `json:"bytes"`      // on the disk: the file and its write-ahead log
	FreeBytes int64         `json:"free_bytes"` // the part of Bytes that is free pages inside the file
	Oldest    uint64        `json:"oldest"`     // sequence number; 0 if there is no record, as Newest
	Newest    uint64        `json:"newest"`
	Damaged   int           `json:"damaged"` // records that could not be read since Open; other damage counts as one
	Cursors   []CursorStats `json:"cursors"`
}

// CursorStats is what is known of one cursor.
type CursorStats struct {
	Name   string    `json:"name"`
	Pos    uint64    `json:"pos"`    // everything up to it is settled
	Behind uint64    `json:"behind"` // how many records are not
	Open   bool      `json:"open"`   // it is in use
	Seen   time.Time `json:"seen"`   // when it last was
}

// Stats asks neither the database nor the disk for more than the size of two files.
func (l *Log) Stats(ctx context.Context) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Bytes:     l.size(),
		FreeBytes: l.free,
		Damaged:   l.notify.damages(),
	}
	if newest := l.LastSeq(); newest > l.pruned {
		s.Records, s.Oldest, s.Newest = newest-l.pruned, l.pruned+1, newest
	}
	s.Cursors = make([]CursorStats, 0, len(l.cursors)) // a list in JSON, even if it is empty
	for _, name := range slices.Sorted(maps.Keys(l.cursors)) {
		c := l.cursors[name]
		behind := max(l.LastSeq(), c.pos) - max(c.pos, l.pruned)
		s.Cursors = append(s.Cursors, CursorStats{name, c.pos, behind, c.open, c.seen})
	}
	return s, nil
}

func (l *Log) prunedTo() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pruned
}
