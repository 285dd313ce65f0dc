package refgen

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

// object is a JSON object.
type object map[string]any

// Schema returns a JSON Schema (draft 7, which most editors read) of the configuration.
func Schema(root string, sinks *sink.Registry) (string, error) {
	s := &schema{comments{root: root, files: map[string]map[string]string{}}}
	whole := s.structure(reflect.ValueOf(config.Default()).Elem())
	var sources, kinds []object
	for _, t := range config.SourceTypes() {
		sources = append(sources, typed(t.Name, t.Summary, s.structure(reflect.ValueOf(t.Default()))))
	}
	policy := s.structure(reflect.ValueOf(deliver.DefaultPolicy()))
	for _, k := range sinks.Kinds() {
		kinds = append(kinds, typed(k.Name, k.Summary, s.structure(reflect.ValueOf(k.Default())), policy))
	}
	if properties, ok := whole["properties"].(object); ok {
		properties["sources"] = named("Where alerts come from, by name.", sources)
		properties["sinks"] = named("Where reports go, by name.", kinds)
	}
	whole["$schema"] = "http://json-schema.org/draft-07/schema#"
	whole["title"] = "Configuration of filelessd"
	whole["required"] = []string{"sources", "sinks"}
	whole["definitions"] = object{"reference": object{
		"description": "A value from the environment or from a file.",
		"type":        "string", "pattern": `\$\{.+\}`,
	}}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(whole); err != nil {
		return "", err
	}
	return text.String(), s.comments.err
}

type schema struct{ comments comments }

// structure is the schema of a struct with these defaults.
func (s *schema) structure(v reflect.Value) object {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	properties := object{}
	for _, k := range config.Keys(v.Type()) {
		if k.Name == "sources" || k.Name == "sinks" {
			continue // their elements differ by type
		}
		property := s.value(v.FieldByIndex(k.Index))
		if text := s.comments.of(v.Type(), k); text != "" {
			property["description"] = text
		}
		properties[k.Name] = property
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// value is the schema of a value with this default.
func (s *schema) value(v reflect.Value) object {
	if o := scalarSchema(v); o != nil {
		return o
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Pointer:
		return s.structure(v)
	case reflect.Slice:
		return object{"type": "array", "items": s.element(v.Type())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.element(v.Type())}
	default:
		return object{}
	}
}

// element is the schema of what a list or map of type t is of, which has no defaults.
func (s *schema) element(t reflect.Type) object {
	o := s.value(reflect.Zero(t.Elem()))
	dropDefaults(o)
	return o
}

func dropDefaults(o object) {
	delete(o, "default")
	if properties, ok := o["properties"].(object); ok {
		for _, property := range properties {
			if o, ok := property.(object); ok {
				dropDefaults(o)
			}
		}
	}
}

// scalarSchema is the schema of a value that is written as one text, nil of another. What is no
// text may be a reference instead.
func scalarSchema(v reflect.Value) object {
	orReference := func(o object, value any) object {
		return object{"anyOf": []any{o, object{"$ref": "#/definitions/reference"}}, "default": value}
	}
	switch v.Interface().(type) {
	case time.Duration:
		return orReference(object{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`}, reference.Scalar(v))
	case time.Time:
		return orReference(object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$`}, nil)
	case sink.Secret:
		return object{"type": "string"}
	case encoding.TextMarshaler:
		return orReference(object{"type": []string{"string", "integer"}}, reference.Scalar(v))
	}
	switch {
	case v.Kind() == reflect.String:
		return object{"type": "string", "default": v.String()}
	case v.Kind() == reflect.Bool:
		return orReference(object{"type": "boolean"}, v.Bool())
	case v.CanInt(), v.CanUint():
		return orReference(object{"type": "integer"}, v.Interface())
	case v.CanFloat():
		return orReference(object{"type": "number"}, v.Float())
	default:
		return nil
	}
}

// typed is the schema of a source or sink of one type, with the keys of all parts.
func typed(name, summary string, parts ...object) object {
	properties := object{"type": object{"const": name}}
	for _, part := range parts {
		if more, ok := part["properties"].(object); ok {
			maps.Copy(properties, more)
		}
	}
	return object{"description": summary, "additionalProperties": false, "properties": properties}
}

// named is the schema of named sources or sinks. The type decides first, so that an editor names
// the wrong key and not only all types.
func named(description string, types []object) object {
	var names []any
	var rules []object
	for _, t := range types {
		properties, _ := t["properties"].(object)
		is, _ := properties["type"].(object)
		names = append(names, is["const"])
		rules = append(rules, object{"if": object{"properties": object{"type": is}}, "then": t})
	}
	return object{
		"description": description, "type": "object", "minProperties": 1,
		"propertyNames": object{"pattern": `^[A-Za-z0-9._-]{1,64}$`},
		"additionalProperties": object{
			"type": "object", "required": []string{"type"},
			"properties": object{"type": object{"enum": names}}, "allOf": rules,
		},
	}
}
