package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// EachState calls f with what a cursor keeps of one kind, in the order of the keys, without holding
// all of it in memory. It ends early when f fails. A cursor that is not known keeps nothing.
func (l *Log) EachState(ctx context.Context, cursor, kind string, f func(Change) error) error {
	return l.reading(ctx, func(r *reader) error {
		var stop error
		err := r.state.each(func(row []driver.Value) error {
			if k, ok := row[0].(string); !ok || k != kind {
				return nil
			}
			c, ok := l.stateIn(row, ofCursor, cursor)
			if !ok {
				return nil
			}
			stop = f(c)
			return stop
		}, ofCursor, cursor)
		switch {
		case stop != nil:
			return stop
		case err != nil:
			return fmt.Errorf("read the state of cursor %q: %w", cursor, err)
		}
		return nil
	})
}

// stateIn returns the state in a row of selectState; damage is reported.
func (l *Log) stateIn(row []driver.Value, scope, owner string) (Change, bool) {
	kind, ok1 := row[0].(string)
	key, ok2 := row[1].(string)
	sum, ok3 := row[2].(int64)
	body, ok4 := row[3].([]byte)
	c := Change{kind, key, notNil(body)}
	if !ok1 || !ok2 || !ok3 || !ok4 || int64(stateSum(owner, c)) != sum {
		l.notify.damage(0, fmt.Errorf("%s: state %.64q of %s %q: %w", l.path, kind+"/"+key, scope, owner, ErrDamaged))
		return Change{}, false
	}
	return c, true
}
