// Package event holds one Falco alert, whichever road it came by: the gRPC outputs API, http_output
// or the JSON file. The same alert has the same fields and the same ID on every road.
package event

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultSource is the event source of an alert that names none: system calls.
const DefaultSource = "syscall"

// StockMemfdRule is the name of the rule for execution from a memfd in Falco's stock rules, 2.0.0
// and later.
const StockMemfdRule = "Fileless execution via memfd_create"

// An Event is one Falco alert. Its strings are what Falco sent, byte for byte: they can hold
// control characters and bytes that are not UTF-8, since a program chooses its own names.
//
// The fields stay as received until they are asked for, so that an alert nobody is interested in
// costs little. An Event may be read from several goroutines once ID was called.
type Event struct {
	// Time is the kernel's time of the event, in UTC. It is zero if the alert had no usable time.
	Time time.Time
	// Received is when the alert reached this program. It takes part in the ID of an alert
	// without Time.
	Received time.Time

	Rule     string
	Priority Priority
	Source   string // "syscall" if the alert named none
	Hostname string
	Output   string // Falco's formatted line
	Tags     []string

	fields []field
	id     string
}

// field is an entry of output_fields as received: an unknown one too, a repeated one again.
type field struct{ name, value string }

// Known reports whether a field's value says anything. Falco writes "<NA>" or nothing for a value
// that it does not have; neither means "no".
func Known(value string) bool { return value != "" && value != "<NA>" }

// Field returns the value of the first of names that is known.
func (e *Event) Field(names ...string) (string, bool) {
	for _, name := range names {
		// From the back: of a repeated name the last value counts, as in most JSON readers and in
		// protobuf's maps.
		for i := len(e.fields) - 1; i >= 0; i-- {
			if f := &e.fields[i]; f.name == name {
				if Known(f.value) {
					return f.value, true
				}
				break
			}
		}
	}
	return "", false
}

// Fields yields the known fields in the order of their names.
func (e *Event) Fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range normalise(e.fields) {
			if !yield(f.name, f.value) {
				return
			}
		}
	}
}

// Scan calls visit with each field as received, an unknown one with an empty value; of a repeated
// name the last call counts. Unlike Fields it neither sorts nor allocates.
func (e *Event) Scan(visit func(name, value string)) {
	for i := range e.fields {
		f := &e.fields[i]
		if Known(f.value) {
			visit(f.name, f.value)
		} else {
			visit(f.name, "")
		}
	}
}

// FieldMap returns the known fields as a new map.
func (e *Event) FieldMap() map[string]string {
	m := make(map[string]string, len(e.fields))
	for name, value := range e.Fields() {
		m[name] = value
	}
	return m
}

// SetField adds a field as received; a later value of the same name replaces an earlier one. A name
// is the rule author's: bytes in it that are not UTF-8 are replaced. A value keeps them.
func (e *Event) SetField(name, value string) {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\ufffd")
	}
	e.fields = append(e.fields, field{name, value})
	e.id = ""
}

// Grow makes room for n more fields.
func (e *Event) Grow(n int) { e.fields = slices.Grow(e.fields, n) }

// Normalise drops the fields that are unknown, sorts the others, and takes the message out of an
// output that holds the whole alert as JSON, which is what the gRPC API sends with json_output.
func (e *Event) Normalise() {
	e.fields = normalise(e.fields)
	if strings.HasPrefix(e.Output, "{") {
		if inner, err := Parse([]byte(e.Output), e.Received); err == nil && inner.Rule == e.Rule {
			e.Output = inner.Output
		}
	}
}

// normalise returns the known fields sorted by name, of a repeated name the last. The result is
// fields itself if nothing had to change.
func normalise(fields []field) []field {
	if isNormal(fields) {
		return fields
	}
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b field) int { return strings.Compare(a.name, b.name) })
	kept := sorted[:0]
	for i, f := range sorted {
		if i+1 < len(sorted) && sorted[i+1].name == f.name {
			continue
		}
		if Known(f.value) {
			kept = append(kept, f)
		}
	}
	return kept
}

func isNormal(fields []field) bool {
	for i, f := range fields {
		if !Known(f.value) || i > 0 && fields[i-1].name >= f.name {
			return false
		}
	}
	return true
}

// Equal reports whether both say the same: the same envelope and the same known fields.
func (e *Event) Equal(o *Event) bool {
	if e == nil || o == nil {
		return e == o
	}
	return e.Time.Equal(o.Time) && e.Rule == o.Rule && e.Priority == o.Priority &&
		e.Source == o.Source && e.Hostname == o.Hostname && e.Output == o.Output &&
		slices.Equal(e.Tags, o.Tags) && slices.Equal(normalise(e.fields), normalise(o.fields))
}
