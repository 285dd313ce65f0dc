package render

import (
	"bytes"
	"slices"
	"strings"
)

// What can become active in prose, by the dialects that matter (CommonMark 0.31, GFM and GitHub's
// own additions, goldmark's extensions, python-markdown), and what is done about it:
//
//	* _ ~ ^ \          emphasis, strike-through, escapes   backslash; _ inside a word is inert
//	[ ]                links, images, footnotes, tasks     backslash
//	< > &              HTML, autolinks, entities           entity: python-markdown knows no \<
//	`                  code                                entity: \` before a code span is ambiguous
//	|                  cells                               backslash
//	$                  mathematics                         backslash
//	}                  attributes of headings and cells    entity at a line's end; elsewhere it is
//	                                                       inert, and part of commands to be copied
//	https:// www.      bare URLs                           backslash behind the scheme, or behind www
//	@ #                mail addresses, @mentions, #123     code: GitHub acts on the text after all
//	                                                       escapes are gone, but leaves code alone
//	- + = : > 1. 1)    at the start of a line              backslash
//
// A quoted value inside prose is put into a code span, within its quotes.

// appendProse appends s, one line of text, escaped.
func appendProse(dst []byte, s string) []byte {
	for {
		start, end := quotation(s)
		if end < 0 {
			return appendWords(dst, s)
		}
		dst = appendWords(dst, s[:start])
		dst = append(dst, '"') // not by appendWords: two code spans must not touch
		dst = appendCode(dst, s[start+1:end])
		dst = append(dst, '"')
		s = s[end+1:]
	}
}

// quotation returns the indexes of the first quote in s and of the one that closes it; end is -1 if
// there are no two.
func quotation(s string) (start, end int) {
	start = strings.IndexByte(s, '"')
	if start < 0 {
		return -1, -1
	}
	return start, closingQuote(s, start)
}

// closingQuote returns the index of the quote that closes the one at s[start], -1 for none. A quote
// behind a backslash does not close.
func closingQuote(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// appendWords appends text without quoted values.
func appendWords(dst []byte, s string) []byte {
	for first := true; ; first = false {
		word, rest, more := strings.Cut(s, " ")
		if !first {
			dst = append(dst, ' ')
		}
		if isReference(word) {
			dst = appendCode(dst, word)
		} else {
			dst = appendWord(dst, word)
		}
		if !more {
			return dst
		}
		s = rest
	}
}

// isReference reports whether GitHub could make a link of something in word however it is escaped: of
// an address, a mention, the number of an issue as #7 or GH-7.
func isReference(word string) bool {
	for i := range len(word) {
		switch word[i] {
		case '@', '#':
			return true
		case '-':
			if i >= 2 && i+1 < len(word) && strings.EqualFold(word[i-2:i], "gh") && isDigit(word[i+1]) {
				return true
			}
		}
	}
	return false
}

func appendWord(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '*', '[', ']', '~', '^', '|', '$':
			dst = append(dst, '\\', c)
		case '_':
			if i == 0 || i == len(s)-1 || !isAlphanumeric(s[i-1]) || !isAlphanumeric(s[i+1]) {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			if strings.IndexByte(s[i:], ';') >= 0 {
				dst = append(dst, "&amp;"...)
			} else {
				dst = append(dst, c)
			}
		case '`':
			dst = append(dst, "&#96;"...)
		case ':':
			if i+1 < len(s) && s[i+1] == '/' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		case '.':
			if i >= 3 && strings.EqualFold(s[i-3:i], "www") {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// escapeStart keeps the paragraph that begins at dst[start] from being a list, a rule or a definition.
func escapeStart(dst []byte, start int) []byte {
	i := start
	for i < len(dst) && dst[i] >= '0' && dst[i] <= '9' {
		i++
	}
	switch {
	case i == len(dst):
		return dst
	case i == start && strings.IndexByte("-+=:", dst[i]) >= 0, i > start && (dst[i] == '.' || dst[i] == ')'):
		return slices.Insert(dst, i, '\\')
	default:
		return dst
	}
}

// escapeEnd keeps a line from ending in attributes: {#id .class}.
func escapeEnd(dst []byte) []byte {
	if !bytes.HasSuffix(dst, []byte("}")) {
		return dst
	}
	return append(dst[:len(dst)-1], "&#125;"...)
}

// mostTicks is the longest delimiter of a code span that is written. Beyond 80 cmark, and so GitHub,
// takes a run of backticks for text, and what should be code for Markdown.
const mostTicks = 20

// appendCode appends s as code spans, with what can not be in one between them: a bar, which would
// end the cell of a table even there (and if it is escaped, shows its backslash where there is no
// table), and a run of backticks that would need too long a delimiter.
func appendCode(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '|':
			dst = appendCodeSpan(dst, s[start:i])
			dst = append(dst, `\|`...)
			start = i + 1
		case '`':
			run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
			if run >= mostTicks {
				dst = appendCodeSpan(dst, s[start:i])
				dst = appendWord(dst, s[i:i+run])
				start = i + run
			}
			i += run - 1
		}
	}
	return appendCodeSpan(dst, s[start:])
}

// appendCodeSpan appends s between delimiters longer than any run of backticks inside. Of a span
// that begins and ends in a space, readers take one space away on each side, unless there is
// nothing else; that is also how a backtick at an end is kept apart from the delimiter.
func appendCodeSpan(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	first, last := s[0], s[len(s)-1]
	pad := first == '`' || last == '`' || first == ' ' && last == ' ' && strings.Trim(s, " ") != ""
	ticks := longestRun(s, '`') + 1
	for range ticks {
		dst = append(dst, '`')
	}
	if pad {
		dst = append(dst, ' ')
	}
	dst = append(dst, s...)
	if pad {
		dst = append(dst, ' ')
	}
	for range ticks {
		dst = append(dst, '`')
	}
	return dst
}

// longestRun is the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlphanumeric(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
