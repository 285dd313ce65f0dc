package when

import (
	"errors"
	"strings"
	"testing"
)

const (
	knownNames     = "known are id, kind, rule, priority, hostname, source, tags, fields, technique, verdict, confidence, severity, score"
	knownFunctions = "known are all, any, count, int, len, lower, none, one, trim, upper"
	knownLevels    = "info, low, medium, high, critical"
)

func TestMistakes(t *testing.T) {
	tests := []struct{ expression, want string }{
		// Names.
		{`severty >= high`, "1:1: unknown name severty; " + knownNames},
		{"rule == \"é\" &&\n  foo == 1", "2:3: unknown name foo; " + knownNames},
		{`k8s.ns.name == "x"`, `1:1: unknown name k8s: a Falco field is written fields["k8s.ns.name"]`},
		{`fields.proc.name == "x"`, `1:1: write fields["proc.name"]`},
		{`$env["rule"] == "x"`, "1:1: unknown name $env; " + knownNames},
		{`$env.rule == "x"`, "1:1: unknown name $env; " + knownNames},
		{`rule.length > 1`, `1:1: rule has no members`},
		{`tags[0] == "x"`, `1:1: tags is a list: write "x" in tags, or any(tags, # startsWith "x")`},

		// Severities.
		{`severity >= "high"`, `1:13: write severities without quotes: high`},
		{`severity in ["high", "critical"]`, `1:14: write severities without quotes: high`},
		{`severity >= 3`, `1:13: severity compares with one of ` + knownLevels},
		{`severity == "hihg"`, `1:13: severity compares with one of ` + knownLevels},
		{`severity`, `1:1: severity can only be compared, with one of ` + knownLevels},
		{`severity + 1 > high`, `1:1: severity can only be compared, with one of ` + knownLevels},
		{`score >= high`, `1:10: score is a number, and high a severity`},
		{`confidence == high`, `1:15: only severity compares with a severity; for a text write "high"`},
		{`high`, `1:1: high is a severity and can only be compared with severity; for a text write "high"`},

		// Values that a name never has.
		{`verdict == "malicious"`, `1:12: verdict is never "malicious"; known are test, benign-likely, suspicious, malicious-likely`},
		{`kind in ["alert", "alarm"]`, `1:19: kind is never "alarm"; known are alert, update, summary, suppression, loss, quiet, test`},
		{`"critical" == priority`, `1:1: priority is never "critical"; known are Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug`},
		{`confidence != "none"`, `1:15: confidence is never "none"; known are low, medium, high`},
		{`rule == nil`, `1:9: there is no nil: what an alert does not say is ""`},

		// Types.
		{`rule`, `1:1: want true or false, got a string`},
		{`true ? "x" : 1`, `1:1: want true or false, got one of several types`},
		{`fields["proc.pid"] == 1`, `1:20: == does not go with a string and a number`},
		{`tags == "x"`, `1:6: == does not go with a list and a string`},
		{`1 in tags`, `1:3: the list holds a string only, never a number`},
		{`1 in fields`, `1:3: the name of a field is a string, never a number`},
		{`fields[1] == "x"`, `1:8: the name of a field is a string, never a number`},
		{`rule in hostname`, `1:6: in takes a list, got a string; a part of a text: contains`},
		{`!rule`, `1:1: ! does not go with a string`},
		{`rule ? true : false`, `1:1: the condition: want true or false, got a string`},
		{`lower(1) == "x"`, `1:7: lower takes a string, got a number`},
		{`len(score) > 1`, `1:1: len does not take a number`},
		{`len() > 1`, `1:1: want 1 arguments, got 0`},
		{`any(rule, # == 1)`, `1:5: any takes a list, got a string`},
		{`any(tags, len(#))`, `1:11: the condition on each element: want true or false, got a number`},

		// Syntax.
		{`rule ==`, `1:7: the expression ends too early`},
		{`rule == "x`, `1:11: a quote is not closed`},
		{`rule = "x"`, `1:6: did not expect = here; to compare, write ==`},
		{`rule == "x" foo`, `1:13: did not expect foo here`},
		{`@`, `1:1: did not expect @ here`},
		{`rule matches "["`, "1:6: the pattern: missing closing ]: `[`"},
		{`score > 1e999`, `1:13: 1e999: not a number: value out of range`},

		// Not part of the language.
		{`rule matches hostname`, `1:6: want a pattern that is written out after matches`},
		{`now() > now()`, `1:1: unknown function now; ` + knownFunctions},
		{`len(repeat(rule, 100000)) > 1`, `1:5: unknown function repeat; ` + knownFunctions},
		{`len(filter(tags, true)) > 1`, `1:5: unknown function filter; ` + knownFunctions},
		{`rule | get("x")`, `1:8: unknown function get; ` + knownFunctions},
		{`rule.foo()`, `1:6: there are no methods; functions are all, any, count, int, len, lower, none, one, trim, upper`},
		{`any(tags, any(tags, # == "x"))`, `1:21: a condition on each element can not hold another one`},
		{`count(tags) > 1`, `1:1: count takes a list and a condition; len counts all elements`},
		{`score in 1..1000000`, `1:11: there is no ..`},
		{`let x = 1; score == x`, `1:5: want one expression, without let and ;`},
		{`rule?.x == "a"`, `1:7: there is no "?.": a field that an alert does not have is ""`},
		{`rule[1:2] == "x"`, `1:5: not part of this language`},
		{`{"a": 1} == {}`, `1:1: not part of this language`},
		{strings.Repeat("true and ", 500) + "true", `1:1: longer than 4096 bytes`},
		{strings.Repeat("1+", 600) + "1 > 0", `1:1002: the expression has too many parts`},
	}
	for _, test := range tests {
		_, err := Compile(test.expression)
		if err == nil {
			t.Errorf("%.60s: no error, want %s", test.expression, test.want)
			continue
		}
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%.60s: got a %T, want an *Error", test.expression, err)
		}
		if err.Error() != test.want {
			t.Errorf("%.60s\n got %s\nwant %s", test.expression, err, test.want)
		}
	}
}
