package cli

import (
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/render"
)

// explainCheck is a predicate in the key explain of a line of JSON.
type explainCheck struct {
	Technique  string             `json:"technique"`
	Predicate  string             `json:"predicate"`
	Met        match.Outcome      `json:"met"` // held, near, open or no
	Conditions []explainCondition `json:"conditions"`
}

type explainCondition struct {
	Condition string             `json:"condition"`
	State     match.State        `json:"state"`  // holds, fails or unknown
	Fields    map[string]*string `json:"fields"` // null for what the alert does not have
}

func explanationOf(checks []match.Check) []explainCheck {
	var all []explainCheck
	for _, c := range checks {
		one := explainCheck{Technique: string(c.Technique), Predicate: c.Predicate, Met: c.Outcome}
		for _, condition := range c.Conditions {
			fields := map[string]*string{}
			for _, f := range condition.Fields {
				fields[f.Name] = nil
				if f.Known {
					fields[f.Name] = &f.Value
				}
			}
			one.Conditions = append(one.Conditions, explainCondition{condition.Text, condition.State, fields})
		}
		all = append(all, one)
	}
	return all
}

// checksOf is what a page shows of the same.
func checksOf(checks []match.Check) []render.Check {
	var all []render.Check
	for _, c := range checks {
		one := render.Check{Technique: string(c.Technique), Predicate: c.Predicate, Met: string(c.Outcome)}
		for _, condition := range c.Conditions {
			shown := render.Condition{Text: condition.Text, State: string(condition.State)}
			for _, f := range condition.Fields {
				shown.Fields = append(shown.Fields, render.Field(f))
			}
			one.Conditions = append(one.Conditions, shown)
		}
		all = append(all, one)
	}
	return all
}
