package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a configuration file. Without a line it is nowhere: the value is a default.
type Pos struct {
	File         string
	Line, Column int // from 1; the column counts characters
}

// String writes file:line:column.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Pos     Pos
	Key     string // such as sinks.soc.retry.max; empty for the file as a whole
	Message string
	// Excerpt is the line with a mark below the place, indented; empty if there is none to show.
	// It holds no secret.
	Excerpt string
}

// String writes the problem as a user reads it, without the excerpt.
func (p Problem) String() string {
	parts := []string{p.Pos.String(), p.Key, p.Message}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// Error is all that is wrong with a configuration, in the order of the file.
type Error struct{ Problems []Problem }

// maxShown is how many problems one message lists.
const maxShown = 20

func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
		if p.Excerpt != "" {
			b.WriteString("\n" + p.Excerpt)
		}
	}
	return b.String()
}

// A finding is a problem before it is known what of the document a message may show.
type finding struct {
	path    path
	at      place
	message string
}

// report returns findings as an error, in the order of the document; nil without any.
func (d *document) report(findings []finding) error {
	if len(findings) == 0 {
		return nil
	}
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Or(a.at.line-b.at.line, a.at.column-b.at.column)
	})
	e := &Error{}
	for i, f := range findings {
		p := Problem{Pos: d.pos(f.at), Key: cut(f.path.String(), 200), Message: cut(f.message, 400)}
		if i < maxShown {
			p.Excerpt = d.excerpt(f.at)
		}
		e.Problems = append(e.Problems, p)
	}
	return e
}

// cut keeps at most so many characters of a text.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func (d *document) pos(at place) Pos { return Pos{d.name, at.line, at.column} }

// excerpt shows the line of a place, with a mark below it. Of that line it shows what is needed to
// recognise it and known to hold no secret: nothing behind the place, and nothing before a value
// that is not public.
func (d *document) excerpt(at place) string {
	text := d.line(at.line)
	if at.line < 1 || at.column < 1 || at.column > len(text)+1 {
		return ""
	}
	from, to := d.shown(at, text)
	if from > at.column-1 || to < from || strings.TrimSpace(string(text[from:to])) == "" {
		return ""
	}
	before, after := "", ""
	if from > 0 {
		before = "… "
	}
	if strings.TrimSpace(string(text[to:])) != "" {
		after = " …"
	}
	const most = 120
	if to-from > most { // a window around the mark
		low := max(from, at.column-1-most/2)
		high := min(to, low+most)
		if low > from {
			before = "… "
		}
		if high < to {
			after = " …"
		}
		from, to = low, high
	}
	number := fmt.Sprintf("%5d | ", at.line)
	mark := strings.Repeat(" ", len(number)-2) + "| " +
		strings.Repeat(" ", len([]rune(before))+at.column-1-from) + "^"
	return number + before + visible(text[from:to]) + after + "\n" + mark
}

// shown returns which part of the line of a place a message may show: it ends with the place, and
// begins after the last value before it that is not public.
func (d *document) shown(at place, text []rune) (from, to int) {
	to = d.endOf(at, text)
	if d.root == nil || at.value != nil && at.value.line != at.line {
		return 0, to
	}
	first, hidden := true, false
	begin := func(column int) {
		if hidden || first && strings.Trim(string(text[:column-1]), " \t-?[]{},") != "" {
			from = column - 1
		}
		first = false
	}
	d.root.visit(func(p place) {
		if p.line != at.line || p.column > at.column || p.value != nil && p.value.kind != scalar {
			return
		}
		begin(p.column)
		hidden = p.value != nil && !p.value.public
	})
	if first {
		begin(at.column)
	}
	return from, to
}

// endOf returns the index behind what a place points at.
func (d *document) endOf(at place, text []rune) int {
	switch {
	case at.value == nil:
		to := at.column - 1 + len([]rune(at.key))
		if at.key != "" && at.column <= len(text) && strings.ContainsRune(`"'`, text[at.column-1]) {
			to += 2
		}
		to = min(to, len(text))
		for to < len(text) && strings.ContainsRune(`"':`, text[to]) {
			to++
		}
		return to
	case at.value.kind == scalar && !at.value.public:
		return at.column - 1
	case at.value.kind != scalar:
		return min(at.column, len(text))
	case at.value.line != at.line: // inside a block
		return len(text)
	default:
		end, _ := d.end(at.value)
		return end - 1
	}
}
