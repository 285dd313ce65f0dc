package exec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/sink"
)

func decode(text string) (sink.Config, error) {
	var r sink.Registry
	sink.Register(&r, Kind)
	kind, _ := r.Kind("exec")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestConfig(t *testing.T) {
	const command = "command: [/bin/x, --to, soc]\n"
	tests := []struct{ name, yaml, want string }{
		{"command alone", command, ""},
		{"all", command + "environment: {TOKEN: SECRET, _x1: ''}\ndirectory: /tmp\nformat: template\ntemplate: '{{.ID}}'", ""},
		{"no command", "{}", "command: missing"},
		{"empty command", "command: []", "command: missing"},
		{"relative", "command: [x]", `command: want the program as an absolute path, got "x"`},
		{"zero byte", "command: [/x, \"a\\0b\"]", "command: has a zero byte"},
		{"name", command + "environment: {'A=B': SECRET}", `environment: "A=B" can not be the name of a variable`},
		{"reserved", command + "environment: {FILELESSD_ID: SECRET}", "environment.FILELESSD_ID: is set by filelessd"},
		{"value", command + "environment: {A: \"SECRET\\0\"}", "environment.A: has a zero byte"},
		{"directory", command + "directory: tmp", `directory: want an absolute path, got "tmp"`},
		{"format", command + "format: xml", `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := decode(tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			err = config.Validate()
			if err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if shown := fmt.Sprintf("%v %+v %#v %v", config, config, config, err); strings.Contains(shown, "SECRET") {
				t.Errorf("shows a secret: %s", shown)
			}
		})
	}
	if _, err := decode(command + "shell: true"); err == nil {
		t.Error("an unknown key is no error")
	}
}
