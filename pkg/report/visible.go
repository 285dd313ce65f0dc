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
// stacked combining marks and what Unicode does not assign as \n, \t, \x1b or \u202e; bytes that
// are not UTF-8 as \xff. What is left is printable and stays on its line.
//
// A backslash of s stands for itself, so that the result can be read and searched, but not turned
// back into s.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := maxMarks // at the start a mark would stand on what the reader puts before s
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
	if r < 0x7f {
		return r < ' '
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)
}

// blank holds printable characters that are drawn as nothing, and that Unicode does not call
// ignorable.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}},   // empty Braille pattern
	R32: []unicode.Range32{{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}}, // null note head
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
