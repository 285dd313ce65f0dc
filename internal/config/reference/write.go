package reference

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/pkg/sink"
)

// writer writes YAML.
type writer struct {
	text  strings.Builder
	notes *Notes
}

func (w *writer) line(indent int, format string, args ...any) {
	w.text.WriteString(strings.Repeat("  ", indent) + fmt.Sprintf(format, args...) + "\n")
}

// comment writes the comment of a key, wrapped.
func (w *writer) comment(indent int, t reflect.Type, k config.Key) {
	for _, line := range wrap(w.notes.of(t, k), 96-2*indent) {
		w.line(indent, "# %s", line)
	}
}

// example is a value of a key that has no default: what its field says in the tag `example`, or what the
// notes say under name.
func (w *writer) example(k config.Key, name string) string {
	return cmp.Or(k.Field.Tag.Get("example"), w.notes.Examples[name])
}

// key writes a key with its value; name is what its examples are filed under.
func (w *writer) key(indent int, t reflect.Type, k config.Key, v reflect.Value, name string) {
	w.comment(indent, t, k)
	switch {
	case isScalar(v):
		value, example := Scalar(v), w.example(k, name)
		if example != "" && value == `""` {
			w.line(indent, "%s: %s # an example: there is no default", k.Name, quote(example))
			return
		}
		w.line(indent, "%s: %s", k.Name, value)
	case v.Kind() == reflect.Struct:
		w.line(indent, "%s:", k.Name)
		for _, inner := range config.Keys(v.Type()) {
			w.key(indent+1, v.Type(), inner, v.FieldByIndex(inner.Index), name+"."+inner.Name)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		w.line(indent, "%s: []", k.Name)
		w.element(indent, v.Type().Elem(), k.Name)
	case v.Kind() == reflect.Slice:
		if example := w.example(k, name); v.Len() == 0 && example != "" {
			w.line(indent, "%s: [%s] # an example: there is no default", k.Name, quote(example))
			return
		}
		w.line(indent, "%s: %s", k.Name, Scalar(v))
	default:
		w.line(indent, "%s: {}", k.Name)
	}
}

// element writes what an element of a list looks like, as a comment.
func (w *writer) element(indent int, t reflect.Type, name string) {
	inner := &writer{notes: w.notes}
	for _, k := range config.Keys(t) {
		note := ""
		if text := w.notes.of(t, k); text != "" {
			note = " # " + text
		}
		inner.line(0, "%s: %s%s", k.Name, quote(w.example(k, name+"."+k.Name)), note)
	}
	begin := "- "
	for _, line := range strings.Split(strings.TrimSuffix(inner.text.String(), "\n"), "\n") {
		w.line(indent, "# %s%s", begin, line)
		begin = "  "
	}
}

// structure writes the keys of one source or sink.
func (w *writer) structure(v reflect.Value, name string) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for _, k := range config.Keys(v.Type()) {
		w.key(2, v.Type(), k, v.FieldByIndex(k.Index), name+"."+k.Name)
	}
}

// IsSection reports whether values of t are keys and values of their own.
func IsSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isScalar(reflect.Zero(t)) }

// isScalar reports whether v is written as one text.
func isScalar(v reflect.Value) bool {
	if _, ok := v.Interface().(encoding.TextMarshaler); ok {
		return true
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return false
	default:
		return true
	}
}

// Scalar writes v, which is no section, as a configuration has it.
func Scalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		text := strings.TrimSuffix(x.String(), "0s")
		if strings.HasSuffix(text, "m") && strings.Contains(text, "h") {
			text = strings.TrimSuffix(text, "0m")
		}
		if text == "" || !strings.ContainsAny(text[len(text)-1:], "hms") {
			text = x.String()
		}
		return text
	case sink.Secret:
		return quote(string(x)) // of a default
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return quote(err.Error())
		}
		return quote(string(text))
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, Scalar(v.Index(i)))
		}
		return "[" + strings.Join(all, ", ") + "]"
	default:
		return fmt.Sprint(v.Interface())
	}
}

var needsNoQuotes = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/_.:@-]*$`)

func quote(text string) string {
	if needsNoQuotes.MatchString(text) && text != "true" && text != "false" && text != "null" {
		return text
	}
	if strings.Contains(text, `"`) && !strings.ContainsAny(text, "'\\\n") {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
