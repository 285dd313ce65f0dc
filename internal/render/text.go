package render

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// pageWidth is how many columns text has. Only commands and files are wider where they have to be,
// since a reader copies them.
const pageWidth = 100

// Text writes r for a terminal, without colours. Headings begin at the left edge and nothing else
// does, so that no value can pass for one.
func Text(r *report.Report) []byte {
	var t textWriter
	t.out = make([]byte, 0, 16<<10)
	for _, b := range written(page(r)) {
		t.block(b)
	}
	return t.out
}

type textWriter struct {
	out       []byte
	underHead bool // the latest block is a heading
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
		t.lines("  ", wrap(plain(b.text), pageWidth-2, 0))
	case table:
		t.table(b)
	case terms:
		t.terms(b)
	case verbatim:
		t.verbatim(b)
	case divider:
		t.lines("  ", []string{strings.Repeat("-", pageWidth-2)})
	}
}

func (t *textWriter) heading(h heading) {
	switch h.level {
	case 1:
		all := wrap(plain(h.whole()), pageWidth, hanging)
		t.lines("", all)
		longest := 0
		for _, l := range all {
			longest = max(longest, columns(strings.TrimRight(l, " ")))
		}
		t.lines("", []string{strings.Repeat("=", longest)})
	case 2:
		t.lines("", []string{strings.ToUpper(plain(h.text))})
	default:
		t.lines("", wrap(plain(h.text), pageWidth, hanging))
	}
}

func (t *textWriter) lines(indent string, all []string) {
	for _, l := range all {
		if l = strings.TrimRight(l, " "); l != "" {
			t.out = append(t.out, indent...)
			t.out = append(t.out, l...)
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
			t.lines("    ", wrap(l, pageWidth-4, 0))
		} else {
			t.lines("    ", []string{strings.ReplaceAll(l, "\t", "    ")})
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
	widths := tab.widths(rows, pageWidth-2)
	for i, row := range rows {
		t.row(tab.columns, widths, row)
		if i == 0 && titles != nil {
			t.row(tab.columns, widths, underlines(widths))
		}
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

func (t *textWriter) row(cols []column, widths []int, row []cell) {
	parts := make([][]string, len(row))
	height := 0
	for i, c := range row {
		for _, l := range c {
			parts[i] = append(parts[i], wrap(plain(l), widths[i], l.hanging())...)
		}
		height = max(height, len(parts[i]))
	}
	for y := range height {
		var b strings.Builder
		for i, p := range parts {
			shown := ""
			if y < len(p) {
				shown = p[y]
			}
			pad := strings.Repeat(" ", max(0, widths[i]-columns(shown)))
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
		t.lines("  ", []string{b.String()})
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
