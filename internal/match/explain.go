package match

import (
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// Outcome is how far an event meets a predicate.
type Outcome string

// The outcomes.
const (
	Held Outcome = "held" // the event shows the technique by it
	Near Outcome = "near" // all but one of the conditions hold, and one of those is a sign of the technique
	Open Outcome = "open" // no condition fails, but the alert does not say enough for all of them
	No   Outcome = "no"
)

// State is what an event says of a condition.
type State string

// The states.
const (
	Holds   State = "holds"
	Fails   State = "fails"
	Unknown State = "unknown" // the fields that would tell are not in the alert
)

// A Check is one predicate held against one event.
type Check struct {
	Technique  report.Technique
	Predicate  string // of the taxonomy, or the ID of an operator's rule
	Statement  string // what it would show
	Outcome    Outcome
	Conditions []Condition // all of which have to hold
}

// A Condition is one thing that a predicate asks for.
type Condition struct {
	Text   string
	State  State
	Fields []Field // what it looked at
}

// Field is a value of the event; it is empty if Known is false.
type Field struct {
	Name, Value string
	Known       bool
}

// Explain holds every predicate against e, in the order of the taxonomy, then the operator's rules. Of a
// technique Match takes the first that holds; here all of them stand.
//
// It is apart from Match, which runs for every alert and allocates nothing for one that is not ours. A
// test ties the two: a predicate is Held exactly if its function finds evidence.
func (s *Set) Explain(e *event.Event) []Check {
	f := FactsOf(e)
	all := conditions()
	var checks []Check
	for _, t := range s.techniques {
		for _, p := range t.Predicates {
			c := Check{Technique: t.ID, Predicate: p.ID, Statement: p.Statement}
			signs := 0
			for _, condition := range append([]condition{fromSystemCalls}, all[p.ID]...) {
				state, names := condition.look(s.base, &f)
				if state == Holds && condition.always {
					continue
				}
				if state == Holds && condition.sign {
					signs++
				}
				c.Conditions = append(c.Conditions, Condition{condition.text, state, fieldsOf(e, names)})
			}
			c.Outcome = outcome(c.Conditions, signs > 0)
			checks = append(checks, c)
		}
	}
	for i := range s.rules {
		checks = append(checks, s.rules[i].explain(e))
	}
	return checks
}

func outcome(all []Condition, sign bool) Outcome {
	var fails, unknown int
	for _, c := range all {
		switch c.State {
		case Fails:
			fails++
		case Unknown:
			unknown++
		}
	}
	switch {
	case fails+unknown == 0:
		return Held
	case fails+unknown == 1 && sign:
		return Near
	case fails == 0:
		return Open
	default:
		return No
	}
}

// explain holds an operator's rule against e. Its expression is one condition: an unknown field is an
// empty string there.
func (r *rule) explain(e *event.Event) Check {
	c := Check{Technique: r.hit.Technique, Predicate: r.ID, Statement: r.hit.Statement, Outcome: No}
	state := Fails
	if _, ok := r.match(e, func(string, error) {}); ok {
		state, c.Outcome = Holds, Held
	}
	names, _ := r.when.Fields()
	c.Conditions = []Condition{{r.When, state, fieldsOf(e, names)}}
	return c
}

func fieldsOf(e *event.Event, names []string) []Field {
	fields := make([]Field, len(names))
	for i, name := range names {
		value, ok := e.Field(name)
		switch name {
		case "rule":
			value, ok = e.Rule, e.Rule != ""
		case "source":
			value, ok = e.Source, e.Source != ""
		}
		fields[i] = Field{name, value, ok}
	}
	return fields
}
