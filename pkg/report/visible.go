package report

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible returns s with everything a reader could not see, or could be misled by, as an escape:
// control characters, bidirectional and other format characters, zero-width and exotic spaces,
// and stacked combining marks as \n, \t, \x1b or \u202e; bytes that are not UTF-8 as \xff. What is
// left is printable and stays on its line.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + hex(uint64(s[i]), 2))
		case invisible(r) || marks > maxMarks:
			b.WriteString(escape(r))
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// maxMarks is how many combining marks a character may carry: no script needs more, and a stack of
// them covers the lines above and below.
const maxMarks = 3

// plain reports whether s is printable ASCII, which needs no second look.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// invisible reports whether r shows nothing of its own, or changes how what follows is shown.
func invisible(r rune) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return true
	case r < 0x7f:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Co, unicode.Cs, unicode.Variation_Selector) ||
		unicode.Is(blank, r)
}

// blank holds letters and marks that are drawn as nothing.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian selectors
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // empty Braille pattern
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // half-width Hangul filler
		{Lo: 0xfff0, Hi: 0xfffb, Stride: 1}, // specials
	},
	R32: []unicode.Range32{
		{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}, // null note head
		{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}, // tags and selectors
	},
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return `\x` + hex(uint64(r), 2)
	case r <= 0xffff:
		return `\u` + hex(uint64(r), 4)
	default:
		return `\U` + hex(uint64(r), 8)
	}
}

// appendEscapeUTF16 writes r the way JSON can read it back: beyond U+FFFF as a pair of surrogates.
func appendEscapeUTF16(dst []byte, r rune) []byte {
	if r <= 0xffff {
		return append(append(dst, `\u`...), hex(uint64(r), 4)...)
	}
	high, low := utf16.EncodeRune(r)
	dst = append(append(dst, `\u`...), hex(uint64(high), 4)...)
	return append(append(dst, `\u`...), hex(uint64(low), 4)...)
}

func hex(n uint64, digits int) string {
	s := strconv.FormatUint(n, 16)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}
