package render

import (
	"slices"

	"github.com/filelessd/filelessd/pkg/report"
)

// A block is one part of a page.
type block interface{ isBlock() }

// heading has a level from 1, the title of the page, to 4.
type heading struct {
	level int
	kind  string // of page, before the title; empty for none
	text  line
}

// whole is the heading with the kind of page before it.
func (h heading) whole() line {
	if h.kind == "" {
		return h.text
	}
	return append(line{words(h.kind + ": ")}, h.text...)
}

type paragraph struct{ text line }

// table has rows of as many cells as it has columns; a row may end early. A table whose columns have
// no titles is a list of facts: its first column names what the second tells.
type table struct {
	columns []column
	rows    [][]cell
}

// fact adds a row to a list of facts, unless there is nothing to tell.
func (t *table) fact(name string, c cell) {
	if len(c) > 0 {
		t.rows = append(t.rows, []cell{text(name), c})
	}
}

// facts is t as a list of facts, nil if it has none.
func (t *table) facts() []block {
	if len(t.rows) == 0 {
		return nil
	}
	t.columns = make([]column, 2)
	return []block{*t}
}

type column struct {
	title string
	right bool // numbers, aligned at their ends
	keep  bool // short texts that had better not be broken
}

// terms are a few short facts about what stands above them.
type terms []term

type term struct {
	name string
	text cell
}

// add adds a term, unless there is nothing to tell.
func (t *terms) add(name string, c cell) {
	if len(c) > 0 {
		*t = append(*t, term{name, c})
	}
}

// block is t as a block, nil if it has no terms.
func (t terms) block() []block {
	if len(t) == 0 {
		return nil
	}
	return []block{t}
}

// verbatim is text that keeps its lines.
type verbatim struct {
	language string   // of the text, such as sh; empty for none
	lines    []string // visible, but for tabs
	wrap     bool     // a long line is data to be read, not a command or a file to be copied
}

// fold is a part that a reader opens when it is needed, where a format knows how.
type fold struct {
	head heading
	body []block
	file bool // a whole file, for which text, on a terminal, is no place
}

// divider sets what follows apart from the section before it.
type divider struct{}

func (heading) isBlock()   {}
func (paragraph) isBlock() {}
func (table) isBlock()     {}
func (terms) isBlock()     {}
func (verbatim) isBlock()  {}
func (fold) isBlock()      {}
func (divider) isBlock()   {}

// A cell is lines that stand below each other, or behind each other where a format knows cells of
// one line only.
type cell []line

// A line is spans behind each other. Where a format does not mark values, the end of a value is
// the end of its line: nothing but a note of ours comes after it.
type line []span

type span struct {
	kind spanKind
	text string // visible and without a newline
}

type spanKind int

const (
	prose     spanKind = iota
	strong             // prose that must not be missed
	value              // a value of the alert
	fieldName          // the name of a field or a file
)

// page lays r out: the verdict, then what happened, why it is judged so, what is not known, what to
// do, and at last the alert itself. A section that has nothing to say is left out.
func page(r *report.Report) []block {
	return slices.Concat(
		verdictBanner(r), title(r), facts(r),
		under(2, "Summary", summary(r)),
		under(2, "Group", group(r)),
		under(2, "Detailed Analysis",
			under(3, "What the alert shows", findings(r)),
			under(3, "Process chain", ancestry(r)),
			under(3, "Score", score(r)),
			under(3, "Explanations", explanations(r)),
			under(3, "Timeline", timeline(r)),
			under(3, "Not known from this alert", unknowns(r)),
			under(3, "ATT&CK", attack(r)),
			under(3, "Do now", actions(r))),
		under(2, "Mitigation Strategies", mitigations(r)),
		under(2, "Example Configuration Files", files(r)),
		under(2, "The Alert",
			folded(3, "All fields", fields(r)),
			under(3, "Output line", output(r))),
		footer(r),
	)
}

// under puts a heading over parts, or returns nil if there are none.
func under(level int, text string, parts ...[]block) []block {
	body := slices.Concat(parts...)
	if len(body) == 0 {
		return nil
	}
	return append([]block{heading{level: level, text: line{words(text)}}}, body...)
}

// folded is like under, and folds what is under the heading.
func folded(level int, text string, body []block) []block {
	if len(body) == 0 {
		return nil
	}
	return []block{fold{head: heading{level: level, text: line{words(text)}}, body: body}}
}

// written is a page for a format that neither draws nor folds.
func written(page []block) []block {
	all := make([]block, 0, len(page)+32)
	for _, b := range page {
		switch b := b.(type) {
		case banner, rail, ledger:
		case fold:
			all = append(append(all, b.head), b.body...)
		default:
			all = append(all, b)
		}
	}
	return all
}
