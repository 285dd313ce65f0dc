package sinks

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

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
			for _, key := range keys(reflect.TypeOf(kind.Default()), "") {
				if !regexp.MustCompile(`(?m)^\| .*` + regexp.QuoteMeta("`"+key+"`")).MatchString(readme) {
					t.Errorf("the table lacks %s", key)
				}
			}
			checkExample(t, kind, readme)
		})
	}
}

// keys lists the keys of a configuration, those of sections with a dot.
func keys(config reflect.Type, prefix string) []string {
	var all []string
	for i := range config.NumField() {
		field := config.Field(i)
		name := prefix + field.Tag.Get("yaml")
		if strings.HasSuffix(name, ",inline") {
			all = append(all, keys(field.Type, prefix)...)
		} else if field.Type.Kind() == reflect.Struct {
			all = append(all, keys(field.Type, name+".")...)
		} else {
			all = append(all, name)
		}
	}
	return all
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
