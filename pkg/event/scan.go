package event

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions here walk JSON that encoding/json has found valid, so they need not look for
// mistakes. They exist because encoding/json replaces bytes that are not UTF-8, of which an
// alert must lose nothing, and because they share the memory of the document.

// members calls yield with each member of the object doc: its name, and its value as JSON.
func members(doc string, yield func(name, raw string)) {
	i := skipSpace(doc, 1)
	for doc[i] != '}' {
		end := skipValue(doc, i)
		name := text(doc[i:end])
		i = skipSpace(doc, end)
		i = skipSpace(doc, i+1) // the colon
		end = skipValue(doc, i)
		yield(name, doc[i:end])
		if i = skipSpace(doc, end); doc[i] == ',' {
			i = skipSpace(doc, i+1)
		}
	}
}

// elements calls yield with each element of doc as JSON, if doc is an array.
func elements(doc string, yield func(raw string)) {
	if doc[0] != '[' {
		return
	}
	i := skipSpace(doc, 1)
	for doc[i] != ']' {
		end := skipValue(doc, i)
		yield(doc[i:end])
		if i = skipSpace(doc, end); doc[i] == ',' {
			i = skipSpace(doc, i+1)
		}
	}
}

func skipSpace(s string, i int) int {
	for s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends.
func skipValue(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		for depth := 0; ; {
			switch s[i] {
			case '"':
				i = skipString(s, i)
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
	default:
		for i < len(s) && strings.IndexByte(",}] \n\t\r", s[i]) < 0 {
			i++
		}
		return i
	}
}

func skipString(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// text is the normalised text of a JSON value: of a string its content, of null nothing, of a
// number or boolean its literal, of an object or array its JSON.
func text(raw string) string {
	switch raw[0] {
	case '"':
		return unquote(raw[1 : len(raw)-1])
	case 'n':
		return ""
	default:
		return raw
	}
}

// unquote resolves the escapes of a JSON string's content. Bytes that are not UTF-8 stay.
func unquote(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		s = unquoteOne(&b, s[i+1:])
	}
	b.WriteString(s)
	return b.String()
}

// unquoteOne writes the escape that s begins with, after its backslash, and returns what follows.
func unquoteOne(b *strings.Builder, s string) string {
	switch c := s[0]; c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'u':
		r, rest := hexRune(s[1:]), s[5:]
		if utf16.IsSurrogate(r) {
			low := utf8.RuneError
			if strings.HasPrefix(rest, `\u`) {
				low = utf16.DecodeRune(r, hexRune(rest[2:]))
			}
			if r = low; r != utf8.RuneError {
				rest = rest[6:]
			}
		}
		b.WriteRune(r)
		return rest
	default:
		b.WriteByte(c)
	}
	return s[1:]
}

func hexRune(s string) rune {
	n, err := strconv.ParseUint(s[:4], 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

func kindOf(raw string) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
