package config

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	wordLength = 4  // up to which what is filled in is replaced as a whole word only
	partLength = 12 // from which a part of what is filled in must not be shown
)

// redact puts what the file says in the place of what was filled in at p and below, in a message
// that somebody made of the values. If it still shows a part of a value, it goes altogether.
func (d *decoder) redact(p path, message string) string {
	for _, e := range d.expansions {
		if !e.path.hasPrefix(p) && !p.hasPrefix(e.path) {
			continue
		}
		values := slices.Clone(e.values)
		slices.SortFunc(values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
		for _, value := range values {
			message = replace(message, value, e.written)
		}
		for _, value := range values {
			if sharesPart(message, value, partLength) {
				return "the value of " + e.written + " is not accepted"
			}
		}
	}
	return message
}

// replace replaces old by new: a short one only where it stands for itself, since it may be part
// of any word.
func replace(message, old, written string) string {
	if old == "" || old == written {
		return message
	}
	if len(old) > wordLength {
		return strings.ReplaceAll(message, old, written)
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(message, old)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if isWord(last) || isWord(next) {
			b.WriteString(old)
		} else {
			b.WriteString(written)
		}
		message = after
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// sharesPart reports whether message holds n bytes of value in a row.
func sharesPart(message, value string, n int) bool {
	for i := 0; i+n <= len(value); i++ {
		if strings.Contains(message, value[i:i+n]) {
			return true
		}
	}
	return false
}
