package render

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// pageWidth is how many columns text has where nobody says how many there are. Only commands and files
// are wider where they have to be, since a reader copies them.
const pageWidth = 100

// Text writes r for a terminal, without colours. Headings begin at the left edge and nothing else
// does, so that no value can pass for one.
func Text(r *report.Report) []byte { return TextStyle{}.Text(r) }

type textWriter struct {
	style     TextStyle
	tone      tone // of what must not be missed
	out       []byte
	underHead bool // the latest block is a heading
}

// width is how many columns the page has.
func (t *textWriter) width() int {
	if t.style.Width == 0 {
		return pageWidth
	}
	return t.style.Width
}

func (t *textWriter) block(b block) {
	_, isHeading := b.(heading)
	if len(t.out) > 0 && (!t.underHead || isHeading) {
		t.out = append(t.out, '\n')
	}
	t.underHead = isHeading
	switch b := b.(type) {
	case heading:
		t.heading(b)
	case paragraph:
		t.lines("  ", plainLook, wrap(plain(b.text), t.width()-2, 0))
	case table:
		t.table(b)
	case terms:
		t.terms(b)
	case verbatim:
		t.verbatim(b)
	case divider:
		t.lines("  ", dim, []string{strings.Repeat("-", t.width()-2)})
	}
}

func (t *textWriter) heading(h heading) {
	switch h.level {
	case 1:
		all := wrap(plain(h.whole()), t.width(), hanging)
		t.lines("", bold, all)
		longest := 0
		for _, l := range all {
			longest = max(longest, columns(strings.TrimRight(l, " ")))
		}
		t.lines("", bold, []string{strings.Repeat("=", longest)})
	case 2:
		t.lines("", bold, []string{strings.ToUpper(plain(h.text))})
	default:
		t.lines("", bold, wrap(plain(h.text), t.width(), hanging))
	}
}

func (t *textWriter) lines(indent string, as look, all []string) {
	for _, l := range all {
		if l = strings.TrimRight(l, " "); l != "" {
			t.out = append(t.out, indent...)
			t.out = append(t.out, t.paint(l, as)...)
		}
		t.out = append(t.out, '\n')
	}
}

func (t *textWriter) terms(all terms) {
	tab := table{columns: make([]column, 2)}
	for _, term := range all {
		tab.fact(term.name, term.text)
	}
	t.table(tab)
}

func (t *textWriter) verbatim(v verbatim) {
	for _, l := range v.lines {
		if v.wrap {
			t.lines("    ", dim, wrap(l, t.width()-4, 0))
		} else {
			t.lines("    ", dim, []string{strings.ReplaceAll(l, "\t", "    ")})
		}
	}
}

const (
	gap     = 2 // columns between the columns of a table
	hanging = 2 // columns by which a line is indented that goes on with a heading or a value
)

func (t *textWriter) table(tab table) {
	rows := tab.rows
	titles := tab.titles()
	if titles != nil {
		rows = append([][]cell{titles}, rows...)
	}
	widths := tab.widths(rows, t.width()-2)
	for i, row := range rows {
		if i > 0 || titles == nil {
			t.row(tab.columns, widths, row, plainLook)
			continue
		}
		t.row(tab.columns, widths, row, bold)
		t.row(tab.columns, widths, underlines(widths), dim)
	}
}

// titles is the row of the columns' titles, nil if they have none.
func (t *table) titles() []cell {
	titles := make([]cell, len(t.columns))
	some := false
	for i, c := range t.columns {
		titles[i] = text(c.title)
		some = some || c.title != ""
	}
	if !some {
		return nil
	}
	return titles
}

func underlines(widths []int) []cell {
	row := make([]cell, len(widths))
	for i, w := range widths {
		row[i] = text(strings.Repeat("-", w))
	}
	return row
}

// widths shares out the columns of a page: each column of the table gets what it needs if that is
// no more than an equal share, or half of what is left if it is to be kept; the others share the rest.
func (t *table) widths(rows [][]cell, page int) []int {
	widths := make([]int, len(t.columns))
	for _, row := range rows {
		for i, c := range row {
			for _, l := range c {
				widths[i] = max(widths[i], columns(plain(l)))
			}
		}
	}
	left, open := page-gap*(len(widths)-1), len(widths)
	settled := make([]bool, len(widths))
	for again := true; again && open > 0; {
		again = false
		for i, w := range widths {
			if !settled[i] && (w <= left/open || t.columns[i].keep && w <= left/2) {
				settled[i], again = true, true
				left -= w
				open--
			}
		}
	}
	for i := range widths {
		if !settled[i] {
			widths[i] = left / open
		}
	}
	return widths
}

// row writes a row of a table. All of it looks as said, but for what must not be missed.
func (t *textWriter) row(cols []column, widths []int, row []cell, as look) {
	parts := make([][]string, len(row))
	looks := make([][]look, len(row))
	height := 0
	for i, c := range row {
		for _, l := range c {
			for _, part := range wrap(plain(l), widths[i], l.hanging()) {
				parts[i] = append(parts[i], part)
				looks[i] = append(looks[i], t.look(l, as))
			}
		}
		height = max(height, len(parts[i]))
	}
	for y := range height {
		var b strings.Builder
		for i, p := range parts {
			shown, pad := "", strings.Repeat(" ", widths[i])
			if y < len(p) {
				pad = strings.Repeat(" ", max(0, widths[i]-columns(p[y])))
				shown = t.paint(p[y], looks[i][y])
			}
			if cols[i].right {
				shown = pad + shown
			} else {
				shown += pad
			}
			if i > 0 {
				b.WriteString(strings.Repeat(" ", gap))
			}
			b.WriteString(shown)
		}
		t.lines("  ", plainLook, []string{b.String()})
	}
}

// hanging keeps what goes on with a value apart from the next line of the cell.
func (l line) hanging() int {
	for _, s := range l {
		if s.kind == value || s.kind == fieldName {
			return hanging
		}
	}
	return 0
}
