package readers

import (
	_ "embed" // the tables
	"fmt"
	"regexp"
	"strings"
)

//go:embed testdata/falco/fields.tsv
var fieldTable string

//go:embed testdata/falco/stock.tsv
var stockTable string

// falcoField is what Falco knows of a field.
type falcoField struct{ kind, argument, use string }

var falcoFields = func() map[string]falcoField {
	all := map[string]falcoField{}
	for _, f := range table(fieldTable, 4) {
		all[f[0]] = falcoField{kind: f[1], argument: f[2], use: f[3]}
	}
	return all
}()

// stock has "macro name", "list name" and "rule name" of the stock rules.
var stock = func() map[string]bool {
	all := map[string]bool{}
	for _, f := range table(stockTable, 2) {
		all[f[0]+" "+f[1]] = true
	}
	return all
}()

func table(text string, columns int) (rows [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if f := strings.Split(line, "\t"); len(f) == columns {
			rows = append(rows, f)
		}
	}
	return rows
}

// lookUp finds a field as it is written; an argument of evt.arg may follow a dot.
func lookUp(name string, hasArgument bool) (falcoField, error) {
	for _, prefix := range []string{"evt.arg.", "evt.rawarg."} {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return falcoFields[strings.TrimSuffix(prefix, ".")], nil
		}
	}
	f, ok := falcoFields[name]
	switch {
	case !ok:
		return f, fmt.Errorf("no field %s is known to Falco 0.38 and 0.44", name)
	case f.use == "table":
		return f, fmt.Errorf("field %s is for other programs", name)
	case hasArgument && f.argument == "none":
		return f, fmt.Errorf("field %s takes no argument", name)
	case !hasArgument && f.argument == "required":
		return f, fmt.Errorf("field %s needs an argument", name)
	}
	return f, nil
}

// checkField makes sure that a comparison has a field that exists, and values of its kind.
func (c check) checkField() error {
	f, err := lookUp(c.field, c.hasArgument)
	if err != nil {
		return err
	}
	if f.use == "output" {
		return fmt.Errorf("field %s is for outputs only", c.field)
	}
	text := false
	switch c.operator {
	case "<", "<=", ">", ">=":
		if f.kind == "string" || f.kind == "bool" {
			return fmt.Errorf("%s is no number: %s does not apply", c.field, c.operator)
		}
	case "glob", "iglob", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "pmatch":
		text = true
	}
	if (text || len(c.transformers) > 0) && (f.kind == "number" || f.kind == "bool") {
		return fmt.Errorf("%s is no text: %s does not apply", c.field, c.operator)
	}
	for _, v := range c.values {
		if v = strings.Trim(v, `"'`); f.kind == "bool" && v != "true" && v != "false" {
			return fmt.Errorf("%s is true or false, not %s", c.field, v)
		}
	}
	return nil
}

var outputField = regexp.MustCompile(`%([a-zA-Z][a-zA-Z0-9_.]*)(\[[^\]\s]+\])?`)

// checkOutput makes sure that the fields of an output exist.
func checkOutput(text string) error {
	for _, m := range outputField.FindAllStringSubmatch(text, -1) {
		if _, err := lookUp(strings.TrimRight(m[1], "."), m[2] != ""); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}
