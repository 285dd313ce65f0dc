package store

import (
	"context"
	"fmt"
)

// CompactReport is what Compact has done.
type CompactReport struct {
	Before int64 `json:"before"` // bytes on the disk, as in Stats
	After  int64 `json:"after"`
}

// Compact gives all free room inside the file back to the file system, and empties the write-ahead log.
// It does so in small steps, between which appends go on. It can be interrupted at any time. Records are
// packed as they are appended, so that there is nothing to gain by moving them.
func (l *Log) Compact(ctx context.Context) (CompactReport, error) {
	rep := CompactReport{Before: l.size()}
	for more := true; more; {
		left := false
		err := l.do(ctx, &request{run: func(b *batch) (err error) {
			left, err = l.writer.shrink(b)
			return err
		}})
		if err != nil {
			rep.After = l.size()
			return rep, fmt.Errorf("compact: %w", err)
		}
		more = left
	}
	rep.After = l.size()
	return rep, nil
}

// shrink gives back a step's worth of free pages, and reports whether there are more. After the last
// ones the file itself is cut.
func (w *writer) shrink(b *batch) (more bool, err error) {
	before, err := w.freePages.integer()
	if err != nil {
		return false, err
	}
	if before > 0 {
		if _, err := w.vacuum.exec(); err != nil {
			return false, err
		}
	}
	after, err := w.freePages.integer()
	if err != nil {
		return false, err
	}
	if after > 0 && after < before {
		return true, nil
	}
	b.after(func() {
		// It fails, or does a part, while somebody reads: then the next merge does the rest.
		_, _ = w.truncateWAL.exec()
		_ = w.measure()
	})
	return false, nil
}

// size returns the bytes that the log takes on the disk.
func (l *Log) size() int64 { return fileSize(l.path) + fileSize(l.path+"-wal") }
