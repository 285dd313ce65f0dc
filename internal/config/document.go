package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// document is a configuration file as a tree, and its text for messages.
type document struct {
	name  string
	lines [][]rune
	root  *node
}

// node is a value in the document, and where it stands.
type node struct {
	kind         kind
	text         string // of a scalar, as written, before anything is filled in
	style        style  // of a scalar
	line, column int    // from 1; the column counts characters
	entries      []*entry
	items        []*node
	public       bool // known to be no secret: a message may show it
}

// entry is a key of a mapping with its value.
type entry struct {
	key          string
	line, column int
	value        *node
}

type kind string

const (
	scalar  kind = "a text"
	mapping kind = "keys and values"
	list    kind = "a list"
	null    kind = "nothing"
)

type style int

const (
	plain style = iota
	doubleQuoted
	singleQuoted
	literalBlock
	foldedBlock
)

func (n *node) entry(key string) *entry {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e
		}
	}
	return nil
}

// take returns a mapping of the entries with these keys, and one of the others.
func (n *node) take(keys ...string) (taken, rest *node) {
	t, r := *n, *n
	t.entries, r.entries = nil, nil
	for _, e := range n.entries {
		if slices.Contains(keys, e.key) {
			t.entries = append(t.entries, e)
		} else {
			r.entries = append(r.entries, e)
		}
	}
	return &t, &r
}

// path is the way to a value: keys, and positions in lists as [0].
type path []string

func (p path) String() string {
	return strings.ReplaceAll(strings.Join(p, "."), ".[", "[")
}

func (p path) with(keys ...string) path { return append(p[:len(p):len(p)], keys...) }

func (p path) index(i int) path { return p.with("[" + strconv.Itoa(i) + "]") }

// hasPrefix reports whether p is below q, or q itself.
func (p path) hasPrefix(q path) bool { return len(p) >= len(q) && slices.Equal(p[:len(q)], q) }

// A place is what a message points at: a key, or the value of one.
type place struct {
	line, column int
	value        *node // nil to point at a key
	key          string
}

func (e *entry) place() place { return place{line: e.line, column: e.column, key: e.key} }

func (n *node) place() place { return place{line: n.line, column: n.column, value: n} }

// find returns the place of p: its value if that is a scalar that may be shown, else its key. Of a
// key that the file does not have it is the key around it; nowhere, if there is none.
func (d *document) find(p path) (at place, value *node) {
	n := d.root
	for i, step := range p {
		if index, ok := strings.CutPrefix(step, "["); ok {
			at, n = n.item(index, at)
		} else {
			e := n.entry(step)
			if e == nil {
				return at, nil
			}
			at, n = e.place(), e.value
		}
		if n == nil {
			return at, nil
		}
		if i == len(p)-1 && n.kind == scalar && n.public {
			at = n.place()
		}
	}
	return at, n
}

func (n *node) item(index string, around place) (place, *node) {
	i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
	if err != nil || i >= len(n.items) {
		return around, nil
	}
	item := n.items[i]
	if len(item.entries) > 0 {
		return item.entries[0].place(), item
	}
	return item.place(), item
}

// visit calls f with every key and every value of n, in the order of the text.
func (n *node) visit(f func(place)) {
	if n.kind != null {
		f(n.place())
	}
	for _, e := range n.entries {
		f(e.place())
		e.value.visit(f)
	}
	for _, item := range n.items {
		item.visit(f)
	}
}

// inside returns where in the file a character of the scalar's text stands, given by its line and
// column in the text; not ok if that can not be told.
func (d *document) inside(n *node, line, column int) (int, int, bool) {
	first := d.line(n.line)
	switch n.style {
	case plain:
		if line == 1 && hasAt(first, n.column-1, []rune(n.text)) {
			return n.line, n.column + column - 1, true
		}
	case doubleQuoted, singleQuoted:
		if end, ok := d.end(n); ok && line == 1 {
			return n.line, unquotedColumn(first, n.column, end, column, n.style), true
		}
	case literalBlock:
		if body := d.line(n.line + 1); line >= 1 && n.line+line <= len(d.lines) {
			indent := len(body) - len([]rune(strings.TrimLeft(string(body), " ")))
			return n.line + line, indent + column, true
		}
	}
	return n.line, n.column, false
}

// unquotedColumn counts column characters of a quoted scalar that begins at start, in which a
// character can be written with two.
func unquotedColumn(text []rune, start, end, column int, s style) int {
	at := start // index of the first character after the quote
	for ; column > 1 && at < end-1; column-- {
		if s == doubleQuoted && text[at] == '\\' || s == singleQuoted && text[at] == '\'' {
			at++
		}
		at++
	}
	return at + 1
}

// end returns the column behind a scalar on the line where it begins; not ok if it goes on after
// that line.
func (d *document) end(n *node) (int, bool) {
	text := d.line(n.line)
	from := n.column - 1
	if from < 0 || from >= len(text) {
		return n.column, false
	}
	switch n.style {
	case plain:
		if value := []rune(n.text); hasAt(text, from, value) {
			return n.column + len(value), true
		}
	case doubleQuoted:
		for i := from + 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 2, true
			}
		}
	case singleQuoted:
		for i := from + 1; i < len(text); i++ {
			if text[i] != '\'' {
				continue
			}
			if i+1 == len(text) || text[i+1] != '\'' {
				return i + 2, true
			}
			i++
		}
	}
	return len(text) + 1, false
}

// line returns the text of a line, counted from 1.
func (d *document) line(number int) []rune {
	if number < 1 || number > len(d.lines) {
		return nil
	}
	return d.lines[number-1]
}

func hasAt(text []rune, from int, part []rune) bool {
	return from >= 0 && from+len(part) <= len(text) && slices.Equal(text[from:from+len(part)], part)
}

// visible replaces what would move the characters after it.
func visible(text []rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, string(text))
}
