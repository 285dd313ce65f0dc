package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// exportStep is how many records are read at a time.
const exportStep = 256

// ExportOptions says which records Export writes. The zero value stands for all.
type ExportOptions struct {
	From  uint64    // sequence number: this record and those behind it
	Since time.Time // those that the log took at this time or later
}

// Export writes the bodies of records to w, one a line, in order: those that are there when it is called.
// A line break inside a body, which the log allows and JSON does not need, becomes a space. Damaged
// records are left out and reported, as by Read. It returns how many it wrote.
func (l *Log) Export(ctx context.Context, w io.Writer, o ExportOptions) (n int, err error) {
	out := bufio.NewWriter(w)
	newest := l.LastSeq()
	for after := max(o.From, 1) - 1; after < newest; {
		if err := errors.Join(ctx.Err(), l.isOpen()); err != nil {
			return n, err
		}
		s, err := l.readTo(ctx, after, newest)
		if err != nil {
			return n, fmt.Errorf("export: %w", err)
		}
		for _, r := range s.recs {
			if r.Seq > newest || r.Time.Before(o.Since) {
				continue
			}
			_, _ = out.Write(bytes.ReplaceAll(r.Body, []byte{'\n'}, []byte{' '}))
			if err := out.WriteByte('\n'); err != nil { // the writer remembers its first error
				return n, fmt.Errorf("export: %w", err)
			}
			n++
		}
		after = s.last
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("export: %w", err)
	}
	return n, nil
}

// readTo reads from the disk, and unlike Read it does not wait where there is no more.
func (l *Log) readTo(ctx context.Context, after, newest uint64) (span, error) {
	s, err := l.soundly(ctx, after, exportStep)
	if err == nil && len(s.recs) == 0 && !s.more {
		s.last = newest
	}
	return s, err
}
