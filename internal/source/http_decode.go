package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

const (
	// maxElements is how many alerts one body may hold. A body of 1 MiB has room for fewer than
	// that of what Falco sends; it is there for bodies of half a million commas.
	maxElements = 8192

	// maxReasons is how many rejections of one body are told apart.
	maxReasons = 100

	// scans is how often the length of a body may be looked through for the ends of its elements.
	// Once is enough if all are intact, and once more for each that lost its end.
	scans = 32

	space = " \t\r\n"
)

var (
	errEmpty    = errors.New("empty body")
	errNoEnd    = errors.New("the array does not end")
	errTooMany  = fmt.Errorf("more than %d alerts in one request: the rest was not read", maxElements)
	errLikeThat = errors.New("no alert; only the first reasons are given")
)

// A batch is what a body held.
type batch struct {
	events   []event.Event
	rejected []rejection

	stamp func() time.Time
	size  int  // elements so far
	full  bool // no more are taken
	scan  int  // bytes that may still be looked through for the end of an element
}

// decodeBody takes the alerts out of a body: one JSON object, which may span lines, or arrays and
// single objects on lines of their own. What is broken costs no more than itself, as far as that
// can be told.
func decodeBody(data []byte, stamp func() time.Time) *batch {
	b := &batch{stamp: stamp, scan: scans * len(data)}
	data = bytes.Trim(data, space)
	if len(data) == 0 {
		b.reject(errEmpty)
		return b
	}
	if data[0] == '{' && b.single(data) {
		return b
	}
	for len(data) > 0 && !b.full {
		if data[0] == '[' {
			data = b.array(data[1:])
		} else {
			var line []byte
			line, data, _ = bytes.Cut(data, []byte{'\n'})
			b.add(line)
		}
		data = bytes.TrimLeft(data, space)
	}
	return b
}

// single takes data as one alert and reports whether it is one JSON document, if not a good one.
func (b *batch) single(data []byte) bool {
	e, err := event.Parse(data, b.stamp())
	switch {
	case err == nil:
		b.accept(e)
	case bytes.IndexByte(data, '\n') < 0 || json.Valid(data):
		b.reject(err)
	default:
		return false
	}
	return true
}

// add takes data as one alert.
func (b *batch) add(data []byte) {
	e, err := event.Parse(data, b.stamp())
	if err != nil {
		b.reject(err)
		return
	}
	b.accept(e)
}

func (b *batch) accept(e event.Event) {
	if b.room() {
		b.events = append(b.events, e)
	}
}

func (b *batch) reject(err error) {
	if !b.room() {
		return
	}
	if len(b.rejected) >= maxReasons {
		err = errLikeThat
	}
	b.rejected = append(b.rejected, rejection{b.size - 1, err.Error()})
}

// room counts an element and reports whether it may be taken; the first that may not is a
// rejection of its own.
func (b *batch) room() bool {
	if b.full {
		return false
	}
	b.size++
	if b.size > maxElements {
		b.full = true
		b.rejected = append(b.rejected, rejection{b.size - 1, errTooMany.Error()})
	}
	return !b.full
}

// array takes the elements of an array that begins before data, and returns what comes after it.
func (b *batch) array(data []byte) (rest []byte) {
	for !b.full {
		data = bytes.TrimLeft(data, space+",")
		if len(data) == 0 {
			b.reject(errNoEnd)
			break
		}
		if data[0] == ']' {
			return data[1:]
		}
		n, ok := b.element(data)
		if data = data[n:]; len(data) == 0 && !ok {
			break // one rejection is enough for a last element without an end
		}
	}
	return nil
}

// element takes the element that data begins with, and returns its length and whether it is an
// alert.
func (b *batch) element(data []byte) (n int, ok bool) {
	n = b.end(data)
	e, err := event.Parse(data[:n], b.stamp())
	if err == nil {
		b.accept(e)
		return n, true
	}
	if !json.Valid(data[:n]) {
		// A missing quote or bracket makes the rest of the array look like a part of this element.
		n = b.nextAlert(data[:n])
	}
	b.reject(err)
	return n, false
}

// nextAlert returns where in data, behind its first byte, an intact alert begins; if nowhere, the
// length of data. Strings need no attention: inside of one the quotes of an alert are escaped.
func (b *batch) nextAlert(data []byte) int {
	for i := 1; i < len(data); i++ {
		n := bytes.IndexByte(data[i:], '{')
		if n < 0 {
			break
		}
		i += n
		before := bytes.TrimRight(data[:i], " \t")
		if last := before[len(before)-1]; last != ',' && last != '\n' {
			continue
		}
		if b.scan <= 0 {
			break
		}
		if _, err := event.Parse(data[i:i+b.end(data[i:])], time.Time{}); err == nil {
			return i
		}
	}
	return len(data)
}

// end returns the length of the JSON value that data begins with, which need not be valid: to the
// bracket that closes it, or to the end of data if there is none.
func (b *batch) end(data []byte) int {
	if b.scan <= 0 {
		return len(data)
	}
	n := valueEnd(data)
	b.scan -= n
	return n
}

func valueEnd(data []byte) int {
	switch data[0] {
	case '"':
		return stringEnd(data, 0)
	case '{', '[':
	default:
		if n := bytes.IndexAny(data[1:], `,:[]{}"`+space); n >= 0 {
			return 1 + n
		}
		return len(data)
	}
	depth := 0
	for i := 0; i < len(data); {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
	return len(data)
}

// stringEnd returns where the string that begins at i ends: nowhere, so at the end of data, if a
// line ends first, since then its quote is missing.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n':
			return len(data)
		}
	}
	return len(data)
}
