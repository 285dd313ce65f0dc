package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

// The owners of state.
const (
	ofCursor = "cursor"
	ofOther  = "owner"
)

// LoadState returns the state that SaveState left for owner, in the order of kind and key.
func (l *Log) LoadState(ctx context.Context, owner string) (state []Change, err error) {
	err = l.reading(ctx, func(r *reader) (err error) {
		state, err = l.stateOf(r.state, nil, ofOther, owner)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the state of %q: %w", owner, err)
	}
	return state, nil
}

// SaveState keeps state that belongs to no cursor: how far a file was read, for instance. It
// returns when the state is on the disk. No owner here is the cursor of the same name.
func (l *Log) SaveState(ctx context.Context, owner string, changes ...Change) error {
	changes = slices.Clone(changes)
	r := &request{size: sizeOf(changes)}
	r.run = func(*batch) error { return l.writer.saveState(ofOther, owner, changes) }
	if err := l.do(ctx, r); err != nil {
		return fmt.Errorf("save the state of %q: %w", owner, err)
	}
	return nil
}

func (w *writer) saveState(scope, owner string, changes []Change) error {
	for _, c := range changes {
		var err error
		if c.Body == nil {
			_, err = w.delState.exec(scope, owner, c.Kind, c.Key)
		} else {
			_, err = w.putState.exec(scope, owner, c.Kind, c.Key, int64(stateSum(owner, c)), c.Body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stateOf reads the state of one owner, without the kinds in but; more are further arguments of read.
// What is damaged is left out and reported.
func (l *Log) stateOf(read *stmt, but []string, scope, owner string, more ...any) (state []Change, err error) {
	err = read.each(func(row []driver.Value) error {
		kind, ok1 := row[0].(string)
		key, ok2 := row[1].(string)
		sum, ok3 := row[2].(int64)
		body, ok4 := row[3].([]byte)
		if slices.Contains(but, kind) {
			return nil
		}
		c := Change{kind, key, notNil(body)}
		if !ok1 || !ok2 || !ok3 || !ok4 || int64(stateSum(owner, c)) != sum {
			l.notify.damage(0, fmt.Errorf("%s: state %.64q of %s %q: %w", l.path, kind+"/"+key, scope, owner, ErrDamaged))
			return nil
		}
		state = append(state, c)
		return nil
	}, append([]any{scope, owner}, more...)...)
	return state, err
}

func sizeOf(changes []Change) int {
	n := recordOverhead
	for _, c := range changes {
		n += len(c.Body) + recordOverhead
	}
	return n
}
