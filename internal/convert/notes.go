package convert

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/filelessd/filelessd/pkg/report"
)

// Kind says what a note is about.
type Kind string

// The kinds.
const (
	General   Kind = "general"   // what holds for the whole
	Converted Kind = "converted" // an output is a sink, or a key has become another
	Dropped   Kind = "dropped"   // a key means nothing to filelessd
	Secret    Kind = "secret"    // a value is not in the configuration: a variable has to have it
	Stays     Kind = "stays"     // an output stays with Falcosidekick
	Off       Kind = "off"       // an output has settings and is not switched on
	Unknown   Kind = "unknown"   // a key that Falcosidekick does not know either
	Bad       Kind = "bad"       // a value that can not be understood
)

// Note says what became of a part of the input, and why. It holds no value of the input.
type Note struct {
	File     string `json:"file,omitempty"` // that has the line: the configuration, or the environment
	Line     int    `json:"line"`           // 0 for what stands on no line
	Key      string `json:"key"`            // such as slack.channel; empty for the whole
	Kind     Kind   `json:"kind"`
	What     string `json:"what"`
	Variable string `json:"variable,omitempty"` // of a secret: the environment variable to set
}

// Variable is an environment variable that the new configuration needs.
type Variable struct {
	Name string `json:"name"`
	Key  string `json:"key"` // of the input, whose value it is to have; empty for one that the input does not have
	Line int    `json:"line"`
	// How says what the variable has to have if it is not just the value of the key.
	How string `json:"how,omitempty"`
}

func (n Note) String() string {
	text := string(n.Kind) + ": " + n.What
	if n.Key != "" {
		text = n.Key + ": " + text
	}
	if n.Line > 0 {
		text = fmt.Sprintf("%s:%d: %s", n.File, n.Line, text)
	}
	return report.Visible(text)
}

// shown is a key of the input in a note: it could be anything, and of any length.
func shown(key string) string {
	const longest = 80
	runes := []rune(report.Visible(key))
	if len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(runes)
}

// sortNotes returns each note once. It puts what is general first, then what stands on no line, and then goes by the lines of the
// configuration, which main names, and of the environment.
func sortNotes(notes []Note, main string) []Note {
	place := func(n Note) int {
		switch {
		case n.Kind == General:
			return 0
		case n.Line == 0:
			return 1
		case n.File == main:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(notes, func(a, b Note) int { return cmp.Or(place(a)-place(b), a.Line-b.Line) })
	return slices.Compact(notes)
}
