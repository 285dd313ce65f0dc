package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// settle is how long a file that was rotated away must have been quiet before it counts as finished:
// Falco writes on into it until it opens the new one.
const settle = 2 * time.Second

// A walker reads a file and, when that is rotated, those that take its place.
//
// It looks at the path again and again. inotify would save that, but it does not see what happens on
// network file systems and some container mounts, has limits that other programs use up, and can
// lose events, so looking would be needed beside it. An idle look is one stat.
type walker struct {
	path    string
	fromEnd bool // where to begin if nothing is known
	log     zerolog.Logger

	at     place // behind what was acknowledged
	known  bool  // at says something
	cur    *reading
	lines  *lines
	idle   time.Time // when cur, still at path, was last written, if all of it was read
	passed time.Time // since when cur is not the file at path, and quiet
	lost   string    // what can not be found again; until something else is read

	started bool // some file was open before
}

func (w *walker) close() {
	if w.cur != nil {
		w.cur.close()
		w.cur = nil
	}
}

// next returns the next lines, or an empty chunk if there are none for now. An error says why
// nothing can be read; it may pass.
func (w *walker) next() (chunk, error) {
	if w.unchanged() {
		return chunk{}, nil
	}
	if w.cur == nil || w.untold() || w.cur.replaced() {
		w.close()
		if err := w.resume(); err != nil {
			return chunk{}, err
		}
	}
	c, err := w.lines.next()
	if c.size > 0 {
		w.idle, w.passed = time.Time{}, time.Time{}
		return c, nil
	}
	if !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w", w.cur.path, err)
		if !w.cur.packed {
			w.close()
			return chunk{}, err
		}
		w.log.Warn().Err(err).Msg("the rest of a rotated file can not be read: its alerts are lost")
		w.lines.src = strings.NewReader("")
	}
	return w.atEnd()
}

// unchanged reports whether nothing happened since all of the file was read.
func (w *walker) unchanged() bool {
	if w.cur == nil || w.idle.IsZero() {
		return false
	}
	info, err := os.Stat(w.path)
	return err == nil && os.SameFile(info, w.cur.info) && info.Size() == w.cur.pos && info.ModTime().Equal(w.idle)
}

// untold reports whether a file that was empty has changed. Such a file can have been written,
// copied and truncated, and nothing in it would tell.
func (w *walker) untold() bool { return len(w.cur.head) == 0 && !w.idle.IsZero() }

// done moves on behind c, which was handled.
func (w *walker) done(c chunk) {
	w.at = w.cur.place(w.at.Offset + c.size)
	w.lost = ""
}

// atEnd decides what follows when the open file has no whole line left.
func (w *walker) atEnd() (chunk, error) {
	info, err := os.Stat(w.path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return chunk{}, err
	case err == nil && os.SameFile(info, w.cur.info):
		if info.Size() < w.cur.pos { // truncated
			w.close()
			return w.next()
		}
		w.idle = info.ModTime()
		return chunk{}, nil
	case !w.settled():
		return chunk{}, nil
	case err != nil && len(w.later()) == 0:
		return chunk{}, nil // moved away, and no other came yet
	}
	if c := w.lines.rest(); c.size > 0 {
		return c, nil // its newline will not come any more
	}
	if err := w.advance(); err != nil {
		return chunk{}, err
	}
	return w.next()
}

// settled reports whether nobody writes into the open file any more, which is not the one at path.
// The file system's clock may be another than ours, so that our own patience counts as well.
func (w *walker) settled() bool {
	now := time.Now()
	if w.passed.IsZero() {
		w.passed = now
	}
	return w.cur.packed || now.Sub(w.cur.modified()) >= settle || now.Sub(w.passed) >= settle
}

// later returns the rotated files that came after the open one.
func (w *walker) later() []rotated {
	return after(rotations(w.path), w.cur.info, w.cur.modified())
}

// advance goes from a file that is read to its end to the one that came after it.
func (w *walker) advance() error {
	next, err := w.openFirst(w.later())
	if err != nil {
		return err
	}
	w.log.Info().Str("from", w.cur.path).Str("to", next.path).Msg("rotated: going on with the next file")
	return w.enter(next, 0, w.cur.modified())
}

// openFirst opens the first of some rotated files that can be read; without any, the file at path.
func (w *walker) openFirst(files []rotated) (*reading, error) {
	for _, file := range files {
		r, err := openReading(file.path)
		if err == nil {
			if err = r.begin(); err == nil {
				return r, nil
			}
			r.close()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err // renamed just now: look again
		}
		w.log.Warn().Err(err).Str("file", file.path).Msg("a rotated file can not be read: its alerts are lost")
	}
	return openReading(w.path)
}

// enter goes on reading in r at offset. Everything written up to modified was read before, or is
// lost.
func (w *walker) enter(r *reading, offset int64, modified time.Time) error {
	if err := r.beginAt(offset); err != nil {
		r.close()
		return fmt.Errorf("%s: %w", r.path, err)
	}
	w.close()
	w.cur, w.lines = r, &lines{src: r, max: maxAlert}
	w.at, w.known = r.place(r.pos), true
	if !modified.IsZero() {
		w.at.Modified = modified
	}
	w.idle, w.passed, w.started = time.Time{}, time.Time{}, true
	return nil
}

// resume opens the file that at tells of, wherever it is now, or else what should be read instead.
func (w *walker) resume() error {
	if !w.known {
		return w.first()
	}
	last, err := w.find()
	if err != nil {
		return err
	}
	if last != nil {
		err := w.enter(last, w.at.Offset, time.Time{})
		if err == nil || last.path == w.path {
			return err
		}
		w.log.Warn().Err(err).Msg("the file that was read last can not be read any more")
	}
	next, err := w.openFirst(unread(rotations(w.path), w.at))
	if err != nil {
		return err
	}
	if w.loses(next) {
		w.lost = "the file that was read last is gone or was truncated, and with it what had not been read"
		w.log.Warn().Str("file", next.path).Msg(w.lost + "; going on with what is there")
	}
	return w.enter(next, 0, w.at.Modified)
}

// loses reports whether going on with next may mean a loss.
func (w *walker) loses(next *reading) bool {
	switch {
	case w.at.File == "":
		return false
	case fileID(next.info) == w.at.File:
		return w.at.Head > 0 && !w.started // else it was truncated before our eyes
	default:
		return w.at.Head > 0 || next.path == w.path
	}
}

// find opens the file that at tells of: the one at path, or a rotated one. It returns nil if it is
// not there, or if nothing was read of it, since then nobody can tell.
func (w *walker) find() (*reading, error) {
	if w.at.Head == 0 {
		return nil, nil
	}
	cur, err := openReading(w.path)
	if err == nil {
		if cur.info.Size() >= w.at.Offset && cur.is(w.at) {
			return cur, nil
		}
		cur.close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return w.findRotated(), nil
}

// findRotated opens the rotated file that at tells of, or returns nil. Of copies the newest has the
// most.
func (w *walker) findRotated() *reading {
	for _, file := range slices.Backward(rotations(w.path)) {
		r, err := openReading(file.path)
		if err != nil {
			continue
		}
		if r.is(w.at) {
			return r
		}
		r.close()
	}
	return nil
}

// first opens the file when nothing is known of an earlier run. A file that comes later is read from
// its beginning: none of it was there at the start.
func (w *walker) first() error {
	there := rotations(w.path) // before the look at path: what is rotated after that came later
	cur, err := openReading(w.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			w.at, w.known = place{Modified: newest(there)}, true
		}
		return err
	}
	var offset int64
	if w.fromEnd {
		if offset, err = cur.lastLine(); err != nil {
			cur.close()
			return fmt.Errorf("%s: %w", w.path, err)
		}
	}
	return w.enter(cur, offset, time.Time{})
}
