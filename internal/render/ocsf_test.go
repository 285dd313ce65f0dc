package render_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/render"
)

// ocsfSchema has the objects of testdata/schema/ocsf-1.5.0.txt by their names.
type ocsfSchema map[string]*ocsfObject

type ocsfObject struct {
	atLeastOne []string
	attributes map[string]ocsfAttribute
}

type ocsfAttribute struct {
	kind     string // with [] before it for an array
	required bool
	captions map[string]string // of an enumeration, by the numbers
	only     string            // the one value of a string
	sibling  string            // the attribute that has the caption
}

var captions = regexp.MustCompile(`(\d+)=(.*?)(?: (\d+=)|$)`)

func readOCSFSchema(t testing.TB) ocsfSchema {
	t.Helper()
	data, err := os.ReadFile("testdata/schema/ocsf-1.5.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	schema := ocsfSchema{}
	var object *ocsfObject
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || line[0] == '#':
		case line[0] == '[':
			object = &ocsfObject{attributes: map[string]ocsfAttribute{}}
			schema[strings.Trim(words[0], "[]")] = object
		case words[0] == "at_least_one":
			object.atLeastOne = words[1:]
		default:
			a := ocsfAttribute{kind: words[1], required: words[2] == "required"}
			rest, sibling, _ := strings.Cut(strings.Join(words[3:], " "), " sibling=")
			if a.sibling = sibling; sibling != "" {
				a.captions = readCaptions(rest)
			} else {
				a.only = rest
			}
			object.attributes[words[0]] = a
		}
	}
	return schema
}

// readCaptions reads "0=Unknown 1=In Progress".
func readCaptions(s string) map[string]string {
	all := map[string]string{}
	for s != "" {
		m := captions.FindStringSubmatchIndex(s)
		all[s[m[2]:m[3]]] = s[m[4]:m[5]]
		if m[6] < 0 {
			break
		}
		s = s[m[6]:]
	}
	return all
}

// check returns what is wrong with v as an object of that name.
func (s ocsfSchema) check(path, name string, v any) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	object := s[name]
	fields, ok := v.(map[string]any)
	if !ok || object == nil {
		complain("%T as %s", v, name)
		return wrong
	}
	if len(object.atLeastOne) > 0 && !slices.ContainsFunc(object.atLeastOne, func(a string) bool { return fields[a] != nil }) {
		complain("none of %v", object.atLeastOne)
	}
	for key, a := range object.attributes {
		if a.required && fields[key] == nil {
			complain("no %s", key)
		}
	}
	for key, value := range fields {
		a, ok := object.attributes[key]
		if !ok {
			complain("unknown attribute %s", key)
			continue
		}
		wrong = append(wrong, s.checkValue(path+"."+key, a.kind, value)...)
		if a.only != "" && value != a.only {
			complain("%s is %v, not %s", key, value, a.only)
		}
		if a.captions == nil {
			continue
		}
		caption, ok := a.captions[fmt.Sprint(value)]
		switch sibling := fields[a.sibling]; {
		case !ok:
			complain("%s has no value %v", key, value)
		case fmt.Sprint(value) == "99" && (sibling == nil || sibling == ""):
			complain("%s is Other, and %s does not say what", key, a.sibling)
		case fmt.Sprint(value) != "99" && sibling != nil && sibling != caption:
			complain("%s %v is %q, and %s says %q", key, value, caption, a.sibling, sibling)
		}
	}
	return wrong
}

func (s ocsfSchema) checkValue(path, kind string, v any) (wrong []string) {
	var ok bool
	element, isArray := strings.CutPrefix(kind, "[]")
	switch list, isList := v.([]any); {
	case isArray:
		if ok = isList && len(list) > 0; ok { // an empty array says nothing
			for i, one := range list {
				wrong = append(wrong, s.checkValue(fmt.Sprintf("%s[%d]", path, i), element, one)...)
			}
		}
	case strings.HasSuffix(kind, "_t"):
		ok = isScalar(kind, v)
	case kind == "object":
		_, ok = v.(map[string]any)
	default:
		return s.check(path, kind, v)
	}
	if !ok {
		wrong = append(wrong, fmt.Sprintf("%s: %v (%T) as %s", path, v, v, kind))
	}
	return wrong
}

func isScalar(kind string, v any) bool {
	switch kind {
	case "integer_t":
		n, ok := v.(json.Number)
		i, err := n.Int64()
		return ok && err == nil && i >= math.MinInt32 && i <= math.MaxInt32
	case "long_t", "timestamp_t":
		n, ok := v.(json.Number)
		_, err := n.Int64()
		return ok && err == nil
	case "boolean_t":
		_, ok := v.(bool)
		return ok
	case "json_t":
		return true
	default: // string_t, and those that are strings with a meaning
		s, ok := v.(string)
		return ok && s != "" // unknown is absent, not empty
	}
}

func TestOCSFValid(t *testing.T) {
	schema := readOCSFSchema(t)
	for name, r := range machineReports(t) {
		t.Run(name, func(t *testing.T) {
			line, err := render.OCSF(r)
			doc := machineDoc(t, line, err)
			for _, wrong := range schema.check("", "detection_finding", doc) {
				t.Error(wrong)
			}
			observables, _ := doc["observables"].([]any)
			for _, o := range observables {
				o := o.(map[string]any)
				if got := reach(doc, strings.Split(o["name"].(string), ".")); fmt.Sprint(got) != o["value"] {
					t.Errorf("observable %s is %v, and there stands %v", o["name"], o["value"], got)
				}
			}
		})
	}
}

// reach follows names through objects, and through the first element of arrays.
func reach(v any, path []string) any {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	if m, ok := v.(map[string]any); ok && len(path) > 0 {
		return reach(m[path[0]], path[1:])
	}
	return v
}

// TestOCSFSchemaRefuses makes sure that the check above can fail, each rule of it.
func TestOCSFSchemaRefuses(t *testing.T) {
	schema := readOCSFSchema(t)
	line, err := render.OCSF(full(t))
	for name, spoil := range map[string]func(doc map[string]any){
		"unknown attribute finding_uid":    func(doc map[string]any) { doc["finding_uid"] = "x" },
		"no severity_id":                   func(doc map[string]any) { delete(doc, "severity_id") },
		"severity_id has no value 9":       func(doc map[string]any) { doc["severity_id"] = json.Number("9") },
		`severity_id 2 is "Low"`:           func(doc map[string]any) { doc["severity_id"] = json.Number("2") },
		"severity_id is Other":             func(doc map[string]any) { doc["severity_id"] = json.Number("99"); delete(doc, "severity") },
		".time: now (string) as timestamp": func(doc map[string]any) { doc["time"] = "now" },
		".is_alert: 1":                     func(doc map[string]any) { doc["is_alert"] = json.Number("1") },
		".message:  (string) as string_t":  func(doc map[string]any) { doc["message"] = "" },
		".evidences: [] ":                  func(doc map[string]any) { doc["evidences"] = []any{} },
		"version is 1.4.0, not 1.5.0":      func(doc map[string]any) { doc["metadata"].(map[string]any)["version"] = "1.4.0" },
		".evidences[0]: none of [actor": func(doc map[string]any) {
			doc["evidences"] = []any{map[string]any{"container": map[string]any{"uid": "x"}}}
		},
		".evidences[0].process: none of [pid uid cpid]": func(doc map[string]any) {
			delete(doc["evidences"].([]any)[0].(map[string]any)["process"].(map[string]any), "uid")
			delete(doc["evidences"].([]any)[0].(map[string]any)["process"].(map[string]any), "pid")
		},
		".finding_info.uid: map": func(doc map[string]any) { doc["finding_info"].(map[string]any)["uid"] = map[string]any{} },
	} {
		doc := machineDoc(t, line, err)
		spoil(doc)
		if wrong := strings.Join(schema.check("", "detection_finding", doc), "\n"); !strings.Contains(wrong, name) {
			t.Errorf("want %q, got %q", name, wrong)
		}
	}
}

// TestOCSFMeaning pins what no schema can check.
func TestOCSFMeaning(t *testing.T) {
	reports := machineReports(t)
	for _, c := range []struct{ report, path, want string }{
		{"c04", "time", "1748834095120"},
		{"c04", "evidences.verdict", "Security Risk"},
		{"c04", "evidences.process.file.type", "Memory File"},
		{"memfd_exec.kubernetes", "evidences.process.pid", "48213"},
		{"memfd_exec.kubernetes", "evidences.process.parent_process.pid", "48190"},
		{"memfd_exec.kubernetes", "evidences.process.ancestry.path", "/usr/local/bin/node"},
		{"memfd_exec.kubernetes", "evidences.container.image.uid", "sha256:" + strings.Repeat("3f", 32)},
		{"memfd_exec.host", "evidences.container", "<nil>"},
		{"fd_exec.host", "evidences.process.file.type", "Regular File"},
		{"deleted_exec.host", "evidences.process.file.is_deleted", "true"},
		{"c04", "finding_info.attacks.technique.uid", "T1620"},
		{"c04", "finding_info.attacks.tactic.name", "Defense Evasion"},
		{"c04", "finding_info.attacks.version", "18"},
		{"c04", "unmapped.falco.output_fields.proc\x00cmdline", "4 -o 51.75.64.249:20128 --donate-level 1"},
		{"c02", "evidences.verdict", "Test"},
		{"c02", "evidences.process.pid", "<nil>"},
		{"c02", "evidences.process.uid", reports["c02"].ID},
		{"update", "type_uid", "200402"},
		{"update", "finding_info.uid", reports["full"].ID},
		{"update", "metadata.uid", reports["update"].ID},
		{"summary", "count", "3"},
		{"loss", "is_alert", "true"},
		{"suppression", "is_alert", "false"},
		{"full", "remediation.desc", "1. Decide between test and incident. 2. Ask who ran the test. 3. Refuse executable memory files. 4. What does not help here."},
	} {
		line, err := render.OCSF(reports[c.report])
		path := strings.Split(c.path, ".")
		for i := range path {
			path[i] = strings.ReplaceAll(path[i], "\x00", ".")
		}
		if got := fmt.Sprint(reach(machineDoc(t, line, err), path)); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.report, c.path, got, c.want)
		}
	}
}
