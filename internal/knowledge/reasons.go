package knowledge

import (
	"fmt"
	"slices"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// Finding is a fact that an alert can show beyond its technique.
type Finding struct {
	ID        string   `yaml:"id"`
	Statement string   `yaml:"statement"`
	Source    string   `yaml:"source"`
	Attack    []string `yaml:"attack"` // in addition to the technique's
}

// Explanation is an account of how an alert may have come about.
type Explanation struct {
	ID         string             `yaml:"id"`
	Kind       Kind               `yaml:"kind"`
	Techniques []report.Technique `yaml:"techniques"` // empty for all
	Prior      int                `yaml:"prior"`
	Needs      []string           `yaml:"needs"`  // clues that must all hold
	Unless     []string           `yaml:"unless"` // clues of which none may hold
	Statement  string             `yaml:"statement"`
	For        []Clue             `yaml:"for"`
	Against    []Clue             `yaml:"against"`
	Open       []string           `yaml:"open"`    // fields that would tell; "a|b": one of them is enough
	Because    string             `yaml:"because"` // stands in for where no clue holds
	But        string             `yaml:"but"`     // stands in against where no clue holds and little is for it
	Still      bool               `yaml:"still"`   // But stands there also where much is for it
	SettledBy  ByPlace            `yaml:"settled_by"`
	Source     string             `yaml:"source"`
}

// Kind is what an explanation would make of an alert.
type Kind string

// The kinds of explanations.
const (
	KindTest      Kind = "test"
	KindBenign    Kind = "benign"
	KindPerson    Kind = "person" // may be either
	KindMalicious Kind = "malicious"
)

// Clue is the weight that a clue has for an explanation.
type Clue struct {
	Clue     string `yaml:"clue"` // a factor's ID, or a function of internal/analyze
	Weight   int    `yaml:"weight"`
	Words    string `yaml:"words"`    // what it says against the explanation
	Decisive bool   `yaml:"decisive"` // it contradicts the explanation
}

// Unknown is something that an alert may leave open.
type Unknown struct {
	ID         string             `yaml:"id"`
	Fields     []string           `yaml:"fields"`     // any of these would tell; none if no field of Falco does
	OnlyIf     []string           `yaml:"only_if"`    // all of these must be known
	ProvenBy   []string           `yaml:"proven_by"`  // predicates that make it needless
	Scope      string             `yaml:"scope"`      // container, succeeded, always; special is asked for by code; empty for everywhere
	Techniques []report.Technique `yaml:"techniques"` // empty for all
	Why        string             `yaml:"why"`
	How        ByPlace            `yaml:"how"`
}

// ByPlace is a text that differs with the place where one has to look: any, host, container, and of
// containers docker and pod.
type ByPlace map[string]string

// At returns the text for the most special of places that has one.
func (b ByPlace) At(places []string) string {
	for _, p := range places {
		if text, ok := b[p]; ok {
			return text
		}
	}
	return ""
}

var places = []string{"failed", "pod", "docker", "container", "host", "any"}

// PlacesOf names the places that e is from, the most special first. A call that failed is the most
// special of all: it left nothing but its caller.
func PlacesOf(e *event.Event) []string {
	all := []string{"failed"}
	if result, known := e.Field("evt.res"); !known || result == "SUCCESS" || result == "0" {
		all = all[:0]
	}
	id, known := e.Field("container.id")
	runtime, _ := e.Field("container.type")
	switch _, pod := e.Field("k8s.pod.name"); {
	case pod:
		return append(all, "pod", "container", "any")
	case !known:
		return append(all, "any")
	case id == "host":
		return append(all, "host", "any")
	case runtime == "docker":
		return append(all, "docker", "container", "any")
	default:
		return append(all, "container", "any")
	}
}

// checkReasons finds references of findings, explanations and unknowns that lead nowhere.
func (b *Base) checkReasons() error {
	for _, f := range b.Findings {
		for _, id := range f.Attack {
			if _, ok := b.Attack[id]; !ok {
				return fmt.Errorf("knowledge: finding %s: no ATT&CK entry %q", f.ID, id)
			}
		}
	}
	for _, e := range b.Explanations {
		if err := b.checkUse("explanation "+e.ID, e.Techniques, e.SettledBy); err != nil {
			return err
		}
		if !slices.Contains([]Kind{KindTest, KindBenign, KindPerson, KindMalicious}, e.Kind) {
			return fmt.Errorf("knowledge: explanation %s: kind %q", e.ID, e.Kind)
		}
	}
	for _, u := range b.Unknowns {
		if err := b.checkUse("unknown "+u.ID, u.Techniques, u.How); err != nil {
			return err
		}
		for _, id := range u.ProvenBy {
			if _, _, ok := b.Predicate(id); !ok {
				return fmt.Errorf("knowledge: unknown %s: no predicate %q", u.ID, id)
			}
		}
	}
	return nil
}

func (b *Base) checkUse(what string, techniques []report.Technique, text ByPlace) error {
	for _, t := range techniques {
		if _, ok := b.Technique(t); !ok {
			return fmt.Errorf("knowledge: %s: no technique %q", what, t)
		}
	}
	for place := range text {
		if !slices.Contains(places, place) {
			return fmt.Errorf("knowledge: %s: no place %q", what, place)
		}
	}
	if text["any"] == "" {
		return fmt.Errorf("knowledge: %s: no text for any place", what)
	}
	return nil
}

// Explanation returns the entry of that ID.
func (b *Base) Explanation(id string) (Explanation, bool) {
	for _, e := range b.Explanations {
		if e.ID == id {
			return e, true
		}
	}
	return Explanation{}, false
}

// Unknown returns the entry of that ID.
func (b *Base) Unknown(id string) (Unknown, bool) {
	for _, u := range b.Unknowns {
		if u.ID == id {
			return u, true
		}
	}
	return Unknown{}, false
}
