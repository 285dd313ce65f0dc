package render

import (
	"strings"
	"unicode"
)

// plain is l without the difference between its spans.
func plain(l line) string {
	if len(l) == 1 {
		return l[0].text
	}
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// wrap breaks text between words into lines of at most width columns, all but the first indented by
// hanging columns. A word that no line can hold is cut where the line is full.
func wrap(text string, width, hanging int) []string {
	if columns(text) <= width {
		return []string{text}
	}
	w := wrapper{width: width, hanging: hanging}
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			w.space++
		}
		w.put(word)
	}
	return append(w.lines, w.line.String())
}

type wrapper struct {
	width, hanging int
	lines          []string
	line           strings.Builder
	used           int // columns of line
	space          int // before the next word
}

// put adds a word to the line, or begins another with it.
func (w *wrapper) put(word string) {
	if word == "" {
		return // one of several spaces
	}
	need := columns(word)
	full := w.used+w.space+need > w.width
	if full && w.used > w.hanging && (need <= w.width-w.hanging || w.used+w.space >= w.width) {
		w.next()
	}
	w.write(strings.Repeat(" ", w.space))
	w.space = 0
	for {
		head, rest := split(word, w.width-w.used)
		w.write(head)
		if rest == "" {
			return
		}
		w.next()
		word = rest
	}
}

func (w *wrapper) write(s string) {
	w.line.WriteString(s)
	w.used += columns(s)
}

// next ends the line; the space before the next word falls to the break.
func (w *wrapper) next() {
	w.lines = append(w.lines, w.line.String())
	w.line.Reset()
	w.used, w.space = 0, 0
	w.write(strings.Repeat(" ", w.hanging))
}

// split cuts s behind what fits into width columns, and at least one character.
func split(s string, width int) (head, rest string) {
	used := 0
	for i, r := range s {
		used += runeColumns(r)
		if used > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// columns is how many columns of a terminal s takes.
func columns(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= 0x80 {
			for _, r := range s[i:] {
				n += runeColumns(r)
			}
			return n
		}
		n++
	}
	return n
}

// runeColumns is 0 for a mark, which stands on another character, and 2 for a wide character.
func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	default:
		return 1
	}
}

// wide holds the blocks whose characters take two columns, by and large: Unicode Standard Annex 11.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul Jamo
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, // CJK radicals to punctuation
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1}, // kana to Yi
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1}, // Hangul Jamo extended
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul syllables
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, // CJK compatibility
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, // CJK forms
		{Lo: 0xff01, Hi: 0xff60, Stride: 1}, // full-width forms
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x1b2ff, Stride: 1}, // Tangut, kana
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, // pictographs
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1}, // CJK
	},
}
