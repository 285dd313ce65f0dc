package analyze

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/report"
)

// mostExplanations is how many a reader weighs against each other.
const mostExplanations = 5

// littleWeight is what clues may add while an explanation still rests on little.
const littleWeight = 10

// candidate is an explanation that the fields allow.
type candidate struct {
	*knowledge.Explanation
	weight       int
	contradicted bool
	pro, contra  []string
}

// explain offers what the fields allow, most likely first. The weights are the knowledge's; what
// makes an explanation impossible leaves it out, what contradicts it puts it last.
func (a *Analyzer) explain(s *subject) {
	places := knowledge.PlacesOf(s.event)
	all := make([]candidate, 0, 8)
	for i := range a.base.Explanations {
		if c, ok := a.weigh(s, &a.base.Explanations[i]); ok {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(x, y candidate) int {
		if x.contradicted != y.contradicted {
			if x.contradicted {
				return 1
			}
			return -1
		}
		return y.weight - x.weight
	})
	agreeFirst(all, s.report.Verdict)
	for _, c := range all[:min(len(all), mostExplanations)] {
		s.report.Explanations = append(s.report.Explanations, report.Explanation{
			ID: c.ID, Statement: c.Statement, For: c.pro, Against: c.contra, SettledBy: c.SettledBy.At(places),
		})
	}
}

// agreeFirst moves the most likely explanation that goes with the verdict to the front: two answers
// to one question would be none.
func agreeFirst(all []candidate, v report.Verdict) {
	for i, c := range all {
		if !c.contradicted && agrees(c.Kind, v) {
			copy(all[1:i+1], all[:i])
			all[0] = c
			return
		}
	}
}

func agrees(k knowledge.Kind, v report.Verdict) bool {
	switch v {
	case report.Test:
		return k == knowledge.KindTest
	case report.BenignLikely:
		return k == knowledge.KindBenign || k == knowledge.KindTest
	case report.MaliciousLikely:
		return k == knowledge.KindMalicious
	default:
		return true
	}
}

// weigh adds up what speaks for and against e; ok is false if it can not be.
func (a *Analyzer) weigh(s *subject, e *knowledge.Explanation) (c candidate, ok bool) {
	if !s.concerns(e.Techniques) {
		return c, false
	}
	for _, id := range e.Needs {
		if len(a.clue(s, id)) == 0 {
			return c, false
		}
	}
	for _, id := range e.Unless {
		if len(a.clue(s, id)) > 0 {
			return c, false
		}
	}
	c = candidate{Explanation: e, weight: e.Prior}
	gained := 0
	for _, clue := range e.For {
		if evidence := a.clue(s, clue.Clue); len(evidence) > 0 {
			gained += clue.Weight
			c.pro = appendNew(c.pro, evidence)
		}
	}
	c.weight += gained
	if len(c.pro) == 0 && e.Because != "" {
		c.pro = []string{whole(e.Because)}
	}
	for _, clue := range e.Against {
		if evidence := a.clue(s, clue.Clue); len(evidence) > 0 {
			c.weight += clue.Weight
			c.contradicted = c.contradicted || clue.Decisive
			c.contra = append(c.contra, strings.Join(evidence, ", ")+": "+clue.Words+".")
		}
	}
	if open := s.open(e.Open); len(open) > 0 {
		c.contra = append(c.contra, "Not in the alert: "+strings.Join(open, ", ")+".")
	}
	if len(c.contra) == 0 {
		c.contra = []string{"Nothing in the alert speaks against it."}
		if e.But != "" && (gained <= littleWeight || e.Still) {
			c.contra[0] = whole(e.But)
		}
	}
	return c, true
}

// whole makes a sentence of words.
func whole(words string) string { return sentence(words) + "." }

// clue returns the evidence for a clue: a line of the ledger, or what its function finds.
func (a *Analyzer) clue(s *subject, id string) []string {
	if f, ok := a.clues[id]; ok {
		return f(a, s)
	}
	return s.evidenceOf(id)
}

// open names the fields that would tell and are unknown. On a host no field of containers would.
func (s *subject) open(fields []string) (names []string) {
	for _, one := range fields {
		alternatives := strings.Split(one, "|")
		if len(known(s, alternatives...)) > 0 || s.OnHost() && strings.HasPrefix(one, "container.") {
			continue
		}
		names = append(names, alternatives[0])
	}
	return names
}

func appendNew(list, more []string) []string {
	for _, name := range more {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
