package source

import (
	"bytes"
	"io"
)

const (
	// maxLines is how many lines are handed over at a time; together they are never longer than
	// one line may be.
	maxLines = 256

	// lineBuffer is what the buffer begins with, and goes back to when the end is reached.
	lineBuffer = 64 << 10 // bytes
)

// lines cuts what it reads into lines. Reading may meet the end, and go on when there is more.
type lines struct {
	src  io.Reader
	max  int    // length of the longest line that is given out
	buf  []byte // what was read and not given out
	seen int    // so many bytes of buf hold no newline

	given   int   // so many bytes of buf were given out by the last call
	short   bool  // buf had no room for all that could be given out
	long    bool  // the line that buf begins within is too long
	dropped int64 // so much of that line was read and forgotten
}

// A chunk is some lines of a file.
type chunk struct {
	lines   [][]byte // without their newlines, good until more is read
	tooLong int      // lines that were left out
	size    int64    // what all of them take in the file
}

// next returns the lines that are there. It returns an empty chunk only with an error: io.EOF if
// no whole line is left for now.
func (l *lines) next() (chunk, error) {
	l.forget()
	var c chunk
	for len(c.lines) < maxLines {
		if n := bytes.IndexByte(l.buf[l.seen:], '\n'); n >= 0 {
			l.cut(&c, l.seen+n+1)
			continue
		}
		l.seen = len(l.buf)
		if !l.makeRoom(c.size > 0) {
			break
		}
		n, err := l.src.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if n > 0 || err == nil {
			continue
		}
		if c.size == 0 {
			if len(l.buf) < lineBuffer && lineBuffer < cap(l.buf) {
				l.resize(lineBuffer)
			}
			return c, err
		}
		break // the same error comes again, if it matters
	}
	return c, nil
}

// rest returns what follows the last newline as a line, at the end of a file that will not grow.
func (l *lines) rest() chunk {
	l.forget()
	var c chunk
	if len(l.buf) > 0 || l.long {
		l.cut(&c, len(l.buf))
	}
	return c
}

// cut gives out the line that ends before buf[end], unless it is too long.
func (l *lines) cut(c *chunk, end int) {
	line := l.buf[l.given:end]
	c.size += l.dropped + int64(len(line))
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if l.long || len(line) > l.max {
		c.tooLong++
	} else {
		c.lines = append(c.lines, line)
	}
	l.given, l.seen = end, end
	l.long, l.dropped = false, 0
}

// forget drops what the last call gave out.
func (l *lines) forget() {
	if l.given > 0 {
		l.buf = l.buf[:copy(l.buf, l.buf[l.given:])]
		l.seen -= l.given
		l.given = 0
	}
	if l.short {
		l.resize(2 * cap(l.buf))
		l.short = false
	}
}

// makeRoom makes sure that more can be read, and reports whether it could. Lines that were given
// out by this call stay where they are; then more has to wait for the next.
func (l *lines) makeRoom(given bool) bool {
	if len(l.buf) < cap(l.buf) {
		return true
	}
	if given {
		l.short = true
		return false
	}
	if l.long || len(l.buf) > l.max {
		l.long = true
		l.dropped += int64(len(l.buf))
		l.buf, l.seen = l.buf[:0], 0
		return true
	}
	l.resize(2 * cap(l.buf))
	return true
}

// resize gives the buffer room for n bytes, and at most for the longest line and its newline.
func (l *lines) resize(n int) {
	n = max(lineBuffer, min(n, l.max+1))
	l.buf = append(make([]byte, 0, n), l.buf...)
}
