package render

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// Markdown writes r as GitHub Flavored Markdown. Read as plain CommonMark it has no tables, and is
// no less safe.
func Markdown(r *report.Report) []byte {
	m := markdown{out: make([]byte, 0, 16<<10)}
	for i, b := range written(page(r)) {
		if i > 0 {
			m.add("\n")
		}
		m.block(b)
	}
	return m.out
}

type markdown struct{ out []byte }

func (m *markdown) add(s string) { m.out = append(m.out, s...) }

func (m *markdown) block(b block) {
	switch b := b.(type) {
	case heading:
		m.add("######"[:b.level] + " ")
		m.line(b.whole())
		m.add("\n")
	case paragraph:
		start := len(m.out)
		m.line(b.text)
		m.out = escapeStart(m.out, start)
		m.add("\n")
	case table:
		m.table(b)
	case terms:
		m.terms(b)
	case verbatim:
		m.fence(b)
	case divider:
		m.add("---\n")
	}
}

func (m *markdown) table(t table) {
	for _, c := range t.columns {
		m.add("| ")
		m.add(c.title)
		if c.title != "" {
			m.add(" ")
		}
	}
	m.add("|\n")
	for _, c := range t.columns {
		m.add("|---")
		if c.right {
			m.add(":")
		}
	}
	m.add("|\n")
	for _, row := range t.rows {
		for i := range t.columns {
			m.add("| ")
			if i < len(row) && len(row[i]) > 0 {
				m.cell(row[i])
				m.add(" ")
			}
		}
		m.add("|\n")
	}
}

func (m *markdown) terms(all terms) {
	for _, t := range all {
		m.add("- **")
		m.add(t.name)
		m.add(":** ")
		m.cell(t.text)
		m.add("\n")
	}
}

// cell joins lines, since a cell has only one.
func (m *markdown) cell(c cell) {
	for i, l := range c {
		switch {
		case i == 0:
		case m.out[len(m.out)-1] == '.':
			m.add(" ")
		default:
			m.add(", ")
		}
		m.line(l)
	}
}

func (m *markdown) line(l line) {
	for i, s := range l {
		text := s.text
		if i == 0 {
			text = strings.TrimLeft(text, " ")
		}
		if i == len(l)-1 {
			text = strings.TrimRight(text, " ")
		}
		switch s.kind {
		case value, fieldName:
			m.out = appendCode(m.out, s.text)
		case strong:
			m.add("**")
			m.out = appendProse(m.out, text)
			m.add("**")
		default:
			m.out = appendProse(m.out, text)
		}
	}
	m.out = escapeEnd(m.out)
}

// fence is longer than any run of its characters inside.
func (m *markdown) fence(v verbatim) {
	longest := 2
	for _, l := range v.lines {
		longest = max(longest, longestRun(l, '`'), longestRun(l, '~'))
	}
	fence := strings.Repeat("`", longest+1)
	m.add(fence + v.language + "\n")
	for _, l := range v.lines {
		m.add(l + "\n")
	}
	m.add(fence + "\n")
}
