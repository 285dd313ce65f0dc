package sink

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
)

// Text returns the pieces that fit, in their order, and the note.
func (f Fit) Text(pieces []Piece) string {
	if f.Measure == nil {
		f.Measure = Bytes
	}
	if f.Escape == nil {
		f.Escape = report.Visible
	}
	c := fitting{Fit: f, pieces: pieces, texts: make([]string, len(pieces)), states: make([]fitState, len(pieces))}
	c.room = f.Limit - f.Measure(c.note(nil, nil))
	if c.room < 0 || !c.all() {
		c.some()
	}
	return c.join()
}

type fitState int

const (
	leftOut fitState = iota
	wasCut
	isWhole
)

// fitting is one run of Fit.
type fitting struct {
	Fit
	pieces []Piece
	texts  []string // what stands of each, with what is around it
	states []fitState
	room   int // for pieces: the limit less the note
}

// all takes every piece as it is, and reports whether they fit.
func (c *fitting) all() bool {
	left := c.room
	for i := range c.pieces {
		if left -= c.place(i, left); c.states[i] != isWhole {
			return false
		}
	}
	return true
}

// some gives room to the required pieces first, then to the others, and what is left to those that
// were cut.
func (c *fitting) some() {
	c.room = max(0, c.Limit-c.reserve())
	left := c.room
	for i := range c.pieces {
		c.texts[i], c.states[i] = "", leftOut
	}
	share := c.room / 4
	turn := func(required bool, most func(p Piece, i int) int) {
		for i, p := range c.pieces {
			if p.Required == required && c.states[i] != isWhole {
				before := c.Measure(c.texts[i])
				left += before - c.place(i, min(left+before, most(p, i)))
			}
		}
	}
	shared := func(p Piece, _ int) int {
		if p.Whole {
			return c.room
		}
		return share
	}
	orAll := func(_ Piece, i int) int { // where the share was too small for anything
		if c.states[i] == leftOut {
			return c.room
		}
		return share
	}
	all := func(Piece, int) int { return c.room }
	turn(true, shared)
	turn(true, orAll)
	turn(false, shared)
	turn(true, all)
	turn(false, all)
}

// place writes piece i into that much room, and returns what it takes of it. What stood there of it
// before fits as well.
func (c *fitting) place(i, room int) int {
	p := c.pieces[i]
	c.texts[i], c.states[i] = "", leftOut
	inner := room - c.Measure(p.Before) - c.Measure(p.After)
	if inner < 0 {
		return 0
	}
	least := leastCut
	if p.Required {
		least = 1
	}
	text, whole := c.cut(p.Text, inner, least)
	switch {
	case whole:
		c.states[i] = isWhole
	case p.Whole || text == "":
		return 0
	default:
		c.states[i] = wasCut
	}
	c.texts[i] = strings.ToValidUTF8(p.Before, "\ufffd") + text + strings.ToValidUTF8(p.After, "\ufffd")
	return c.Measure(c.texts[i])
}

const (
	cutMark = "…"
	// leastCut is how many characters of a value are worth showing, if it is not required.
	leastCut = 8
)

// escaped is raw text as the medium gets it.
func (c *fitting) escaped(raw string) string { return strings.ToValidUTF8(c.Escape(raw), "\ufffd") }

// cut returns raw, escaped, or the longest beginning of it that fits into room with a mark. Empty and
// false mean that less than that many characters fit.
func (c *fitting) cut(raw string, room, least int) (text string, whole bool) {
	// Escaping takes time in proportion, and text can be a thousand times as long as what fits. An
	// escape that drops most of it makes such a text count as cut where it would fit; that is all.
	const shrink = 16
	most := max(room, 1) * shrink
	if len(raw) <= most {
		if text = c.escaped(raw); c.Measure(text) <= room {
			return text, true
		}
	}
	ends := runeEnds(raw, room)
	fits := func(n int) bool { return c.Measure(c.escaped(raw[:ends[n]]+cutMark)) <= room }
	low, high := 0, len(ends) // of the ends below low the last one fits, as far as was looked
	for low < high {
		if middle := (low + high) / 2; fits(middle) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < least {
		return "", false
	}
	return c.escaped(raw[:ends[low-1]] + cutMark), false
}

// runeEnds returns where the first runes of raw end, as many as can be of use in that much room.
func runeEnds(raw string, room int) []int {
	var ends []int
	for i := 0; i < len(raw) && len(ends) < room; {
		_, size := utf8.DecodeRuneInString(raw[i:])
		i += size
		ends = append(ends, i)
	}
	return ends
}

// note is what stands at the end.
func (c *fitting) note(out, cut []string) string {
	var parts []string
	if len(out) > 0 {
		parts = append(parts, "left out: "+andMore(out))
	}
	if len(cut) > 0 {
		parts = append(parts, "cut: "+andMore(cut))
	}
	if c.Where != "" {
		parts = append(parts, c.Where)
	}
	return c.dressed(strings.Join(parts, "; "))
}

func (c *fitting) dressed(note string) string {
	if note == "" {
		return ""
	}
	return strings.ToValidUTF8(c.NoteBefore, "\ufffd") + c.escaped(note) + strings.ToValidUTF8(c.NoteAfter, "\ufffd")
}

// mostInNote is how many names the note has of what was left out, and of what was cut.
const mostInNote = 3

func andMore(names []string) string {
	if len(names) <= mostInNote {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostInNote], ", "), len(names)-mostInNote)
}

// reserve is the room of the longest note that there can be, or of a shorter form where that would
// be more than half of all.
func (c *fitting) reserve() int {
	var names []string
	for _, p := range c.pieces {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return c.Measure(c.escaped(b)) - c.Measure(c.escaped(a)) })
	for _, note := range []string{c.note(names, names), c.short(len(c.pieces)), c.note(nil, nil)} {
		if n := c.Measure(note); n <= c.Limit/2 {
			return n
		}
	}
	return min(c.Measure(c.short(len(c.pieces))), max(c.Limit/2, 0))
}

// short is the note where there is no room for names.
func (c *fitting) short(n int) string {
	if n == 0 {
		return c.note(nil, nil)
	}
	parts := []string{fmt.Sprintf("%d parts left out or cut", n)}
	if c.Where != "" {
		parts = append(parts, c.Where)
	}
	return c.dressed(strings.Join(parts, "; "))
}

// join puts everything together, with the longest note that fits.
func (c *fitting) join() string {
	var b strings.Builder
	var out, cut []string
	touched := 0
	for i, p := range c.pieces {
		b.WriteString(c.texts[i])
		list := &out
		switch c.states[i] {
		case isWhole:
			continue
		case wasCut:
			list = &cut
		}
		touched++
		if !slices.Contains(*list, p.Name) {
			*list = append(*list, p.Name)
		}
	}
	room := c.Limit - c.Measure(b.String())
	for _, note := range []string{c.note(out, cut), c.short(touched), c.note(nil, nil), c.dressed(cutMark)} {
		if c.Measure(note) <= room {
			b.WriteString(note)
			break
		}
	}
	return b.String()
}
