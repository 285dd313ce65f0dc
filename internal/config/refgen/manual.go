package refgen

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/manual"
	"github.com/filelessd/filelessd/pkg/sink"
)

const manualExample = `data_dir: /var/lib/filelessd
sources:
  hook: {type: falco_http, listen: 127.0.0.1:2801}
sinks:
  soc:
    type: webhook
    url: https://soc.example/hook
    secret: ${SOC_SECRET}
    when: severity >= high
`

// Manual returns filelessd-config(5): every key with its comment and default.
func Manual(root string, sinks *sink.Registry) (string, error) {
	notes, err := collect(root, sinks)
	m := &manualWriter{Page: manual.New("filelessd-config", 5, "File Formats"), notes: notes}
	m.Section("NAME")
	m.Text("filelessd-config - configuration of filelessd")
	m.Section("SYNOPSIS")
	m.Text("/etc/filelessd/config.yaml")
	m.Section("DESCRIPTION")
	m.Text("A file in YAML with sources, from which alerts come, sinks, to which reports go, and of the other keys " +
		"those that differ from their defaults. A key that is not known is a mistake, and filelessd check says where. " +
		"Below, a.b is the key b of the key a, and a[] an element of the list a.")
	m.Paragraph("In a value ${NAME} is an environment variable, ${file:/path} what a file holds, and $$ a dollar; " +
		"inside of { } and [ ] such a value stands in quotes. A variable or a file that is not there is a mistake.")
	m.Paragraph("A running daemon takes a change of sinks, match, grouping and drain_timeout by itself, some seconds after the " +
		"file was written, as a whole or not at all: see reload.watch, and filelessd reload in filelessd(1). Another " +
		"change needs a restart, and filelessd status says so.")
	m.Section("EXAMPLE")
	m.Text("One source, and one sink that gets what is urgent:")
	m.Literal(strings.TrimSuffix(manualExample, "\n"))

	m.Section("KEYS")
	m.Text("The keys of the file.")
	m.keys(reflect.ValueOf(config.Default()), "", "")
	m.Section("SOURCES")
	m.Text("The keys of an entry below sources, by its type.")
	for _, s := range config.SourceTypes() {
		m.kind(s.Name, s.Summary, s.Default())
	}
	m.Section("SINKS")
	m.Text("The keys of an entry below sinks: those of every sink, then those of its type.")
	m.Subsection("every sink")
	m.keys(reflect.ValueOf(deliver.DefaultPolicy()), "", "")
	for _, kind := range sinks.Kinds() {
		m.kind(kind.Name, kind.Summary, kind.Default())
	}
	m.Section("SEE ALSO")
	m.See("filelessd", 1)
	return m.String(), err
}

// manualWriter writes keys as items of a manual page.
type manualWriter struct {
	*manual.Page
	notes *reference.Notes
}

// kind is a type of source or sink.
func (m *manualWriter) kind(name, summary string, value any) {
	m.Subsection("type: " + name)
	m.Text(strings.ToUpper(summary[:1]) + summary[1:] + ".")
	m.keys(reflect.ValueOf(value), "", name+".")
}

// keys are the keys of the structure v; prefix stands before their names, and examples before the names that
// their examples are filed under.
func (m *manualWriter) keys(v reflect.Value, prefix, examples string) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for _, k := range config.Keys(v.Type()) {
		name, value := prefix+k.Name, v.FieldByIndex(k.Index)
		text := afterName(m.notes.Comments[reference.NameOf(v.Type(), k)], k.Name)
		t := value.Type()
		switch {
		case reference.IsSection(t):
			m.Item(name, cmp.Or(text, "A section."))
			m.keys(value, name+".", examples+k.Name+".")
		case t.Kind() == reflect.Slice && reference.IsSection(t.Elem()):
			m.Item(name, text)
			m.keys(reflect.Zero(t.Elem()), name+"[].", k.Name+".")
		case t.Kind() == reflect.Map || t.Kind() == reflect.Interface:
			m.Item(name, text)
		default:
			m.Item(name, sentence(text)+m.defaultOf(k, value, examples))
		}
	}
}

// defaultOf says what a key is that is not set.
func (m *manualWriter) defaultOf(k config.Key, value reflect.Value, examples string) string {
	scalar := reference.Scalar(value)
	example := cmp.Or(k.Field.Tag.Get("example"), m.notes.Examples[examples+k.Name])
	switch {
	case example != "" && len(example) < 60 && (scalar == `""` || scalar == "[]"):
		return " An example: " + example
	case scalar == `""` || scalar == "[]":
		return ""
	default:
		return " Default: " + scalar + "."
	}
}

// sentence ends a comment, which in a list of keys may have no full stop, before what follows it.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, ":") {
		return text
	}
	return text + "."
}

// afterName is what a comment says of the key that it begins with, and stands below.
func afterName(text, name string) string {
	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}
