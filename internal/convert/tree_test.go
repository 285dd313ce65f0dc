package convert

import (
	"errors"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/sinks"
)

func TestUnreadable(t *testing.T) {
	for name, text := range map[string]string{
		"falcosidekick.yaml: empty":                      "",
		"falcosidekick.yaml: empty:":                     "# nothing\n",
		"falcosidekick.yaml:1:1: want keys and values":   "- slack\n",
		"falcosidekick.yaml:2:15: not YAML":              "slack:\n  webhookurl: 'not closed\n",
		"falcosidekick.yaml:2:1: not UTF-8":              "slack:\n  webhookurl: \xff\n",
		"falcosidekick.yaml: more than one":              "slack: {}\n---\nteams: {}\n",
		"an alias of an anchor that is not there":        "slack: *nobody\n",
		"nested too deeply":                              strings.Repeat("{a: ", 100) + strings.Repeat("}", 100),
		"nested too deeply ":                             strings.Repeat("- ", 1000),
		"too long: aliases of aliases":                   bomb(),
		"falcosidekick.yaml: larger than 1 MiB":          strings.Repeat("# long\n", 200_000),
		"falcosidekick.yaml: too long: the file has too": strings.Repeat("a: 1\n", 60_000),
	} {
		_, err := Convert(Input{Name: "falcosidekick.yaml", Data: []byte(text), Sinks: sinks.Builtin()})
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), strings.TrimRight(name, " :")) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// bomb is a small file of which aliases make a large one.
func bomb() string {
	text := "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
	for i := 1; i < 9; i++ {
		name := "a" + string(rune('0'+i))
		last := "*a" + string(rune('0'+i-1))
		text += name + ": &" + name + " [" + strings.Repeat(last+", ", 9) + last + "]\n"
	}
	return text
}

// What is unreadable is not shown: it could be a secret.
func TestUnreadableShowsNothing(t *testing.T) {
	for _, text := range []string{"slack:\n  webhookurl: 'hush-hush: \"hush\n", "slack: {webhookurl: hush-hush\n", "slack:\n\twebhookurl: hush-hush\n", "a: b: hush-hush\n", "? hush-hush\n"} {
		if _, err := Convert(Input{Name: "f", Data: []byte(text), Sinks: sinks.Builtin()}); err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}

// Of what a merge brings, keys beside it win, then the mapping that comes first; none of that is a key twice.
func TestMerge(t *testing.T) {
	r := convertText(t, `
slack: &slack
  webhookurl: https://hooks.slack.com/services/T0/B0/x
  minimumpriority: error
teams:
  <<: [{minimumpriority: critical}, *slack]
webhook:
  <<: *slack
  address: https://x.example
  minimumpriority: alert
`)
	for _, n := range r.Notes {
		if n.Kind == Bad {
			t.Errorf("bad: %s", n)
		}
	}
	text := string(r.Config)
	for sink, want := range map[string]string{
		"slack:":   `["", "Emergency", "Alert", "Critical", "Error"]`,
		"teams:":   `["", "Emergency", "Alert", "Critical"]`,
		"webhook:": `["", "Emergency", "Alert"]`,
	} {
		_, after, _ := strings.Cut(text, "  "+sink)
		if _, when, _ := strings.Cut(after, "priority in "); !strings.HasPrefix(when, want) {
			t.Errorf("%s want %s in\n%s", sink, want, text)
		}
	}
	_, err := Convert(Input{Name: "f", Data: []byte("slack: {<<: 7, webhookurl: 'https://x.example'}\n"), Sinks: sinks.Builtin()})
	if e, ok := errors.AsType[*Error](err); !ok || e.Line != 1 {
		t.Errorf("got %v, want a merge of what is no mapping", err)
	}
}
