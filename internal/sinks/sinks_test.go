package sinks

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Each kind has a directory of its name, and a README there whose example is valid and whose table
// has all keys.
func TestEachKindIsDocumented(t *testing.T) {
	for _, kind := range Builtin().Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(kind.Name, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			readme := string(data)
			if !strings.HasPrefix(readme, "# "+kind.Name+"\n") {
				t.Errorf("the README does not begin with # %s", kind.Name)
			}
			checkTable(t, kind, readme)
			checkExample(t, kind, readme)
		})
	}
}

// checkTable wants the table of keys to have every key that the configuration has, and no other, with the
// default that it has.
func checkTable(t *testing.T, kind sink.AnyKind, readme string) {
	t.Helper()
	table := rows(readme)
	defaults := map[string]string{}
	collect(defaults, reflect.ValueOf(kind.Default()), "")
	for key, value := range defaults {
		cell, ok := table[key]
		switch {
		case !ok:
			t.Errorf("the table lacks %s", key)
		case !strings.Contains(cell, value):
			t.Errorf("%s: the default is %s, and the table says %q", key, value, cell)
		}
	}
	policy := map[string]string{}
	collect(policy, reflect.ValueOf(deliver.DefaultPolicy()), "")
	for key := range table {
		section := slices.ContainsFunc(slices.Collect(maps.Keys(defaults)), func(k string) bool { return strings.HasPrefix(k, key+".") })
		_, common := policy[key]
		if _, ok := defaults[key]; !ok && !section && !common {
			t.Errorf("the table has %s, which is no key", key)
		}
	}
}

// rows returns what a README's table says of the default of each key.
func rows(readme string) map[string]string {
	table := map[string]string{}
	_, rest, _ := strings.Cut(readme, "\n| key | default | meaning |\n")
	rest, _, _ = strings.Cut(rest, "\n\n")
	for line := range strings.Lines(rest) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, key := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			table[key[1]] = cells[2]
		}
	}
	return table
}

// collect finds the keys of a configuration, those of sections with a dot, and their defaults; of one that
// is nothing, an empty text.
func collect(into map[string]string, structure reflect.Value, prefix string) {
	for structure.Kind() == reflect.Pointer {
		structure = structure.Elem()
	}
	for _, k := range config.Keys(structure.Type()) {
		value := structure.FieldByIndex(k.Index)
		switch {
		case reference.IsSection(value.Type()):
			collect(into, value, prefix+k.Name+".")
		case value.IsZero() || value.Kind() == reflect.Map || value.Kind() == reflect.Slice && value.Len() == 0:
			into[prefix+k.Name] = ""
		default:
			into[prefix+k.Name] = strings.Trim(reference.Scalar(value), `"[]`)
		}
	}
}

func checkExample(t *testing.T, kind sink.AnyKind, readme string) {
	_, rest, _ := strings.Cut(readme, "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	// What the configuration would put there.
	example = strings.ReplaceAll(example, "${SOC_SECRET}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

	var file struct {
		Sinks map[string]map[string]any `yaml:"sinks"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(example), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(file.Sinks) == 0 {
		t.Error("the example has no sinks")
	}
	for name, node := range file.Sinks {
		if node["type"] != kind.Name {
			t.Errorf("%s has type %v", name, node["type"])
		}
		delete(node, "type")
		text, err := yaml.Marshal(node)
		if err != nil {
			t.Fatal(err)
		}
		config, err := kind.Decode(func(into any) error { return yaml.UnmarshalWithOptions(text, into, yaml.Strict()) })
		if err != nil {
			t.Fatal(err)
		}
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
