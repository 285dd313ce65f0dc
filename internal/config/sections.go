package config

import (
	"errors"
	"reflect"
	"regexp"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/when"
)

// SourceType is a type of source.
type SourceType struct {
	Name, Summary string
	Default       func() any // the configuration before the file is read

	set func(*Source) validator // sets the configuration of that type to its default
}

type validator interface{ Validate() error }

// SourceTypes returns all types of sources.
func SourceTypes() []SourceType {
	return []SourceType{
		{
			"falco_grpc", "Falco 0.18 to 0.43, over its gRPC outputs API",
			func() any { return source.DefaultGRPCConfig() },
			func(s *Source) validator { c := source.DefaultGRPCConfig(); s.GRPC = &c; return &c },
		}, {
			"falco_http", "Falco's http_output, or Falcosidekick's webhook output",
			func() any { return source.DefaultHTTPConfig() },
			func(s *Source) validator { c := source.DefaultHTTPConfig(); s.HTTP = &c; return &c },
		}, {
			"file", "Falco's file_output (JSON lines), followed across rotation",
			func() any { return source.DefaultFileConfig() },
			func(s *Source) validator { c := source.DefaultFileConfig(); s.File = &c; return &c },
		},
	}
}

// validate says what is wrong with the configuration of s's type.
func (s Source) validate() error {
	switch {
	case s.GRPC != nil:
		return s.GRPC.Validate()
	case s.HTTP != nil:
		return s.HTTP.Validate()
	case s.File != nil:
		return s.File.Validate()
	default:
		return errors.New("type: missing")
	}
}

// nameOf is what sources and sinks can be called: their names become labels of metrics and keys in
// the store.
var nameOf = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// named calls f for each named mapping below p.
func (o *origin) named(p path, n *node, f func(p path, e *entry)) {
	for _, e := range o.entries(p, n) {
		p := p.with(e.key)
		switch {
		case !nameOf.MatchString(e.key):
			o.errorf(p, e.place(), "a name is 1 to 64 of the letters A to Z and a to z, digits, and . _ -")
		case o.want(p, e.value, mapping):
			f(p, e)
		}
	}
}

// typeOf returns what the key type says, one of known.
func (o *origin) typeOf(p path, common *node, known []string) (string, bool) {
	var c struct {
		Type string `yaml:"type"`
	}
	before := len(o.findings)
	o.structure(p, common, reflect.ValueOf(&c).Elem(), nil)
	if len(o.findings) > before {
		return "", false
	}
	if c.Type == "" {
		o.errorf(p, o.place(p), "type is missing%s", suggest("", known))
		return "", false
	}
	for _, k := range known {
		if c.Type == k {
			return k, true
		}
	}
	p = p.with("type")
	o.errorf(p, o.place(p), "%s", o.redact(p, "unknown type "+c.Type+suggest(c.Type, known)))
	return "", false
}

func (o *origin) sources(p path, n *node, c *Config) {
	types := SourceTypes()
	var known []string
	for _, t := range types {
		known = append(known, t.Name)
	}
	o.named(p, n, func(p path, e *entry) {
		common, rest := e.value.take("type")
		name, ok := o.typeOf(p, common, known)
		if !ok {
			return
		}
		s := Source{Name: e.key, Type: name, Pos: o.doc.pos(e.place())}
		for _, t := range types {
			if t.Name == name {
				o.structure(p, rest, reflect.ValueOf(t.set(&s)).Elem(), []string{"type"})
			}
		}
		c.Sources[e.key] = s
	})
}

func (o *origin) sinks(p path, n *node, c *Config) {
	var known []string
	for _, k := range o.env.Sinks.Kinds() {
		known = append(known, k.Name)
	}
	policyKeys := []string{}
	for _, k := range Keys(reflect.TypeFor[deliver.Policy]()) {
		policyKeys = append(policyKeys, k.Name)
	}
	o.named(p, n, func(p path, e *entry) {
		common, rest := e.value.take("type")
		name, ok := o.typeOf(p, common, known)
		if !ok {
			return
		}
		s := Sink{Name: e.key, Type: name, Pos: o.doc.pos(e.place()), Policy: deliver.DefaultPolicy()}
		s.Kind, _ = o.env.Sinks.Kind(name)
		policy, rest := rest.take(policyKeys...)
		o.structure(p, policy, reflect.ValueOf(&s.Policy).Elem(), nil)
		s.When, _ = when.Compile(s.Policy.When) // Validate reports the mistake
		var err error
		s.Config, err = s.Kind.Decode(func(into any) error {
			v := reflect.ValueOf(into).Elem()
			for v.Kind() == reflect.Pointer {
				if v.IsNil() {
					v.Set(reflect.New(v.Type().Elem()))
				}
				v = v.Elem()
			}
			o.structure(p, rest, v, append(policyKeys, "type"))
			return nil
		})
		if err != nil {
			o.errorf(p, e.place(), "%s", o.redact(p, err.Error()))
			return
		}
		s.Files = o.filesOf(p, reflect.ValueOf(s.Config))
		c.Sinks[e.key] = s
	})
}
