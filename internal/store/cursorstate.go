package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// CursorState returns state of one kind that was settled with a cursor, in the order of the keys,
// from the key from on and at most limit of it. It is for what there can be much of: OpenCursor has
// all of it in memory at once.
func (l *Log) CursorState(ctx context.Context, name, kind, from string, limit int) (state []Change, err error) {
	err = l.reading(ctx, func(r *reader) (err error) {
		state, err = l.stateOf(r.someState, nil, ofCursor, name, kind, from, int64(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of %q: %w", name, err)
	}
	return state, nil
}

// CountCursorState returns how much state of one kind was settled with a cursor.
func (l *Log) CountCursorState(ctx context.Context, name, kind string) (count int, err error) {
	err = l.reading(ctx, func(r *reader) error {
		return r.countState.each(func(row []driver.Value) error {
			n, _ := row[0].(int64)
			count = int(n)
			return nil
		}, ofCursor, name, kind)
	})
	if err != nil {
		return 0, fmt.Errorf("count the state of %q: %w", name, err)
	}
	return count, nil
}
