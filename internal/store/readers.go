package store

import (
	"context"
	"errors"
)

// readers lends two connections, so that one slow read does not hold up all others.
type readers struct {
	all  []*reader
	idle chan *reader
}

func openReaders(path string) (readers, error) {
	rs := readers{idle: make(chan *reader, 2)}
	for range cap(rs.idle) {
		r, err := openReader(path)
		if err != nil {
			return rs, err
		}
		rs.all = append(rs.all, r)
		rs.idle <- r
	}
	return rs, nil
}

func (rs *readers) get(ctx context.Context) (*reader, error) {
	select {
	case r, ok := <-rs.idle:
		if !ok {
			return nil, ErrClosed
		}
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (rs *readers) put(r *reader) { rs.idle <- r }

// close waits for the reads that are under way. Whoever comes later finds the log closed.
func (rs *readers) close() error {
	var errs []error
	for range rs.all {
		r := <-rs.idle
		errs = append(errs, r.db.Close())
	}
	if rs.idle != nil {
		close(rs.idle)
	}
	return errors.Join(errs...)
}
