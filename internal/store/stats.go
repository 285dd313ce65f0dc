package store

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Stats is what the log holds at a moment.
type Stats struct {
	Records   uint64 // as the sequence numbers tell
	Bytes     int64  // on the disk: the file and its write-ahead log
	FreeBytes int64  // the part of Bytes that is free pages inside the file
	Oldest    uint64 // sequence number; 0 if there is no record, as Newest
	Newest    uint64
	Damaged   int // records that could not be read since Open
	Cursors   []CursorStats
}

// CursorStats is what is known of one cursor.
type CursorStats struct {
	Name   string
	Pos    uint64    // everything up to it is settled
	Behind uint64    // how many records are not
	Open   bool      // it is in use
	Seen   time.Time // when it last was
}

// Stats asks neither the database nor the disk for more than the size of two files.
func (l *Log) Stats(ctx context.Context) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Bytes:     fileSize(l.path) + fileSize(l.path+"-wal"),
		FreeBytes: l.free,
		Damaged:   l.notify.damages(),
	}
	if newest := l.LastSeq(); newest > l.pruned {
		s.Records, s.Oldest, s.Newest = newest-l.pruned, l.pruned+1, newest
	}
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
