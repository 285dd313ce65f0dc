package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// A Hit is one technique that an event shows.
type Hit struct {
	Technique report.Technique
	Predicate string   // of the taxonomy, or the ID of an operator's rule
	Name      string   // what happened, as a noun
	Base      string   // the factor that the evidence is worth
	Statement string   // what the evidence shows, in words that hold nothing of the event
	Attack    []string // IDs of ATT&CK techniques
	Evidence  []string // names of what shows it
}

// A Set is the rules that say which events are fileless execution. It may be used from several
// goroutines.
type Set struct {
	base       *knowledge.Base
	techniques []technique
	rules      []rule
	onError    func(rule string, err error)
	facts      sync.Pool // of *Facts, so that a miss allocates nothing
}

type technique struct {
	knowledge.Technique
	predicates []predicate // in the order of the taxonomy
}

type rule struct {
	Rule
	when *when.Program
	hit  Hit
}

// New builds the set. onError hears of an operator's rule that failed on an event, which counts as
// not matching.
func New(base *knowledge.Base, c Config, onError func(rule string, err error)) (*Set, error) {
	s := &Set{base: base, onError: onError}
	all := predicates()
	for _, t := range base.Techniques {
		if t.Extended() && !c.Extended {
			continue
		}
		bound := technique{Technique: t}
		for _, p := range t.Predicates {
			f, ok := all[p.ID]
			if !ok {
				return nil, fmt.Errorf("match: no predicate %q", p.ID)
			}
			bound.predicates = append(bound.predicates, f)
		}
		s.techniques = append(s.techniques, bound)
	}
	var errs []error
	for _, r := range c.Rules {
		bound, err := s.bind(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("match.rules: %s: %w", r.ID, err))
			continue
		}
		s.rules = append(s.rules, bound)
	}
	return s, errors.Join(errs...)
}

// bind makes an operator's rule a rule of the set. It is worth as much as the weakest evidence of
// its technique: the rule says so, no field of ours shows it.
func (s *Set) bind(r Rule) (rule, error) {
	t, ok := s.base.Technique(report.Technique(r.Technique))
	if !ok {
		return rule{}, fmt.Errorf("unknown technique %q", r.Technique)
	}
	program, err := when.Compile(r.When)
	if err != nil {
		return rule{}, fmt.Errorf("when: %w", err)
	}
	weakest := t.Predicates[len(t.Predicates)-1]
	statement := fmt.Sprintf("an operator's rule (%s) says so", r.ID)
	if r.Reason != "" {
		statement += ": " + r.Reason
	}
	return rule{Rule: r, when: program, hit: Hit{
		Technique: t.ID, Predicate: r.ID, Name: t.Name, Base: weakest.Base, Statement: statement, Attack: t.Attack,
	}}, nil
}

// Match returns every technique that e shows, in the order of the taxonomy; none means that e is
// not ours. The first predicate of a technique that holds counts.
func (s *Set) Match(e *event.Event) []Hit {
	var hits []Hit
	if e.Source == event.DefaultSource || e.Source == "" {
		f, ok := s.facts.Get().(*Facts)
		if !ok {
			f = new(Facts)
		}
		*f = FactsOf(e)
		for i := range s.techniques {
			if hit, ok := s.techniques[i].match(s.base, f); ok {
				hits = append(hits, hit)
			}
		}
		*f = Facts{}
		s.facts.Put(f)
	}
	own := len(hits)
	for i := range s.rules {
		if hit, ok := s.rules[i].match(e, s.onError); ok && !has(hits, hit.Technique) {
			hits = append(hits, hit)
		}
	}
	if len(hits) > own {
		slices.SortStableFunc(hits, func(a, b Hit) int { return s.rank(a.Technique) - s.rank(b.Technique) })
	}
	return hits
}

// rank is the place of t in the taxonomy.
func (s *Set) rank(t report.Technique) int {
	return slices.IndexFunc(s.base.Techniques, func(k knowledge.Technique) bool { return k.ID == t })
}

func (t *technique) match(k *knowledge.Base, f *Facts) (Hit, bool) {
	for i, p := range t.predicates {
		evidence := p(k, f)
		if len(evidence) == 0 {
			continue
		}
		of := t.Predicates[i]
		hit := Hit{
			Technique: t.ID, Predicate: of.ID, Name: t.Name, Base: of.Base,
			Statement: of.Statement, Attack: t.Attack, Evidence: evidence,
		}
		if of.Name != "" {
			hit.Name = of.Name
		}
		if len(of.Attack) > 0 {
			hit.Attack = of.Attack
		}
		image := Base(f.ExePath)
		switch {
		case t.ShellAttack != "" && k.Lists.Shells.HasName(image):
			hit.Attack = append(hit.Attack[:len(hit.Attack):len(hit.Attack)], t.ShellAttack)
		case t.PythonAttack != "" && strings.TrimRight(image, "0123456789.") == "python":
			hit.Attack = append(hit.Attack[:len(hit.Attack):len(hit.Attack)], t.PythonAttack)
		}
		return hit, true
	}
	return Hit{}, false
}

func (r *rule) match(e *event.Event, onError func(string, error)) (Hit, bool) {
	ok, err := r.when.Event(e)
	if err != nil {
		onError(r.ID, err)
		return Hit{}, false
	}
	if !ok {
		return Hit{}, false
	}
	hit := r.hit
	hit.Evidence = r.evidence(e)
	return hit, true
}

// evidence names what the rule looked at and the event has.
func (r *rule) evidence(e *event.Event) []string {
	var names []string
	fields, _ := r.when.Fields()
	for _, name := range fields {
		if _, ok := e.Field(name); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = append(names, "rule")
	}
	return names
}

func has(hits []Hit, t report.Technique) bool {
	for _, h := range hits {
		if h.Technique == t {
			return true
		}
	}
	return false
}

// Allowed returns the operator's entry that vouches for exactly this image digest, parent and
// arguments at the time now, and the names of the fields that agree. An unknown value never
// matches.
func Allowed(entries []Allow, f *Facts, now time.Time) (Allow, []string, bool) {
	args, field := f.Arguments()
	if f.ImageDigest == "" || f.ParentPath == "" || field == "" {
		return Allow{}, nil, false
	}
	for _, a := range entries {
		if a.ImageDigest == f.ImageDigest && a.ParentPath == f.ParentPath && a.Args == args && now.Before(a.Expires) {
			return a, []string{"container.image.digest", "proc.pexepath", field}, true
		}
	}
	return Allow{}, nil, false
}
