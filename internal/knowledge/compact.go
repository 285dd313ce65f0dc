package knowledge

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// A report is mostly words that follow from the IDs in it. The log holds reports without them: it is
// written and read for every alert, and half as large it is twice as fast. What reads the log puts
// the words back, those of the program that reads.

// Compact returns r without the words that Complete puts back. It does not change r.
func (b *Base) Compact(r *report.Report) *report.Report {
	return b.rewrite(r, func(text *string, known string) {
		if *text == known {
			*text = ""
		}
	})
}

// Complete returns r with the words that Compact left out. It does not change r, and returns it as it
// is if nothing is missing.
func (b *Base) Complete(r *report.Report) *report.Report {
	if !incomplete(r) {
		return r
	}
	return b.rewrite(r, func(text *string, known string) {
		if *text == "" {
			*text = known
		}
	})
}

// incomplete looks at one text of each kind: Compact leaves out all that it can, and an ID of which
// this program knows no words has itself as its words, so none is empty in a complete report.
func incomplete(r *report.Report) bool {
	return slices.ContainsFunc(r.Factors, func(f report.Factor) bool { return f.Reason == "" }) ||
		slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Statement == "" }) ||
		slices.ContainsFunc(r.Explanations, func(e report.Explanation) bool { return e.Statement == "" || e.SettledBy == "" }) ||
		slices.ContainsFunc(r.Unknowns, func(u report.Unknown) bool { return u.Why == "" || u.How == "" }) ||
		slices.ContainsFunc(r.Attack, func(a report.Attack) bool { return a.Name == "" })
}

// rewrite returns a copy of r on each of whose texts edit was called, with the words that the
// knowledge has for its ID.
func (b *Base) rewrite(r *report.Report, edit func(text *string, known string)) *report.Report {
	c := *r
	var at []string
	if r.Event != nil {
		at = PlacesOf(r.Event)
	}
	c.Factors = slices.Clone(r.Factors)
	for i := range c.Factors {
		f, _ := b.Factor(c.Factors[i].ID)
		edit(&c.Factors[i].Reason, words(f.Reason, c.Factors[i].ID))
	}
	c.Findings = slices.Clone(r.Findings)
	for i := range c.Findings {
		edit(&c.Findings[i].Statement, words(b.statement(c.Findings[i].ID), c.Findings[i].ID))
	}
	c.Explanations = slices.Clone(r.Explanations)
	for i := range c.Explanations {
		e, _ := b.Explanation(c.Explanations[i].ID)
		edit(&c.Explanations[i].Statement, words(e.Statement, c.Explanations[i].ID))
		edit(&c.Explanations[i].SettledBy, words(e.SettledBy.At(at), c.Explanations[i].ID))
	}
	c.Unknowns = slices.Clone(r.Unknowns)
	for i := range c.Unknowns {
		u, _ := b.Unknown(c.Unknowns[i].ID)
		edit(&c.Unknowns[i].Why, words(u.Why, c.Unknowns[i].ID))
		edit(&c.Unknowns[i].How, words(u.How.At(at), c.Unknowns[i].ID))
	}
	c.Attack = slices.Clone(r.Attack)
	for i := range c.Attack {
		a := &c.Attack[i]
		known := b.Attack[a.ID]
		edit(&a.Name, words(known.Name, a.ID))
		switch {
		case a.Name == "" && slices.Equal(a.Tactics, known.Tactics):
			a.Tactics = nil
		case len(a.Tactics) == 0:
			a.Tactics = known.Tactics
		}
	}
	return &c
}

// words are those of an ID that this program does not know: a record can be older or newer than it.
func words(known, id string) string {
	if known != "" {
		return known
	}
	return strings.ReplaceAll(id, "_", " ")
}

// BlindPrefix begins the ID of the finding that tells what Falco can not see of a technique.
const BlindPrefix = "blind_"

// statement has the words of a finding: a fact of its own, a predicate, or a technique's blind spot.
func (b *Base) statement(id string) string {
	if f, ok := b.Findings[id]; ok {
		return f.Statement
	}
	if technique, ok := strings.CutPrefix(id, BlindPrefix); ok {
		t, _ := b.Technique(report.Technique(technique))
		return t.Blind
	}
	_, p, _ := b.Predicate(id)
	return p.Statement
}
