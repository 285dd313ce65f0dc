// Package refgen writes the reference of the configuration and its JSON Schema, from the structs
// that a configuration decodes into and their comments. It reads Go source: it serves go generate
// and the test that finds the files stale, and is no part of the program.
package refgen

//go:generate go test -run TestGenerated -update .

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

const head = `# Every key of the configuration with its default, and one source or sink of each type.
#
# A configuration needs sources and sinks, and of the other keys only those that differ. In a value
# ${NAME} is an environment variable, ${file:/path} what a file holds, and $$ a dollar; inside of { }
# and [ ] such a value stands in quotes.
#
# Generated from the code by go generate ./internal/config/refgen; do not edit.

`

// Reference returns a configuration file that names every key. root is the directory of the module,
// sinks the kinds of sinks to show.
func Reference(root string, sinks *sink.Registry) (string, error) {
	w := &writer{comments: comments{root: root, files: map[string]map[string]string{}}}
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
	return w.text.String(), w.comments.err
}

// examples are values of keys that have no default, by type and key; of an element of a list, the
// list's key stands for the type.
func examples() map[string]string {
	return map[string]string{ //nolint:gosec // none of them is a secret
		"webhook.url":          "https://soc.example/hook",
		"teams.url":            "https://prod-00.westeurope.logic.example/workflows/0a1b/triggers/manual/paths/invoke?sig=0123",
		"elasticsearch.url":    "https://es.example:9200",
		"loki.url":             "https://loki.example",
		"otlp_logs.url":        "https://otel.example:4318",
		"kafka.brokers":        "kafka-1.example:9093",
		"kafka.topic":          "filelessd-reports",
		"s3.url":               "https://s3.eu-central-1.amazonaws.com",
		"s3.bucket":            "filelessd-reports",
		"s3.secret_access_key": "the-key-of-filelessd",
		"s3.access_key_id":     "filelessd",
		"file.dir":             "/var/lib/filelessd/reports",
		"rules.id":             "build-farm",
		"rules.technique":      "fd_exec",
		"rules.when":           `hostname startsWith "build-" && fields["proc.name"] == "7"`,
		"rules.reason":         "builds start their tools through descriptors",
		"allow.id":             "runc-self-copy",
		"allow.image_digest":   "sha256:" + strings.Repeat("0123456789abcdef", 4),
		"allow.parent_path":    "/usr/bin/containerd-shim-runc-v2",
		"allow.args":           "init",
		"allow.owner":          "platform team",
		"allow.reason":         "the runtime copies itself into memory (CVE-2019-5736)",
		"allow.expires":        "2027-01-31",
	}
}

// writer writes YAML.
type writer struct {
	text     strings.Builder
	comments comments
}

func (w *writer) line(indent int, format string, args ...any) {
	w.text.WriteString(strings.Repeat("  ", indent) + fmt.Sprintf(format, args...) + "\n")
}

// comment writes the comment of a key, wrapped.
func (w *writer) comment(indent int, t reflect.Type, k config.Key) {
	for _, line := range wrap(w.comments.of(t, k), 96-2*indent) {
		w.line(indent, "# %s", line)
	}
}

// key writes a key with its value; name is what its examples are filed under.
func (w *writer) key(indent int, t reflect.Type, k config.Key, v reflect.Value, name string) {
	w.comment(indent, t, k)
	switch {
	case isScalar(v):
		value, example := scalar(v), examples()[name]
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
		if example := examples()[name]; example != "" && v.Len() == 0 {
			w.line(indent, "%s: [%s] # an example: there is no default", k.Name, quote(example))
			return
		}
		w.line(indent, "%s: [%s]", k.Name, strings.Join(several(v), ", "))
	default:
		w.line(indent, "%s: {%s}", k.Name, strings.Join(several(v), ", "))
	}
}

// several are the elements of a list or a map that the default has.
func several(v reflect.Value) []string {
	var all []string
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			all = append(all, fmt.Sprint(v.Index(i)))
		}
		return all
	}
	for of := v.MapRange(); of.Next(); {
		all = append(all, fmt.Sprintf("%v: %v", of.Key(), of.Value()))
	}
	slices.Sort(all)
	return all
}

// element writes what an element of a list looks like, as a comment.
func (w *writer) element(indent int, t reflect.Type, name string) {
	inner := &writer{comments: w.comments}
	for _, k := range config.Keys(t) {
		note := ""
		if text := w.comments.of(t, k); text != "" {
			note = " # " + text
		}
		inner.line(0, "%s: %s%s", k.Name, quote(examples()[name+"."+k.Name]), note)
	}
	begin := "- "
	for _, line := range strings.Split(strings.TrimSuffix(inner.text.String(), "\n"), "\n") {
		w.line(indent, "# %s%s", begin, line)
		begin = "  "
	}
}

func (w *writer) sources(t reflect.Type, k config.Key) {
	w.comment(0, t, k)
	w.line(0, "%s:", k.Name)
	for _, s := range config.SourceTypes() {
		w.line(1, "# %s", s.Summary)
		w.line(1, "%s:", s.Name)
		w.line(2, "type: %s", s.Name)
		w.structure(2, reflect.ValueOf(s.Default()), s.Name)
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
			w.structure(2, reflect.ValueOf(deliver.DefaultPolicy()), "")
			w.line(2, "# The keys of %s:", kind.Name)
		}
		w.structure(2, reflect.ValueOf(kind.Default()), kind.Name)
	}
}

func (w *writer) structure(indent int, v reflect.Value, name string) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for _, k := range config.Keys(v.Type()) {
		w.key(indent, v.Type(), k, v.FieldByIndex(k.Index), name+"."+k.Name)
	}
}

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

// scalar writes v as a configuration has it.
func scalar(v reflect.Value) string {
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
	if v.Kind() == reflect.String {
		return quote(v.String())
	}
	return fmt.Sprint(v.Interface())
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
