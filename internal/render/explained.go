package render

import (
	"fmt"
	"slices"

	"github.com/filelessd/filelessd/pkg/event"
)

// Explained is an alert with what each predicate of the taxonomy asks for, and whether it is so.
type Explained struct {
	Event   *event.Event
	Matched bool   // a report stands before, and tells the rest of the alert
	Place   string // where the alert was read
	Checks  []Check
}

// Check is one predicate.
type Check struct {
	Technique, Predicate string
	Met                  string // held, near, open or no
	Conditions           []Condition
}

// Condition is a part of a predicate.
type Condition struct {
	Text   string
	State  string // holds, fails or unknown
	Fields []Field
}

// Field is a value that a condition looked at; without Known the alert does not have it.
type Field struct {
	Name, Value string
	Known       bool
}

// Explained writes what was recognised and what nearly was, in the style.
func (s TextStyle) Explained(x *Explained) []byte { return s.blocks(x.page(), neutral) }

// MarkdownExplained writes the same as Markdown.
func MarkdownExplained(x *Explained) []byte {
	var m markdown
	for i, b := range x.page() {
		if i > 0 {
			m.add("\n")
		}
		m.block(b)
	}
	return m.out
}

func (x *Explained) page() []block {
	return append(x.head(), x.predicates()...)
}

// head tells of an alert without a report which one it is.
func (x *Explained) head() []block {
	if x.Matched {
		return []block{heading{level: 2, text: line{words("Predicates")}}}
	}
	e := x.Event
	var t table
	t.fact("Read from", cell{data(x.Place)})
	if !e.Time.IsZero() {
		t.fact("When", text(instant(e.Time)))
	}
	t.fact("Where", orUnknown(where(e)))
	t.fact("What", orUnknown(known(e, "evt.type", "proc.cmdline", "proc.exepath", "proc.pid")))
	t.fact("Alert ID", cell{data(e.ID())})
	return append([]block{heading{level: 1, kind: "No Match", text: line{words(e.Rule)}}}, t.facts()...)
}

// met orders the outcomes that are shown, and says them in words.
var met = []struct{ outcome, words string }{
	{"held", "held"}, {"near", "nearly"}, {"open", "can not tell"},
}

func (x *Explained) predicates() []block {
	t := table{columns: []column{
		{title: "Predicate", keep: true}, {title: "What it asks for"}, {title: "Is so", keep: true}, {title: "Field = value"},
	}}
	for _, m := range met {
		for _, c := range x.Checks {
			if c.Met == m.outcome {
				t.rows = append(t.rows, c.rows(m.words)...)
			}
		}
	}
	none := 0
	for _, c := range x.Checks {
		if !slices.ContainsFunc(met, func(m struct{ outcome, words string }) bool { return m.outcome == c.Met }) {
			none++
		}
	}
	rest := []block{paragraph{line{words(fmt.Sprintf("Not met, and not nearly: %d of %d predicates.", none, len(x.Checks)))}}}
	if len(t.rows) == 0 {
		return rest
	}
	return append([]block{t}, rest...)
}

// rows has a row for each condition; of a predicate that can not be told only those that are unknown.
func (c *Check) rows(met string) [][]cell {
	first := cell{data(c.Predicate), {words("of " + c.Technique)}, {loud(met)}}
	var rows [][]cell
	for _, condition := range c.Conditions {
		if c.Met == "open" && condition.State == "holds" {
			continue
		}
		is := map[string]string{"holds": "yes", "fails": "no"}[condition.State]
		so := text(is)
		if is == "" {
			so = text("unknown")
		}
		if condition.State != "holds" {
			so = cell{{loud(plain(so[0]))}}
		}
		rows = append(rows, []cell{first, text(condition.Text), so, condition.fields()})
		first = nil
	}
	return rows
}

// fields are the values that are there; if none is, the names.
func (c *Condition) fields() cell {
	var there, missing cell
	for _, f := range c.Fields {
		if f.Known {
			there = append(there, named(f.Name, f.Value))
		} else {
			missing = append(missing, append(data(f.Name), words(" (not in the alert)")))
		}
	}
	if c.State == "unknown" {
		return append(there, missing...)
	}
	if there == nil {
		return missing
	}
	return there
}
