package render_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/render"
)

// ecsField is a field of testdata/schema/ecs-9.4.0.json.
type ecsField struct {
	Type    string
	Array   bool
	Allowed map[string][]string // values, with the event types that go with each
}

func readECSSchema(t testing.TB) map[string]ecsField {
	t.Helper()
	data, err := os.ReadFile("testdata/schema/ecs-9.4.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]ecsField
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkECS returns what is wrong with the fields of doc, but for those below filelessd.
func checkECS(schema map[string]ecsField, doc map[string]any) (wrong []string) {
	var walk func(prefix string, v map[string]any)
	walk = func(prefix string, v map[string]any) {
		for key, value := range v {
			name := prefix + key
			if name == "filelessd" {
				continue
			}
			f, ok := schema[name]
			inner, isObject := value.(map[string]any)
			switch {
			case isObject && (!ok || f.Type == "object"):
				if len(inner) == 0 {
					wrong = append(wrong, name+": empty")
				}
				walk(name+".", inner)
			case !ok:
				wrong = append(wrong, name+": no such field")
			default:
				wrong = append(wrong, checkECSValue(name, f, value)...)
			}
		}
	}
	walk("", doc)
	for _, name := range []string{"@timestamp", "ecs.version"} {
		if reach(doc, strings.Split(name, ".")) == nil {
			wrong = append(wrong, "no "+name)
		}
	}
	return append(wrong, checkECSTypes(schema, doc)...)
}

func checkECSValue(name string, f ecsField, v any) (wrong []string) {
	values, isArray := v.([]any)
	if isArray != f.Array || isArray && len(values) == 0 {
		return []string{fmt.Sprintf("%s: %v, an array is %v", name, v, f.Array)}
	}
	if !isArray {
		values = []any{v}
	}
	for _, v := range values {
		ok := false
		s, isString := v.(string)
		n, isNumber := v.(json.Number)
		switch f.Type {
		case "keyword", "wildcard", "match_only_text", "text":
			ok = isString && s != ""
		case "date":
			_, err := time.Parse(time.RFC3339Nano, s)
			ok = isString && err == nil
		case "long":
			_, err := n.Int64()
			ok = isNumber && err == nil
		case "float":
			ok = isNumber
		case "boolean":
			_, ok = v.(bool)
		}
		if _, allowed := f.Allowed[s]; len(f.Allowed) > 0 && !allowed || !ok {
			wrong = append(wrong, fmt.Sprintf("%s: %v (%T) as %s", name, v, v, f.Type))
		}
	}
	return wrong
}

// checkECSTypes makes sure that each event type is expected of one of the categories.
func checkECSTypes(schema map[string]ecsField, doc map[string]any) (wrong []string) {
	fields, _ := doc["event"].(map[string]any)
	types, _ := fields["type"].([]any)
	categories, _ := fields["category"].([]any)
	for _, kind := range types {
		if !slices.ContainsFunc(categories, func(c any) bool {
			return slices.Contains(schema["event.category"].Allowed[fmt.Sprint(c)], fmt.Sprint(kind))
		}) {
			wrong = append(wrong, fmt.Sprintf("event.type %v with event.category %v", kind, categories))
		}
	}
	return wrong
}

func TestECSValid(t *testing.T) {
	schema := readECSSchema(t)
	reports := machineReports(t)
	delete(reports, "nothing known") // not even a time, which every document has
	delete(reports, "no event")
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			line, err := render.ECS(r)
			for _, wrong := range checkECS(schema, machineDoc(t, line, err)) {
				t.Error(wrong)
			}
		})
	}
}

// TestECSSchemaRefuses makes sure that the check above can fail, each rule of it.
func TestECSSchemaRefuses(t *testing.T) {
	schema := readECSSchema(t)
	line, err := render.ECS(full(t))
	for want, spoil := range map[string]func(doc, event map[string]any){
		"event.ident: no such field":              func(_, event map[string]any) { event["ident"] = "x" },
		"falco.rule: no such field":               func(doc, _ map[string]any) { doc["falco"] = map[string]any{"rule": "x"} },
		"event.kind: alarm (string) as keyword":   func(_, event map[string]any) { event["kind"] = "alarm" },
		"event.severity: 4 (string) as long":      func(_, event map[string]any) { event["severity"] = "4" },
		"event.id:  (string) as keyword":          func(_, event map[string]any) { event["id"] = "" },
		"event.category: process, an array":       func(_, event map[string]any) { event["category"] = "process" },
		"event.id: [x], an array is false":        func(_, event map[string]any) { event["id"] = []any{"x"} },
		"event.created: today (string) as date":   func(_, event map[string]any) { event["created"] = "today" },
		"event.type deletion with event.category": func(_, event map[string]any) { event["type"] = []any{"deletion"} },
		"host: empty":   func(doc, _ map[string]any) { doc["host"] = map[string]any{} },
		"no @timestamp": func(doc, _ map[string]any) { delete(doc, "@timestamp") },
	} {
		doc := machineDoc(t, line, err)
		spoil(doc, doc["event"].(map[string]any))
		if wrong := strings.Join(checkECS(schema, doc), "\n"); !strings.Contains(wrong, want) {
			t.Errorf("want %q, got %q", want, wrong)
		}
	}
}

// TestECSMeaning pins what no schema can check.
func TestECSMeaning(t *testing.T) {
	reports := machineReports(t)
	for _, c := range []struct{ report, path, want string }{
		{"c04", "@timestamp", "2025-06-02T03:14:55.120000001Z"},
		{"c04", "event.kind", "alert"},
		{"c04", "event.action", "memfd_exec"},
		{"c04", "event.severity", "5"},
		{"c04", "event.risk_score", "90"},
		{"c04", "event.provider", "falco"},
		{"memfd_exec.kubernetes", "process.pid", "48213"},
		{"memfd_exec.kubernetes", "process.parent.executable", "/usr/local/bin/node"},
		{"c04", "threat.technique.id", "[T1620 T1496]"},
		{"c04", "threat.tactic.name", "[Defense Evasion Stealth Impact]"},
		{"memfd_exec.kubernetes", "orchestrator.namespace", "shop"},
		{"c04", "filelessd.verdict", "malicious-likely"},
		{"memfd_exec.host", "container", "<nil>"},
		{"loss", "event.kind", "alert"},
		{"loss", "event.category", "<nil>"},
		{"loss", "event.provider", "filelessd"},
		{"loss", "filelessd.score", "<nil>"},
		{"test", "event.kind", "event"},
		{"summary", "event.end", "2024-10-25T14:01:47.031816432Z"},
	} {
		line, err := render.ECS(reports[c.report])
		var got any = machineDoc(t, line, err)
		for _, name := range strings.Split(c.path, ".") {
			m, _ := got.(map[string]any)
			got = m[name]
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %s is %v, want %s", c.report, c.path, got, c.want)
		}
	}
}
