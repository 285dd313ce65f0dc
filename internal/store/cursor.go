package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// forgetAfter is how long a cursor that nobody uses holds records back.
	forgetAfter = 24 * time.Hour
	// graceAtOpen keeps every cursor for a while after a start, whatever its age: the operator of
	// a program that was off for days may need it to see that a sink is missing.
	graceAtOpen = time.Hour
	// touchEvery is how often the cursors in use are marked as such.
	touchEvery = time.Hour
)

// cursor is what is known of one in memory.
type cursor struct {
	pos  uint64
	seen time.Time
	open bool
}

// OpenCursor returns the position of a cursor and the state that was settled with it. A name that
// is not known becomes a new cursor at start, and is on the disk before OpenCursor returns.
//
// State of the kinds in but is left out: CursorState has it, a part at a time.
//
// From now on the cursor is in use: it is kept, and holds records back, until 24 hours after
// CloseCursor or the end of the process.
func (l *Log) OpenCursor(ctx context.Context, name string, start Start, but ...string) (pos uint64, state []Change, err error) {
	if name == "" {
		return 0, nil, errors.New("open cursor: no name")
	}
	var at uint64 // not pos: the writer may still be at it when ctx has ended
	var kept []Change
	r := &request{size: len(name), run: func(b *batch) (err error) {
		if at, err = l.writer.useCursor(b, name, start, time.Now()); err == nil {
			kept, err = l.stateOf(l.writer.readState, but, ofCursor, name)
		}
		return err
	}}
	if err := l.do(ctx, r); err != nil {
		return 0, nil, fmt.Errorf("open cursor %q: %w", name, err)
	}
	return at, kept, nil
}

// useCursor finds or makes a cursor, and marks it as in use.
func (w *writer) useCursor(b *batch, name string, start Start, now time.Time) (pos uint64, err error) {
	pos, known, err := w.position(name)
	if err != nil {
		return 0, err
	}
	if known {
		_, err = w.seenCursor.exec(now.UnixMilli(), name)
	} else {
		if pos = b.last; start == StartOldest {
			pos = w.log.pruned
		}
		_, err = w.putCursor.exec(name, int64(pos), now.UnixMilli())
	}
	b.after(func() {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		w.log.cursors[name] = &cursor{pos, now, true}
	})
	return pos, err
}

// CloseCursor says that nobody uses the cursor any more. It is forgotten after 24 hours.
func (l *Log) CloseCursor(ctx context.Context, name string) error {
	w, now := l.writer, time.Now()
	r := &request{size: len(name), lazy: true}
	r.run = func(b *batch) error {
		n, err := w.seenCursor.exec(now.UnixMilli(), name)
		if err != nil {
			return err
		}
		if n == 0 {
			r.err = ErrNoCursor
			return nil
		}
		b.after(func() {
			l.changeCursor(name, func(c *cursor) { c.seen, c.open = now, false })
		})
		return err
	}
	if err := l.do(ctx, r); err != nil {
		return fmt.Errorf("close cursor %q: %w", name, err)
	}
	return nil
}

// Settle moves the cursor to upTo and applies changes to its state, in one transaction, and returns
// when that is on the disk. It may wait 20 ms for others to share the sync with. A cursor that is
// ahead of upTo stays where it is. After ErrNoCursor nothing has changed.
func (l *Log) Settle(ctx context.Context, name string, upTo uint64, changes ...Change) error {
	w, now := l.writer, time.Now()
	changes = slices.Clone(changes)
	r := &request{size: sizeOf(changes), lazy: true}
	r.run = func(b *batch) error {
		if upTo > b.last {
			r.err = fmt.Errorf("record %d does not exist yet", upTo)
			return nil
		}
		n, err := w.moveCursor.exec(int64(upTo), now.UnixMilli(), name)
		if err != nil {
			return err
		}
		if n == 0 {
			r.err = ErrNoCursor
			return nil
		}
		b.after(func() {
			l.changeCursor(name, func(c *cursor) { c.pos, c.seen = max(c.pos, upTo), now })
		})
		return w.saveState(ofCursor, name, changes)
	}
	if err := l.do(ctx, r); err != nil {
		return fmt.Errorf("settle %q: %w", name, err)
	}
	return nil
}

// Forget removes a cursor and its state at once, unlike time, which takes a day.
func (l *Log) Forget(ctx context.Context, name string) error {
	w := l.writer
	r := &request{size: len(name)}
	r.run = func(b *batch) error {
		known, err := w.forget(b, name)
		if !known {
			r.err = ErrNoCursor
		}
		return err
	}
	if err := l.do(ctx, r); err != nil {
		return fmt.Errorf("forget %q: %w", name, err)
	}
	return nil
}

func (w *writer) forget(b *batch, name string) (known bool, err error) {
	n, err := w.delCursor.exec(name)
	if err != nil || n == 0 {
		return false, err
	}
	b.after(func() {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		delete(w.log.cursors, name)
	})
	_, err = w.dropState.exec(ofCursor, name)
	return true, err
}

// changeCursor applies f to what is in memory.
func (l *Log) changeCursor(name string, f func(*cursor)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.cursors[name]; c != nil {
		f(c)
	}
}

func (w *writer) position(name string) (pos uint64, known bool, err error) {
	err = w.cursor.each(func(row []driver.Value) error {
		n, _ := row[0].(int64)
		pos, known = uint64(n), true
		return nil
	}, name)
	return pos, known, err
}

func (w *writer) loadCursors() error {
	w.log.cursors = map[string]*cursor{}
	s, err := w.db.prepare("SELECT name, pos, seen FROM cursors")
	if err != nil {
		return err
	}
	err = s.each(func(row []driver.Value) error {
		name, _ := row[0].(string)
		pos, _ := row[1].(int64)
		seen, _ := row[2].(int64)
		w.log.cursors[name] = &cursor{pos: uint64(pos), seen: time.UnixMilli(seen)}
		return nil
	})
	return errors.Join(err, s.Close())
}

// tidyCursors marks the open cursors as used, and forgets those that nobody has used for a day.
func (w *writer) tidyCursors(now time.Time) error {
	var touch, forget []string
	for name, c := range w.log.cursors {
		switch unused := now.Sub(c.seen); {
		case c.open && unused >= touchEvery:
			touch = append(touch, name)
		case !c.open && unused >= forgetAfter && now.Sub(w.opened) >= graceAtOpen:
			forget = append(forget, name)
		}
	}
	if len(touch)+len(forget) == 0 {
		return nil
	}
	return w.transact(func(b *batch) error {
		for _, name := range forget {
			pos := w.log.cursors[name].pos
			if _, err := w.forget(b, name); err != nil {
				return err
			}
			b.after(func() { w.log.notify.forgotten(name, pos) })
		}
		return w.touchCursors(b, touch, now)
	})
}

func (w *writer) touchCursors(b *batch, names []string, now time.Time) error {
	for _, name := range names {
		if _, err := w.seenCursor.exec(now.UnixMilli(), name); err != nil {
			return err
		}
		b.after(func() { w.log.changeCursor(name, func(c *cursor) { c.seen = now }) })
	}
	return nil
}

// leave marks the open cursors as used until now.
func (w *writer) leave() error {
	var open []string
	for name, c := range w.log.cursors {
		if c.open {
			open = append(open, name)
		}
	}
	return w.transact(func(b *batch) error { return w.touchCursors(b, open, time.Now()) })
}
