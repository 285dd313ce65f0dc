package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/smallfile"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Env is what a configuration is read with.
type Env struct {
	// Lookup returns an environment variable, as os.LookupEnv does. Nil knows none.
	Lookup func(name string) (string, bool)
	// Sinks are the kinds of sinks that there are. Nil has none.
	Sinks *sink.Registry
	// Techniques are the IDs of the taxonomy.
	Techniques []string
	// Now decides which entries have expired; none, if it is zero.
	Now time.Time
}

// origin is where a configuration came from.
type origin struct {
	decoder
	env  Env
	hash string // of the text
}

// Load reads a configuration file. All that is wrong with what it says comes in one *Error.
func Load(file string, env Env) (*Config, error) {
	data, err := smallfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, cause(err))
	}
	return Parse(file, data, env)
}

// Parse reads a configuration; name is what messages call it.
func Parse(name string, data []byte, env Env) (*Config, error) {
	o, err := read(name, data, env)
	if err != nil {
		return nil, err
	}
	c := Default()
	c.origin = o
	sections, rest := o.doc.root.take("sources", "sinks")
	o.structure(nil, rest, reflect.ValueOf(c).Elem(), nil)
	for _, e := range o.entries(nil, sections) {
		switch p := (path{e.key}); {
		case e.value.kind == null || !o.want(p, e.value, mapping):
		case e.key == "sources":
			o.sources(p, e.value, c)
		default:
			o.sinks(p, e.value, c)
		}
	}
	if err := o.doc.report(append(o.findings, o.newFindings(c.findings())...)); err != nil {
		return nil, err
	}
	c.Warnings = o.warnings(c)
	return c, nil
}

// LoadMatch reads the section match of a configuration file and nothing else, for commands that
// need no sources, sinks or secrets.
func LoadMatch(file string, env Env) (c match.Config, warnings []string, err error) {
	data, err := smallfile.Read(file)
	if err != nil {
		return match.Config{}, nil, fmt.Errorf("%s: %w", file, cause(err))
	}
	o, err := read(file, data, env)
	if err != nil {
		return match.Config{}, nil, err
	}
	section, _ := o.doc.root.take("match")
	whole := Default()
	whole.origin = o
	o.structure(nil, section, reflect.ValueOf(whole).Elem(), nil)
	if err := o.doc.report(append(o.findings, o.newFindings(whole.matchFindings())...)); err != nil {
		return match.Config{}, nil, err
	}
	return whole.Match, o.warnings(whole), nil
}

// LoadDataDir reads where the data directory is and nothing else, for commands that go to the daemon:
// who calls them need not have its secrets.
func LoadDataDir(file string, env Env) (string, error) {
	data, err := smallfile.Read(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, cause(err))
	}
	o, err := read(file, data, env)
	if err != nil {
		return "", err
	}
	section, _ := o.doc.root.take("data_dir")
	c := Default()
	o.structure(nil, section, reflect.ValueOf(c).Elem(), nil)
	if err := o.doc.report(o.findings); err != nil {
		return "", err
	}
	if c.DataDir == "" {
		return "", fmt.Errorf("%s: data_dir: empty", file)
	}
	return c.DataDir, nil
}

func read(name string, data []byte, env Env) (*origin, error) {
	env.Sinks = cmp.Or(env.Sinks, new(sink.Registry))
	if env.Lookup == nil {
		env.Lookup = func(string) (string, bool) { return "", false }
	}
	doc, problem := parse(name, data, secretKeys(env.Sinks))
	if problem != nil {
		return nil, &Error{[]Problem{*problem}}
	}
	return &origin{decoder: decoder{doc: doc, lookup: env.Lookup}, env: env, hash: hashOf(data)}, nil
}

// newFindings drops those of found that are about a part of the file in which something is wrong
// already: what was not understood is not worth a second message.
func (o *origin) newFindings(found []finding) []finding {
	return slices.DeleteFunc(found, func(f finding) bool {
		return slices.ContainsFunc(o.findings, func(before finding) bool {
			return f.path.hasPrefix(before.path.section()) || before.path.hasPrefix(f.path)
		})
	})
}

// section is the part of the file that p is in: a source, a sink, or a section.
func (p path) section() path {
	if len(p) > 1 && (p[0] == "sources" || p[0] == "sinks") {
		return p[:2]
	}
	return p[:min(len(p), 1)]
}

// secretKeys returns the names of all keys that hold secrets.
func secretKeys(sinks *sink.Registry) map[string]bool {
	names := map[string]bool{}
	types := []reflect.Type{reflect.TypeFor[Config]()}
	for _, t := range SourceTypes() {
		types = append(types, reflect.TypeOf(t.Default()))
	}
	for _, k := range sinks.Kinds() {
		types = append(types, reflect.TypeOf(k.Default()))
	}
	for _, t := range types {
		addSecretKeys(names, t, 0)
	}
	return names
}

func addSecretKeys(names map[string]bool, t reflect.Type, depth int) {
	t = elementOf(t)
	if t.Kind() != reflect.Struct || isScalar(t) || depth > maxDepth {
		return
	}
	for _, k := range Keys(t) {
		if elementOf(k.Field.Type) == secretType {
			names[k.Name] = true
		}
		addSecretKeys(names, k.Field.Type, depth+1)
	}
}

// elementOf returns what a list, map or pointer is of.
func elementOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}
