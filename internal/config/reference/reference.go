// Package reference writes configurations that explain themselves: every key with its default and the
// comment of its field. The comments come from the source by go generate ./internal/config/refgen, and are
// a part of the program, so that it can explain the kinds of sinks that it has; of a kind that another
// module brings, the keys and defaults are known, and no comments.
package reference

import (
	_ "embed" // of the notes
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

//go:embed notes.json
var embedded []byte

// Notes is what is known of keys beside what their types say.
type Notes struct {
	// Comments of the keys, by NameOf.
	Comments map[string]string `json:"comments"`
	// Examples are values of keys that have no default, by type and key.
	Examples map[string]string `json:"examples"`
}

// Embedded returns the notes of this program.
func Embedded() (*Notes, error) {
	n := new(Notes)
	if err := json.Unmarshal(embedded, n); err != nil {
		return nil, fmt.Errorf("comments of the configuration: %w", err)
	}
	return n, nil
}

// NameOf names a key of t by the struct that it is declared in.
func NameOf(t reflect.Type, k config.Key) string {
	for _, i := range k.Index[:len(k.Index)-1] {
		t = t.Field(i).Type
	}
	return t.PkgPath() + "." + t.Name() + "." + k.Field.Name
}

func (n *Notes) of(t reflect.Type, k config.Key) string { return n.Comments[NameOf(t, k)] }

const head = `# Every key of the configuration with its default, and one source or sink of each type.
#
# A configuration needs sources and sinks, and of the other keys only those that differ. In a value
# ${NAME} is an environment variable, ${file:/path} what a file holds, and $$ a dollar; inside of { }
# and [ ] such a value stands in quotes.
#
# Generated from the code by go generate ./internal/config/refgen; do not edit.

`

// Whole returns a configuration that names every key, with a sink of each kind.
func (n *Notes) Whole(sinks *sink.Registry) string {
	w := &writer{notes: n}
	w.text.WriteString(head)
	whole := reflect.ValueOf(config.Default()).Elem()
	for _, k := range config.Keys(whole.Type()) {
		switch k.Name {
		case "sources":
			w.sources(whole.Type(), k)
		case "sinks":
			w.sinks(whole.Type(), k, sinks)
		default:
			w.key(0, whole.Type(), k, whole.FieldByIndex(k.Index), k.Name)
			w.text.WriteByte('\n')
		}
	}
	return w.text.String()
}

const sinkHead = `# %s: %s
#
# Every key with its default. Keep those that differ: "type", and what is marked as an example. In a value
# ${NAME} is an environment variable, and ${file:/path} what a file holds: secrets belong there.

sinks:
  %s: # any name
    type: %s
    # The keys of %s:
`

const sinkTail = `
# A configuration needs a source, too.
sources:
  falco:
    type: falco_http
    listen: 127.0.0.1:2801
`

// Sink returns a configuration with one sink of that kind.
func (n *Notes) Sink(kind sink.AnyKind) string {
	w := &writer{notes: n}
	fmt.Fprintf(&w.text, sinkHead, kind.Name, kind.Summary, kind.Name, kind.Name, kind.Name)
	w.structure(reflect.ValueOf(kind.Default()), kind.Name)
	w.line(2, "# The keys of every sink:")
	w.structure(reflect.ValueOf(deliver.DefaultPolicy()), "")
	w.text.WriteString(sinkTail)
	return w.text.String()
}

func (w *writer) sources(t reflect.Type, k config.Key) {
	w.comment(0, t, k)
	w.line(0, "%s:", k.Name)
	for _, s := range config.SourceTypes() {
		w.line(1, "# %s", s.Summary)
		w.line(1, "%s:", s.Name)
		w.line(2, "type: %s", s.Name)
		w.structure(reflect.ValueOf(s.Default()), s.Name)
	}
	w.text.WriteByte('\n')
}

func (w *writer) sinks(t reflect.Type, k config.Key, sinks *sink.Registry) {
	w.comment(0, t, k)
	w.line(0, "%s:", k.Name)
	for i, kind := range sinks.Kinds() {
		w.line(1, "# %s: %s", kind.Name, kind.Summary)
		w.line(1, "%s:", kind.Name)
		w.line(2, "type: %s", kind.Name)
		if i == 0 {
			w.line(2, "# The keys of every sink:")
			w.structure(reflect.ValueOf(deliver.DefaultPolicy()), "")
			w.line(2, "# The keys of %s:", kind.Name)
		}
		w.structure(reflect.ValueOf(kind.Default()), kind.Name)
	}
}
