package refgen

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/sink"
)

var update = flag.Bool("update", false, "write the files")

const root = "../../.."

func registry() *sink.Registry { return sinks.Builtin() }

// TestGenerated fails when a generated file is stale.
func TestGenerated(t *testing.T) {
	for name, generate := range map[string]func(string, *sink.Registry) (string, error){
		"examples/reference.yaml": Reference, "examples/config.schema.json": Schema,
		"internal/config/reference/notes.json": Notes, "examples/packaging/man/filelessd-config.5": Manual,
	} {
		got, err := generate(root, registry())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is stale: run go generate ./internal/config/refgen\n%s", name, diff)
		}
	}
}

// TestReferenceLoads reads the reference as the program would, as it is and with the elements of
// lists that it shows as comments.
func TestReferenceLoads(t *testing.T) {
	reference, err := Reference(root, registry())
	if err != nil {
		t.Fatal(err)
	}
	env := realEnv(t)
	c, err := config.Parse("reference.yaml", []byte(reference), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Match.Rules) != 0 || len(c.Sources) != len(config.SourceTypes()) || len(c.Sinks) != len(registry().Kinds()) {
		t.Errorf("%d rules, %d sources, %d sinks", len(c.Match.Rules), len(c.Sources), len(c.Sinks))
	}
	for _, s := range c.Sinks {
		if s.When.String() != "" {
			t.Errorf("sink %s has a filter", s.Name)
		}
	}
	element := regexp.MustCompile(`(?m)^( +)# (- |  )([a-z_]+: )`)
	live := strings.ReplaceAll(element.ReplaceAllString(reference, "$1$2$3"), ": []\n  - ", ":\n  - ")
	c, err = config.Parse("reference.yaml", []byte(live), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Match.Rules) != 1 || len(c.Match.Allow) != 1 {
		t.Errorf("with the elements: %d rules, %d allow", len(c.Match.Rules), len(c.Match.Allow))
	}
}

// TestContractSample reads the documented sample with the kinds of sinks that the program has.
func TestContractSample(t *testing.T) {
	env := realEnv(t)
	if _, err := config.Load("../testdata/contract.yaml", env); err == nil {
		t.Error("no error without SOC_SECRET")
	}
	env.Lookup = func(name string) (string, bool) { return "whsec_c2VjcmV0", name == "SOC_SECRET" }
	if _, err := config.Load("../testdata/contract.yaml", env); err != nil {
		t.Error(err)
	}
}

func realEnv(t *testing.T) config.Env {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	env := config.Env{Sinks: registry(), Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	for _, technique := range base.Techniques {
		env.Techniques = append(env.Techniques, string(technique.ID))
	}
	return env
}

// TestReferenceAndSchemaAgree finds a key that only one of them has, and a value of another type.
func TestReferenceAndSchemaAgree(t *testing.T) {
	reference, err := Reference(root, registry())
	if err != nil {
		t.Fatal(err)
	}
	text, err := Schema(root, registry())
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(reference), &value); err != nil {
		t.Fatal(err)
	}
	agree(t, "", schema, value)
}

// TestEveryKeyOfASink has a comment, or the comment of a key beside it names it.
func TestEveryKeyOfASink(t *testing.T) {
	notes, err := collect(root, registry())
	if err != nil {
		t.Fatal(err)
	}
	explained(t, notes, "every sink", reflect.TypeFor[deliver.Policy]())
	for _, kind := range registry().Kinds() {
		explained(t, notes, kind.Name, reflect.TypeOf(kind.Default()))
	}
}

func explained(t *testing.T, notes *reference.Notes, path string, structure reflect.Type) {
	t.Helper()
	for structure.Kind() == reflect.Pointer {
		structure = structure.Elem()
	}
	beside := ""
	for _, k := range config.Keys(structure) {
		beside += notes.Comments[reference.NameOf(structure, k)] + " "
	}
	for _, k := range config.Keys(structure) {
		named := regexp.MustCompile(`\b` + k.Name + `\b`).MatchString(beside)
		switch {
		case reference.IsSection(k.Field.Type):
			explained(t, notes, path+"."+k.Name, k.Field.Type)
		case notes.Comments[reference.NameOf(structure, k)] == "" && !named:
			t.Errorf("%s.%s: nothing says what it does: give its field a comment", path, k.Name)
		}
	}
}

// commonKeys stand in the reference once, at the first sink.
var commonKeys = []string{"when", "start", "timeout", "concurrency", "retry", "rate_limit", "suppression_report", "batch"}

func agree(t *testing.T, path string, schema map[string]any, value any) {
	if choices, ok := schema["allOf"].([]any); ok {
		schema = ofType(choices, value)
	}
	if choices, ok := schema["anyOf"].([]any); ok {
		schema, _ = choices[0].(map[string]any)
	}
	m, isMap := value.(map[string]any)
	properties, hasKeys := schema["properties"].(map[string]any)
	element, isOpen := schema["additionalProperties"].(map[string]any)
	switch {
	case schema == nil:
		t.Errorf("%s: no schema", path)
	case isMap && hasKeys:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if properties[key] == nil {
				t.Errorf("%s.%s is not in the schema", path, key)
				continue
			}
			inner, _ := properties[key].(map[string]any)
			agree(t, path+"."+key, inner, m[key])
		}
		for key := range properties {
			onceOnly := strings.HasPrefix(path, ".sinks.") && slices.Contains(commonKeys, key)
			if _, ok := m[key]; !ok && !onceOnly {
				t.Errorf("%s.%s is not in the reference", path, key)
			}
		}
	case isMap && isOpen:
		for key := range m {
			agree(t, path+"."+key, element, m[key])
		}
	case isMap:
		t.Errorf("%s: keys and values, schema %v", path, schema)
	default:
		if want := schema["type"]; want != nil && want != typeOf(value) && !strings.Contains(string(mustJSON(want)), typeOf(value)) {
			t.Errorf("%s: %v is a %s, schema %v", path, value, typeOf(value), want)
		}
	}
}

// ofType returns the choice whose type is value's.
func ofType(choices []any, value any) map[string]any {
	m, _ := value.(map[string]any)
	for _, choice := range choices {
		rule, _ := choice.(map[string]any)
		schema, _ := rule["then"].(map[string]any)
		properties, _ := schema["properties"].(map[string]any)
		if constant, _ := properties["type"].(map[string]any); constant["const"] == m["type"] {
			return schema
		}
	}
	return nil
}

func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case float64:
		return "number"
	default:
		return "integer"
	}
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

func TestRename(t *testing.T) {
	tests := []struct{ text, field, key, want string }{
		{"MaxBytes is how much", "MaxBytes", "max_bytes", "max_bytes is how much"},
		{"OnFull says what gives way when MaxBytes is reached", "MaxBytes", "max_bytes", "OnFull says what gives way when max_bytes is reached"},
		{"Initial is the pause; it doubles up to Max", "Max", "max", "Initial is the pause; it doubles up to max"},
		{"It ends. Start is where", "Start", "start", "It ends. Start is where"},
		{"TLS of the listener, or mutual TLS", "TLS", "tls", "tls of the listener, or mutual TLS"},
		{"Formats", "Format", "format", "Formats"},
	}
	for _, test := range tests {
		if got := rename(test.text, test.field, test.key); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
