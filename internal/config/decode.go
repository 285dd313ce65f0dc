package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

// decoder fills Go values from a document and collects what is wrong, so that one run shows it all.
type decoder struct {
	doc        *document
	lookup     func(string) (string, bool)
	findings   []finding
	expansions []expansion
	files      []string // that something was filled in from
}

// maxFindings is where a decoder stops collecting: such a file is something else altogether.
const maxFindings = 100

func (d *decoder) errorf(p path, at place, format string, args ...any) {
	if len(d.findings) < maxFindings {
		d.findings = append(d.findings, finding{p, at, fmt.Sprintf(format, args...)})
	}
}

// place is what a message about a value points at: the value if it may be shown, else its key.
func (d *decoder) place(p path) place {
	at, _ := d.doc.find(p)
	return at
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	secretType   = reflect.TypeFor[sink.Secret]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value decodes n into v. What the file leaves out, or gives as null, stays as it is.
func (d *decoder) value(p path, n *node, v reflect.Value) {
	switch {
	case n.kind == null:
	case isScalar(v.Type()):
		d.scalar(p, n, v)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(p, n, v.Elem())
	case v.Kind() == reflect.Struct && d.want(p, n, mapping):
		d.structure(p, n, v, nil)
	case v.Kind() == reflect.Map && d.want(p, n, mapping):
		d.mapping(p, n, v)
	case v.Kind() == reflect.Slice && d.want(p, n, list):
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			d.value(p.index(i), item, v.Index(i))
		}
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		v.Set(reflect.ValueOf(d.any(p, n)))
	}
}

// isScalar reports whether a value of that type is written as one text.
func isScalar(t reflect.Type) bool {
	if t == timeType || reflect.PointerTo(t).Implements(textType) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	default:
		return false
	}
}

func (d *decoder) want(p path, n *node, want kind) bool {
	if n.kind == want {
		return true
	}
	d.errorf(p, d.place(p), "want %s, got %s", want, n.kind)
	return false
}

// structure decodes a mapping into a struct. others are keys that were taken off the mapping
// before; they are named where a key is unknown.
func (d *decoder) structure(p path, n *node, v reflect.Value, others []string) {
	keys := Keys(v.Type())
	known := others
	for _, k := range keys {
		known = append(known[:len(known):len(known)], k.Name)
	}
	for _, e := range d.entries(p, n) {
		key, ok := keyOf(keys, e.key)
		if !ok {
			if len(d.findings) < maxFindings {
				d.errorf(p.with(e.key), e.place(), "unknown key%s", suggest(e.key, known))
			}
			continue
		}
		d.value(p.with(e.key), e.value, v.FieldByIndex(key.Index))
	}
}

// mapping decodes a mapping whose keys are free into a Go map.
func (d *decoder) mapping(p path, n *node, v reflect.Value) {
	m := reflect.MakeMap(v.Type())
	for _, e := range d.entries(p, n) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(p.with(e.key), e.value, element)
		m.SetMapIndex(reflect.ValueOf(e.key).Convert(v.Type().Key()), element)
	}
	v.Set(m)
}

// entries returns the entries of a mapping, each key once.
func (d *decoder) entries(p path, n *node) []*entry {
	first := make(map[string]*entry, len(n.entries))
	unique := make([]*entry, 0, len(n.entries))
	for _, e := range n.entries {
		if before, ok := first[e.key]; ok {
			d.errorf(p.with(e.key), e.place(), "given twice, first on line %d", before.line)
			continue
		}
		first[e.key] = e
		unique = append(unique, e)
	}
	return unique
}

// any decodes into what a key of no particular type gets: strings, lists and maps.
func (d *decoder) any(p path, n *node) any {
	switch n.kind {
	case mapping:
		m := map[string]any{}
		for _, e := range d.entries(p, n) {
			m[e.key] = d.any(p.with(e.key), e.value)
		}
		return m
	case list:
		items := []any{}
		for i, item := range n.items {
			items = append(items, d.any(p.index(i), item))
		}
		return items
	case scalar:
		text, _ := d.text(p, n, false)
		return text
	default:
		return nil
	}
}

// Key is a key of a configuration struct.
type Key struct {
	Name  string // as in the file
	Field reflect.StructField
	Index []int // of the field, through embedded structs
}

// Keys returns the keys of a configuration struct in the order of its fields.
func Keys(t reflect.Type) []Key {
	var keys []Key
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !field.IsExported() && !field.Anonymous:
		case field.Type.Kind() == reflect.Struct && (options == "inline" || field.Anonymous && name == ""):
			for _, k := range Keys(field.Type) {
				k.Index = append([]int{i}, k.Index...)
				keys = append(keys, k)
			}
		case name == "":
			keys = append(keys, Key{strings.ToLower(field.Name), field, []int{i}})
		default:
			keys = append(keys, Key{name, field, []int{i}})
		}
	}
	return keys
}

func keyOf(keys []Key, name string) (Key, bool) {
	for _, k := range keys {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}
