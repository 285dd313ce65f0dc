package when

import (
	"errors"
	"strings"
	"testing"
)

// FuzzCompile: whatever is written into a configuration is an expression that can be evaluated, or
// a mistake with a place and one line of text.
func FuzzCompile(f *testing.F) {
	for _, expression := range []string{
		"", "true", `severity >= high && fields["k8s.ns.name"] != "sandbox"`, `"T1620" in tags`, `any(tags, # startsWith "T")`,
		`fields["proc.exepath"] matches "^/?memfd:"`, `int(fields["proc.pid"]) % 0 == 1`, `score > 54.5 ? rule != "" : "x" in fields`,
		`low <= severity < critical`, `severity not in [high]`, `upper(trim(rule, "F")) contains hostname`, `let x = rule; x == nil`,
		`$env["Rule"]`, `-score ** 2 ?? 1 .. 3`, `{"a": [1, b"\xff"]}["a"][0:1]`, "rule == `\xff`", "if score > 1 {true} else {false}",
	} {
		f.Add(expression)
	}
	r, e := highReport(), alert()
	f.Fuzz(func(t *testing.T, expression string) {
		p, err := Compile(expression)
		if err != nil {
			wrong, ok := errors.AsType[*Error](err)
			if !ok || wrong.Line < 1 || wrong.Column < 1 || wrong.Message == "" || strings.Contains(wrong.Message, "\n") {
				t.Fatalf("not a useful mistake: %#v", err)
			}
			return
		}
		_, errReport := p.Report(r)
		_, errEvent := p.Event(e)
		for _, err := range []error{errReport, errEvent} {
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than a line: %q", err)
			}
		}
	})
}
