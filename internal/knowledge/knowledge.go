// Package knowledge reads what filelessd knows about fileless execution: the taxonomy, the factors
// of the score, lists of names, and ATT&CK. It is data, embedded into the program, each entry with
// its source; the code that applies it is in match and analyze.
package knowledge

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/report"
)

//go:embed data/*.yaml
var files embed.FS

// Base is everything that is known. It is read once and shared; nobody may change it.
type Base struct {
	// Version changes whenever the data does.
	Version      string
	Techniques   []Technique
	Factors      []Factor
	Attack       map[string]report.Attack // by ID
	Lists        Lists
	Findings     map[string]Finding // by ID
	Explanations []Explanation
	Unknowns     []Unknown
}

// Technique is an entry of the taxonomy.
type Technique struct {
	ID     report.Technique `yaml:"id"`
	Scope  string           `yaml:"scope"` // core or extended
	Name   string           `yaml:"name"`
	Deed   Deed             `yaml:",inline"`
	Blind  string           `yaml:"blind"` // what Falco can not see of it
	Attack []string         `yaml:"attack"`
	// ShellAttack and PythonAttack are added if the interpreter is one of those.
	ShellAttack  string      `yaml:"shell_attack"`
	PythonAttack string      `yaml:"python_attack"`
	Source       string      `yaml:"source"`
	Predicates   []Predicate `yaml:"predicates"`
}

// Extended reports whether match.extended switches the technique.
func (t Technique) Extended() bool { return t.Scope == "extended" }

// Predicate is one way in which an event shows a technique; the first that holds counts.
type Predicate struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`    // instead of the technique's, or empty
	Base      string   `yaml:"base"`    // the factor that it is worth
	Deed      Deed     `yaml:",inline"` // instead of the technique's, where it says something
	Statement string   `yaml:"statement"`
	Attack    []string `yaml:"attack"` // instead of the technique's
}

// Deed is what a process did, in words for a sentence about it.
type Deed struct {
	Did  string `yaml:"did"`
	Is   string `yaml:"is"`    // after "a process that", of the caller of what failed
	ToDo string `yaml:"to_do"` // after "tried to"
	So   string `yaml:"so"`    // what follows from it
}

// Factor is a line that the score's ledger can have.
type Factor struct {
	ID     string `yaml:"id"`
	Weight int    `yaml:"weight"`
	Reason string `yaml:"reason"`
	Source string `yaml:"source"`
}

// Load reads the embedded data. An error is a mistake in the program.
func Load() (*Base, error) {
	b := &Base{Attack: map[string]report.Attack{}, Findings: map[string]Finding{}}
	sum := sha256.New()
	var attack []report.Attack
	var findings []Finding
	for _, f := range []struct {
		name string
		into any
	}{
		{"techniques", &b.Techniques}, {"factors", &b.Factors}, {"attack", &attack},
		{"lists", &b.Lists}, {"findings", &findings}, {"explanations", &b.Explanations},
		{"unknowns", &b.Unknowns},
	} {
		data, err := files.ReadFile("data/" + f.name + ".yaml")
		if err != nil {
			return nil, err
		}
		sum.Write(data)
		if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(f.into); err != nil {
			return nil, fmt.Errorf("knowledge %s: %w", f.name, err)
		}
	}
	for _, a := range attack {
		b.Attack[a.ID] = a
	}
	for _, f := range findings {
		b.Findings[f.ID] = f
	}
	b.Version = hex.EncodeToString(sum.Sum(nil))[:12]
	return b, errors.Join(b.checkTechniques(), b.checkReasons())
}

// checkTechniques finds references that lead nowhere.
func (b *Base) checkTechniques() error {
	for _, t := range b.Techniques {
		if t.Scope != "core" && t.Scope != "extended" {
			return fmt.Errorf("knowledge: technique %s: scope %q", t.ID, t.Scope)
		}
		ids := slices.Clone(t.Attack)
		for _, p := range t.Predicates {
			if _, ok := b.Factor(p.Base); !ok {
				return fmt.Errorf("knowledge: predicate %s: no factor %q", p.ID, p.Base)
			}
			ids = append(ids, p.Attack...)
		}
		if t.ShellAttack != "" || t.PythonAttack != "" {
			ids = append(ids, t.ShellAttack, t.PythonAttack)
		}
		for _, id := range ids {
			if _, ok := b.Attack[id]; !ok {
				return fmt.Errorf("knowledge: technique %s: no ATT&CK entry %q", t.ID, id)
			}
		}
	}
	return nil
}

// Technique returns the entry of that ID.
func (b *Base) Technique(id report.Technique) (Technique, bool) {
	for _, t := range b.Techniques {
		if t.ID == id {
			return t, true
		}
	}
	return Technique{}, false
}

// Factor returns the entry of that ID.
func (b *Base) Factor(id string) (Factor, bool) {
	for _, f := range b.Factors {
		if f.ID == id {
			return f, true
		}
	}
	return Factor{}, false
}

// Predicate returns the entry of that ID, with the technique that it is one of.
func (b *Base) Predicate(id string) (Technique, Predicate, bool) {
	for _, t := range b.Techniques {
		for _, p := range t.Predicates {
			if p.ID == id {
				return t, p, true
			}
		}
	}
	return Technique{}, Predicate{}, false
}
