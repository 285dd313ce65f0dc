package store

import (
	"context"
	"errors"
)

// readers lends two connections, so that one slow read does not hold up all others.
type readers struct {
	path string
	all  []*reader
	idle chan *reader
}

func openReaders(path string) (readers, error) {
	rs := readers{path: path, idle: make(chan *reader, 2)}
	for range cap(rs.idle) {
		r := new(reader)
		if err := r.open(path); err != nil {
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
		if err := r.open(rs.path); err != nil { // suspended, and not to be had since
			rs.put(r)
			return nil, err
		}
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (rs *readers) put(r *reader) { rs.idle <- r }

// suspend closes the connections, once nobody uses them any more. Whoever comes waits for resume.
func (rs *readers) suspend() {
	for range rs.all {
		r := <-rs.idle
		_ = r.close() // what it says of a damaged file is known
	}
}

// resume lends them again: each connects when it is used.
func (rs *readers) resume() {
	for _, r := range rs.all {
		rs.idle <- r
	}
}

// close waits for the reads that are under way. Whoever comes later finds the log closed.
func (rs *readers) close() error {
	var errs []error
	for range rs.all {
		r := <-rs.idle
		errs = append(errs, r.close())
	}
	if rs.idle != nil {
		close(rs.idle)
	}
	return errors.Join(errs...)
}
