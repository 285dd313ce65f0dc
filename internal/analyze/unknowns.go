package analyze

import (
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/report"
)

// mostUnknowns is how many a reader takes in; the knowledge has them in the order of their worth.
const mostUnknowns = 15

// askUnknowns lists what the alert does not say, and how to learn it.
func (a *Analyzer) askUnknowns(s *subject) {
	places := knowledge.PlacesOf(s.event)
	s.report.Unknowns = append(make([]report.Unknown, 0, mostUnknowns), s.report.Unknowns...)
	add := func(u *knowledge.Unknown) {
		s.report.Unknowns = append(s.report.Unknowns, report.Unknown{
			ID: u.ID, Field: firstField(u), Why: u.Why, How: u.How.At(places),
		})
	}
	if u, ok := a.base.Unknown("time"); ok && s.event.Time.IsZero() {
		add(&u)
	}
	if u, ok := a.base.Unknown("host"); ok && s.Hostname == "" {
		add(&u)
	}
	for i := range a.base.Unknowns {
		if u := &a.base.Unknowns[i]; len(s.report.Unknowns) < mostUnknowns && s.leavesOpen(u) {
			add(u)
		}
	}
}

// firstField is empty for what no field of Falco tells: a field that is in the alert must not be
// called unknown.
func firstField(u *knowledge.Unknown) string {
	if len(u.Fields) == 0 {
		return ""
	}
	return u.Fields[0]
}

func (s *subject) leavesOpen(u *knowledge.Unknown) bool {
	switch u.Scope {
	case "container":
		if !s.InContainer() {
			return false
		}
	case "always":
		return s.concerns(u.Techniques)
	case "succeeded":
		if s.Failed() {
			return false
		}
	case "special":
		return false
	}
	if !s.concerns(u.Techniques) || len(known(s, u.OnlyIf...)) < len(u.OnlyIf) {
		return false
	}
	for _, h := range s.hits {
		for _, proven := range u.ProvenBy {
			if h.Predicate == proven {
				return false
			}
		}
	}
	return len(known(s, u.Fields...)) == 0
}

func (s *subject) concerns(techniques []report.Technique) bool {
	if len(techniques) == 0 {
		return true
	}
	for _, t := range techniques {
		if _, ok := s.hit(t); ok {
			return true
		}
	}
	return false
}
