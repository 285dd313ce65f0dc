package readers

import (
	_ "embed" // the schemas
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed testdata/falco/rule-schema.json
var ruleSchema []byte

//go:embed testdata/falco/config-schema.json
var settingsSchema []byte

// ruleItem is an item of a rule file, with the keys of Falco 0.38; a key beyond them is refused.
type ruleItem struct {
	List       string            `yaml:"list"`
	Macro      string            `yaml:"macro"`
	Rule       string            `yaml:"rule"`
	Items      []any             `yaml:"items"`
	Condition  string            `yaml:"condition"`
	Desc       string            `yaml:"desc"`
	Output     string            `yaml:"output"`
	Priority   string            `yaml:"priority"`
	Source     string            `yaml:"source"`
	Tags       []string          `yaml:"tags"`
	Enabled    *bool             `yaml:"enabled"`
	Exceptions []ruleException   `yaml:"exceptions"`
	Override   map[string]string `yaml:"override"`
	keys       map[string]bool
}

type ruleException struct {
	Name   string   `yaml:"name"`
	Fields []string `yaml:"fields"`
	Comps  []string `yaml:"comps"`
	Values [][]any  `yaml:"values"`
}

// FalcoRules reads a rule file as Falco does after the stock rules.
func FalcoRules(data []byte) error {
	if err := againstSchema(ruleSchema, data); err != nil {
		return err
	}
	items, err := ruleItems(data)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, it := range items {
		kind, name := it.identity()
		if known[kind+" "+name] {
			return fmt.Errorf("%s %s stands twice", kind, name)
		}
		known[kind+" "+name] = true
	}
	for _, it := range items {
		kind, name := it.identity()
		if err := it.check(known); err != nil {
			return fmt.Errorf("%s %s: %w", kind, name, err)
		}
	}
	return nil
}

func ruleItems(data []byte) ([]*ruleItem, error) {
	var nodes []yaml.Node
	if err := yaml.Unmarshal(data, &nodes); err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, errors.New("no items")
	}
	var items []*ruleItem
	for _, n := range nodes {
		it := &ruleItem{keys: map[string]bool{}}
		if err := n.Decode(it); err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			it.keys[n.Content[i].Value] = true
		}
		items = append(items, it)
	}
	return items, nil
}

func (it *ruleItem) identity() (kind, name string) {
	switch {
	case it.keys["list"]:
		return "list", it.List
	case it.keys["macro"]:
		return "macro", it.Macro
	}
	return "rule", it.Rule
}

var keysOf = map[string][]string{
	"list":  {"list", "items"},
	"macro": {"macro", "condition"},
	"rule": {"rule", "desc", "condition", "output", "priority", "source", "tags", "enabled", "exceptions",
		"override"},
}

func (it *ruleItem) check(known map[string]bool) error {
	kind, name := it.identity()
	if name == "" {
		return errors.New("has no name")
	}
	for key := range it.keys {
		if !slices.Contains(keysOf[kind], key) {
			return fmt.Errorf("key %s is not one of a %s", key, kind)
		}
	}
	if it.keys["override"] {
		return it.checkOverride()
	}
	if stock[kind+" "+name] {
		return errors.New("replaces that of the stock rules: override is missing")
	}
	switch kind {
	case "list":
		if len(it.Items) == 0 {
			return errors.New("has no items")
		}
		return nil
	case "macro":
		_, err := it.checkCondition(known)
		return err
	}
	return it.checkRule(known)
}

func (it *ruleItem) checkRule(known map[string]bool) error {
	for _, key := range []string{"desc", "condition", "output", "priority"} {
		if !it.keys[key] {
			return fmt.Errorf("key %s is missing", key)
		}
	}
	if it.Source != "" && it.Source != "syscall" {
		return fmt.Errorf("source %s", it.Source)
	}
	c, err := it.checkCondition(known)
	if err != nil {
		return err
	}
	if !restrictsEvents(c) {
		return errors.New("matches events of every type, which slows Falco down: it warns")
	}
	for _, ex := range it.Exceptions {
		if err := ex.check(); err != nil {
			return fmt.Errorf("exception %s: %w", ex.Name, err)
		}
	}
	return checkOutput(it.Output)
}

func restrictsEvents(c condition) bool {
	for _, k := range c.checks {
		if k.field == "evt.type" {
			return true
		}
	}
	return slices.Contains(c.macros, "spawned_process") || slices.Contains(c.macros, "open_write")
}

func (it *ruleItem) checkCondition(known map[string]bool) (condition, error) {
	c, err := parseCondition(strings.TrimSpace(it.Condition))
	if err != nil {
		return c, err
	}
	for _, k := range c.checks {
		if err := k.checkField(); err != nil {
			return c, err
		}
	}
	for _, m := range c.macros {
		if !known["macro "+m] && !stock["macro "+m] {
			return c, fmt.Errorf("macro %s is not defined", m)
		}
	}
	for _, l := range c.lists {
		if !known["list "+l] && !stock["list "+l] {
			return c, fmt.Errorf("list %s is not defined", l)
		}
	}
	return c, nil
}

// checkOverride allows what the files here need: values added to a stock rule.
func (it *ruleItem) checkOverride() error {
	kind, name := it.identity()
	if !stock[kind+" "+name] {
		return errors.New("overrides what the stock rules do not have")
	}
	for key, how := range it.Override {
		if key != "exceptions" || how != "append" {
			return fmt.Errorf("override %s: %s is not expected here", key, how)
		}
		if !it.keys[key] {
			return fmt.Errorf("override names %s, which is missing", key)
		}
	}
	if len(it.keys) != 3 || len(it.Exceptions) == 0 {
		return errors.New("an override of exceptions has exceptions and nothing else")
	}
	for _, ex := range it.Exceptions {
		if err := ex.check(); err != nil {
			return fmt.Errorf("exception %s: %w", ex.Name, err)
		}
	}
	return nil
}

// check is what the loader checks (userspace/engine/rule_loader_collector.cpp, validate_exception_info),
// and that the exception holds several fields together.
func (ex *ruleException) check() error {
	switch {
	case ex.Name == "":
		return errors.New("has no name")
	case len(ex.Fields) < 3:
		return fmt.Errorf("goes by %d fields: too wide", len(ex.Fields))
	case len(ex.Comps) != len(ex.Fields):
		return fmt.Errorf("%d fields and %d comps", len(ex.Fields), len(ex.Comps))
	case len(ex.Values) == 0:
		return errors.New("has no values")
	}
	for _, values := range ex.Values {
		if len(values) != len(ex.Fields) {
			return fmt.Errorf("%d fields and %d values", len(ex.Fields), len(values))
		}
		for i, field := range ex.Fields {
			value, ok := values[i].(string)
			if !ok || value == "" || strings.ContainsAny(value, "\"'") {
				return fmt.Errorf("value %v of %s", values[i], field)
			}
			c, err := parseCondition(field + " " + ex.Comps[i] + " \"" + value + "\"")
			if err != nil {
				return err
			}
			if err := c.checks[0].checkField(); err != nil {
				return err
			}
		}
	}
	return nil
}

// FalcoSettings reads a file of config.d.
func FalcoSettings(data []byte) error {
	if err := againstSchema(settingsSchema, data); err != nil {
		return err
	}
	var settings struct {
		RuleMatching string `yaml:"rule_matching"`
		AppendOutput []struct {
			Match struct {
				Source, Rule string
			}
			SuggestedOutput bool  `yaml:"suggested_output"`
			ExtraFields     []any `yaml:"extra_fields"`
		} `yaml:"append_output"`
	}
	if err := yaml.Unmarshal(data, &settings); err != nil {
		return err
	}
	if m := settings.RuleMatching; m != "" && m != "all" && m != "first" {
		return fmt.Errorf("rule_matching %s", m)
	}
	for _, a := range settings.AppendOutput {
		if a.SuggestedOutput {
			return errors.New("suggested_output stands in falco.yaml already; lists of config.d are added to it")
		}
		if a.Match.Rule != "" && !stock["rule "+a.Match.Rule] {
			return fmt.Errorf("no stock rule %q", a.Match.Rule)
		}
		if len(a.ExtraFields) == 0 {
			return errors.New("append_output adds nothing")
		}
		for _, f := range a.ExtraFields {
			if err := checkOutput(fmt.Sprint("%", f)); err != nil {
				return err
			}
		}
	}
	return nil
}
