package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Input is what to convert.
type Input struct {
	// Name is what messages call the configuration, and Data what it holds: Falcosidekick's config.yaml, or the
	// values of a Helm release that has one below `config` or `falcosidekick.config`.
	Name string
	Data []byte
	// EnvName and Env are the environment of Falcosidekick as lines NAME=VALUE, which wins over the file; nil for
	// none.
	EnvName string
	Env     []byte
	// Through are outputs that are to stay with Falcosidekick though filelessd has a sink for them.
	Through []string
	// Sinks are the kinds that the new configuration may use.
	Sinks *sink.Registry
}

// Result is what came out of it.
type Result struct {
	Config []byte // always passes `filelessd check` once the variables are set
	// Rest is what a Falcosidekick behind filelessd is to be configured with: the input without what has become a
	// sink. It has the secrets of the input. Nil if no output stays.
	Rest      []byte
	Notes     []Note
	Variables []Variable
	Converted []string // outputs that are sinks now, in the order of the input
	Stay      []string // outputs that stay with Falcosidekick

	values map[string]string // what the variables have to have, for the check
}

// Bad reports whether some of the input could not be understood.
func (r *Result) Bad() bool {
	return slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Kind == Bad || n.Kind == Unknown })
}

// conversion is one run.
type conversion struct {
	in        Input
	root      *node
	ofHelm    bool // the input is values of Helm
	notes     []Note
	values    map[string]string // of the variables
	variables []Variable

	sinks    []converted
	stay     []converted
	global   *section
	sections map[string]*section
	labels   []label             // the custom fields
	labelled map[string]bool     // outputs whose sinks have them as labels
	tlsUsed  map[string][]string // for a key about certificates the outputs whose sinks use it
}

// converted is an output that is dealt with.
type converted struct {
	output
	file string
	line int
	name string // of the sink
	keys fields
}

// Convert makes a configuration of filelessd. Its error, an *Error, is about an input that can not be read at all;
// what is wrong with single keys is in the notes.
func Convert(in Input) (*Result, error) {
	c := &conversion{in: in, values: map[string]string{}, root: &node{kind: mapping}, labelled: map[string]bool{}, tlsUsed: map[string][]string{}, sections: map[string]*section{}}
	if in.Data != nil || in.Env == nil {
		root, err := read(in.Name, in.Data)
		if err != nil {
			return nil, err
		}
		c.root = c.helm(root)
	}
	if err := c.environment(); err != nil {
		return nil, err
	}
	for _, path := range in.Through {
		if c.outputAt(path).make == nil {
			return nil, &Error{File: "--through " + shown(path), Message: "no output that filelessd has a sink for; there are " + strings.Join(natives(), ", ")}
		}
	}
	c.general()
	c.global = c.section(global())
	c.labels = c.customFields()
	source := c.source()
	for _, o := range outputs() {
		c.output(c.section(o))
	}
	c.groups()
	c.fieldsTold()
	c.tlsTold()
	c.global.leftovers()
	c.unknown()
	text := c.config(source)
	if err := c.check(text); err != nil {
		return nil, fmt.Errorf("%s: the configuration that was made of it does not pass the check, which is a mistake of filelessd: %w", in.Name, err)
	}
	r := &Result{Config: text, Variables: c.variables, values: c.values}
	for _, s := range c.sinks {
		r.Converted = append(r.Converted, s.path)
	}
	for _, s := range c.stay {
		r.Stay = append(r.Stay, s.path)
	}
	if len(c.stay) > 0 {
		r.Rest = c.rest()
	}
	r.Notes = sortNotes(c.notes, c.in.Name)
	return r, nil
}

// natives are the outputs that filelessd has a sink for.
func natives() []string {
	var paths []string
	for _, o := range outputs() {
		if o.make != nil {
			paths = append(paths, o.path)
		}
	}
	return paths
}

func (c *conversion) noteAt(n Note) {
	if n.Line > 0 && n.File == "" {
		n.File = c.in.Name
	}
	c.notes = append(c.notes, n)
}

// general says what holds for every such change, and first of all what a user of Falcosidekick does not expect.
func (c *conversion) general() {
	for _, text := range []string{
		"filelessd reports fileless execution and nothing else. An alert that shows none is counted, and goes to no sink: for all other alerts keep this Falcosidekick running as it is",
		"an alert has to reach both. Falco has one http_output.url, so let Falcosidekick keep that, and filelessd read Falco's file_output (any version) or ask over gRPC (Falco up to 0.43); or let the webhook output of Falcosidekick post to filelessd, which cuts long values and does not try again. examples/falcosidekick/README.md has each way",
		"only what stands in this input was seen: an output that is switched on by Falcosidekick's environment needs --env",
	} {
		if strings.Contains(text, "--env") && c.in.Env != nil {
			continue
		}
		c.noteAt(Note{Kind: General, What: text})
	}
}

// check holds a configuration against the rules of the daemon, with the variables set.
func (c *conversion) check(text []byte) error {
	lookup := func(name string) (string, bool) {
		value, ok := c.values[name]
		return value, ok
	}
	_, err := config.Parse("converted", text, config.Env{Lookup: lookup, Sinks: c.in.Sinks})
	return err
}

// problems words what the check says without the places, which are in a file that nobody sees.
func problems(err error) string {
	wrong, ok := errors.AsType[*config.Error](err)
	if !ok {
		return report.Visible(err.Error())
	}
	var all []string
	for _, p := range wrong.Problems {
		_, key, _ := strings.Cut(strings.TrimPrefix(p.Key, "sinks."), ".")
		all = append(all, report.Visible(strings.TrimPrefix(key+": "+p.Message, ": ")))
	}
	return strings.Join(all, "; ")
}

// config writes the whole.
func (c *conversion) config(source fields) []byte {
	slices.SortStableFunc(c.sinks, func(a, b converted) int { return cmp.Or(cmp.Compare(a.file, b.file), a.line-b.line) })
	slices.SortStableFunc(c.stay, func(a, b converted) int { return cmp.Or(cmp.Compare(a.file, b.file), a.line-b.line) })
	var sinks fields
	for _, s := range c.sinks {
		at := ""
		if s.line > 0 {
			at = fmt.Sprintf(" (line %d)", s.line)
		}
		sinks = append(sinks, field{s.name, s.keys, "from " + s.path + at})
	}
	if len(c.stay) > 0 {
		sinks = append(sinks, c.falcosidekick())
	}
	if len(sinks) == 0 {
		c.noteAt(Note{Kind: General, What: "no output is switched on, and a filelessd without a sink does not start: the sink console writes reports to stdout"})
		sinks = fields{{"console", fields{{key: "type", value: "stdout"}}, "no output is switched on; this keeps the configuration valid"}}
	}
	var b strings.Builder
	head := "Made from " + shown(c.in.Name) + " by filelessd convert. Read its notes: alerts that show no fileless execution go to no sink of filelessd."
	for _, line := range wrap(head, 98) {
		b.WriteString("# " + line + "\n")
	}
	fields{{key: "sources", value: source}, {key: "sinks", value: sinks}}.write(&b, 0)
	return []byte(b.String())
}
