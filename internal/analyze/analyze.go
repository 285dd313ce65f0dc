// Package analyze turns an alert that matched into a report: the ledger of the score, the verdict,
// what the alert shows, and what it leaves open.
//
// It is pure: the same alert, knowledge and configuration give the same report. Every statement
// names the fields that it rests on. Text from the alert is compared and quoted, never interpreted.
package analyze

import (
	"fmt"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// Analyzer makes reports. It may be used from several goroutines.
type Analyzer struct {
	base    *knowledge.Base
	config  match.Config
	version string
	factors []boundFactor
	clues   map[string]func(*Analyzer, *subject) []string
	steps   []step
}

// step completes a report. Later steps read what earlier ones found.
type step struct {
	name string
	run  func(*Analyzer, *subject)
}

// subject is one analysis under way.
type subject struct {
	match.Facts
	event  *event.Event
	hits   []match.Hit
	report *report.Report
}

// New returns an analyzer of that version of the program.
func New(base *knowledge.Base, config match.Config, version string) (*Analyzer, error) {
	a := &Analyzer{base: base, config: config, version: version, clues: clues(), steps: []step{
		{"taxonomy", (*Analyzer).classify},
		{"score", (*Analyzer).score},
		{"verdict", (*Analyzer).judge},
		{"findings", (*Analyzer).find},
		{"explanations", (*Analyzer).explain},
		{"unknowns", (*Analyzer).askUnknowns},
		{"words", (*Analyzer).describe},
	}}
	all := factors()
	for _, f := range base.Factors {
		if isBase(base, f.ID) {
			continue
		}
		applies, ok := all[f.ID]
		if !ok {
			return nil, fmt.Errorf("analyze: no factor %q", f.ID)
		}
		a.factors = append(a.factors, boundFactor{f, applies})
	}
	return a, a.checkClues()
}

// checkClues makes sure that every clue of an explanation is one.
func (a *Analyzer) checkClues() error {
	for i := range a.base.Explanations {
		e := &a.base.Explanations[i]
		ids := append(slices.Clone(e.Needs), e.Unless...)
		for _, c := range append(slices.Clone(e.For), e.Against...) {
			ids = append(ids, c.Clue)
		}
		for _, id := range ids {
			if _, ok := a.base.Factor(id); !ok && a.clues[id] == nil {
				return fmt.Errorf("analyze: explanation %s: no clue %q", e.ID, id)
			}
		}
	}
	return nil
}

func isBase(base *knowledge.Base, factor string) bool {
	for _, t := range base.Techniques {
		for _, p := range t.Predicates {
			if p.Base == factor {
				return true
			}
		}
	}
	return false
}

// Report analyses e, for which match found hits, of which there must be one. It takes possession of
// e. A step that panics leaves a note in the report and costs nothing else.
func (a *Analyzer) Report(e *event.Event, hits []match.Hit) *report.Report {
	e.Normalise()
	s := &subject{
		Facts: match.FactsOf(e), event: e, hits: hits,
		report: &report.Report{
			ID: e.ID(), Kind: report.KindAlert, SchemaVersion: report.SchemaVersion,
			CreatedAt: e.Received.UTC().Round(0), Event: e,
			Analysis: report.Analysis{Version: a.version, Knowledge: a.base.Version},
			Title:    "Fileless execution", Verdict: report.Suspicious,
			Confidence: report.LowConfidence, Severity: report.Medium,
		},
	}
	for _, st := range a.steps {
		a.runStep(st, s)
	}
	return s.report
}

func (a *Analyzer) runStep(st step, s *subject) {
	defer func() {
		if recover() != nil {
			s.report.Unknowns = append(s.report.Unknowns, report.Unknown{
				ID: "analysis_" + st.name, Field: "rule",
				Why: "a part of the analysis failed on this alert; what is said elsewhere holds",
				How: "report it as a mistake of filelessd, with this alert",
			})
		}
	}()
	st.run(a, s)
}

// classify names the technique, the others that hold, and what of ATT&CK they support.
func (a *Analyzer) classify(s *subject) {
	s.report.Technique = s.hits[0].Technique
	seen := map[string]bool{}
	for i, h := range s.hits {
		if i > 0 {
			s.report.Also = append(s.report.Also, h.Technique)
		}
		for _, id := range h.Attack {
			if attack, ok := a.base.Attack[id]; ok && !seen[id] {
				seen[id] = true
				s.report.Attack = append(s.report.Attack, attack)
			}
		}
	}
}

// hit returns the hit of technique t.
func (s *subject) hit(t report.Technique) (match.Hit, bool) {
	for _, h := range s.hits {
		if h.Technique == t {
			return h, true
		}
	}
	return match.Hit{}, false
}

// when is the time of the event, or of its receipt if the alert had none.
func (s *subject) when() time.Time {
	if s.event.Time.IsZero() {
		return s.event.Received
	}
	return s.event.Time
}
