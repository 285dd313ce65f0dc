package store

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
	place
	seen time.Time
	open bool
}

// place is the part of a cursor that has a checksum: a position that a flipped bit has moved must
// not pass for one.
type place struct {
	pos uint64
	id  int64 // stands for the name in outcomes, and is never given to another
}

func (p place) sum(name string) int64 {
	b := binary.LittleEndian.AppendUint64([]byte(name), p.pos)
	return int64(crc32.Checksum(binary.LittleEndian.AppendUint64(b, uint64(p.id)), castagnoli))
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
	p, known, err := w.place(name)
	if err != nil {
		return 0, err
	}
	if known {
		_, err = w.seenCursor.exec(now.UnixMilli(), name)
	} else {
		if p.pos = b.last; start == StartOldest || w.cursorsLost {
			p.pos = w.log.pruned
		}
		if p.id, err = w.cursorID(); err == nil {
			_, err = w.putCursor.exec(name, int64(p.pos), now.UnixMilli(), p.id, p.sum(name))
		}
	}
	b.after(func() {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		w.log.cursors[name] = &cursor{p, now, true}
	})
	return p.pos, err
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

func (w *writer) place(name string) (p place, known bool, err error) {
	err = w.cursor.each(func(row []driver.Value) error {
		pos, _ := row[0].(int64)
		p.id, _ = row[1].(int64)
		p.pos, known = uint64(pos), true
		return nil
	}, name)
	return p, known, err
}

// loadCursors reads the cursors. One that is damaged starts at the oldest record: what is repeated
// is not lost.
func (w *writer) loadCursors() error {
	w.log.cursors = map[string]*cursor{}
	s, err := w.db.prepare("SELECT name, pos, seen, id, crc FROM cursors")
	if err != nil {
		return err
	}
	var damaged []string
	err = s.each(func(row []driver.Value) error {
		name, c, err := decodeCursor(row)
		if err != nil {
			damaged = append(damaged, name)
		}
		w.log.cursors[name] = &c
		return nil
	})
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	for _, name := range damaged {
		if err := w.resetCursor(name); err != nil {
			return err
		}
	}
	if len(damaged) == 0 {
		return nil
	}
	// What is damaged can be the name.
	return w.transact(func(*batch) error {
		_, err := w.setMeta.exec(int64(1), metaLost)
		return err
	})
}

// decodeCursor reads a row: name, pos, seen, id, crc.
func decodeCursor(row []driver.Value) (name string, c cursor, err error) {
	name, ok := row[0].(string)
	var n [5]int64
	for i := 1; i < len(n); i++ {
		var is bool
		n[i], is = row[i].(int64)
		ok = ok && is
	}
	c = cursor{place: place{uint64(n[1]), n[3]}, seen: time.UnixMilli(n[2])}
	if !ok || c.sum(name) != n[4] {
		err = fmt.Errorf("cursor %q: %w", name, ErrDamaged)
	}
	return name, c, err
}

// cursorID takes the next number of a cursor.
func (w *writer) cursorID() (id int64, err error) {
	err = w.nextCursor.each(func(row []driver.Value) error {
		id, _ = row[0].(int64)
		return nil
	})
	return id, err
}

func (w *writer) resetCursor(name string) error {
	id, err := w.cursorID()
	if err != nil {
		return err
	}
	c := cursor{place: place{w.log.pruned, id}, seen: w.opened}
	w.log.cursors[name] = &c
	w.log.notify.tellDamage(fmt.Errorf("%s: cursor %q: %w: it starts again at the oldest record", w.log.path, name, ErrDamaged))
	_, err = w.resetPlace.exec(int64(c.pos), c.seen.UnixMilli(), c.id, c.sum(name), name)
	return err
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
	found := w.cursorsLost && now.Sub(w.opened) >= graceAtOpen // whoever is there has come
	if len(touch)+len(forget) == 0 && !found {
		return nil
	}
	return w.transact(func(b *batch) error {
		if found {
			if _, err := w.setMeta.exec(int64(0), metaLost); err != nil {
				return err
			}
			b.after(func() { w.cursorsLost = false })
		}
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
