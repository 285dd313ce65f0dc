package readers

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the schemas
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

//go:embed testdata/sigma/detection-rule-schema.json
var sigmaSchema []byte

//go:embed testdata/tetragon/tracingpolicies.yaml.gz
var tetragonCRD []byte

// againstSchema validates a YAML document. Dates are text, as the schemas want them.
func againstSchema(schema, data []byte) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return validate(parsed, data)
}

func validate(schema any, data []byte) error {
	compiler := jsonschema.NewCompiler()
	if m, ok := schema.(map[string]any); ok {
		// Some schemas end the name of their draft with an empty fragment, some do not.
		if s, ok := m["$schema"].(string); ok && strings.Contains(s, "2020-12") {
			m["$schema"] = strings.TrimSuffix(s, "#")
		}
	}
	if err := compiler.AddResource("schema.json", schema); err != nil {
		return err
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		return err
	}
	value, err := yamlValue(data)
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// yamlValue returns a document as JSON would have it.
func yamlValue(data []byte) (any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var node yaml.Node
	if err := decoder.Decode(&node); err != nil {
		return nil, err
	}
	if decoder.Decode(&yaml.Node{}) == nil {
		return nil, errors.New("more than one document")
	}
	datesAreText(&node)
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
}

func datesAreText(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		datesAreText(c)
	}
}

var (
	sigmaSelection = regexp.MustCompile(`[a-z_0-9*]+`)
	sigmaModifiers = map[string]bool{"startswith": true, "endswith": true, "contains": true, "re": true, "all": true}
)

// Sigma reads a rule by the specification's schema, and makes sure that the condition names
// selections that exist and that regular expressions compile.
func Sigma(data []byte) error {
	if err := againstSchema(sigmaSchema, data); err != nil {
		return err
	}
	var rule struct {
		Detection map[string]any
	}
	if err := yaml.Unmarshal(data, &rule); err != nil {
		return err
	}
	condition, _ := rule.Detection["condition"].(string)
	for _, word := range sigmaSelection.FindAllString(condition, -1) {
		switch word {
		case "and", "or", "not", "of", "all", "1":
			continue
		}
		prefix, wild := strings.CutSuffix(word, "*")
		found := false
		for name := range rule.Detection {
			found = found || name == word || wild && strings.HasPrefix(name, prefix)
		}
		if !found {
			return fmt.Errorf("condition: no selection %s", word)
		}
	}
	for name, selection := range rule.Detection {
		fields, ok := selection.(map[string]any)
		if !ok {
			continue
		}
		for field, value := range fields {
			parts := strings.Split(field, "|")
			for _, m := range parts[1:] {
				if !sigmaModifiers[m] {
					return fmt.Errorf("%s: modifier %s", name, m)
				}
				if m != "re" {
					continue
				}
				if _, err := regexp.Compile(fmt.Sprint(value)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	return nil
}

// Tetragon reads a TracingPolicy by the schema of its CRD. The API server drops keys that it does
// not know; here they are refused.
func Tetragon(data []byte) error {
	unpacked, err := gzip.NewReader(bytes.NewReader(tetragonCRD))
	if err != nil {
		return err
	}
	var crd struct {
		Spec struct {
			Names    struct{ Kind string }
			Group    string
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPI map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.NewDecoder(unpacked).Decode(&crd); err != nil {
		return err
	}
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
	}
	if err := yaml.Unmarshal(data, &head); err != nil {
		return err
	}
	version := crd.Spec.Versions[0]
	if want := crd.Spec.Group + "/" + version.Name; head.APIVersion != want || head.Kind != crd.Spec.Names.Kind {
		return fmt.Errorf("%s %s, want %s %s", head.APIVersion, head.Kind, want, crd.Spec.Names.Kind)
	}
	if !isName.MatchString(head.Metadata.Name) {
		return fmt.Errorf("name %q", head.Metadata.Name)
	}
	schema := version.Schema.OpenAPI
	closeObjects(schema)
	encoded, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return againstSchema(encoded, data)
}

var isName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// closeObjects forbids unknown keys in every object with known ones, but for metadata, of which a
// CRD's schema says nothing.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && len(p) > 0 {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}
