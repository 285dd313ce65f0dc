package teams

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
	kind, _ := r.Kind("teams")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestConfig(t *testing.T) {
	const url = "url: https://prod-1.logic.example/workflows/x?sig=SECRET\n"
	tests := []struct{ name, yaml, want string }{
		{"url alone", url, ""},
		{"all", url + "mentions: [jane@example.com, Jane Doe <0a1b2c3d-0000-1111-2222-333344445555>]\nmention_severity: critical\nlink: https://x/{id}\ntls: {ca_file: /ca}", ""},
		{"no url", "link: ''", "url: missing"},
		{"no scheme", "url: logic.example/SECRET", "url: want a URL that begins with http:// or https://"},
		{"mention without id", url + "mentions: [Jane <>]", `mentions: want NAME <ID> or ID, got "Jane <>"`},
		{"mention without name", url + "mentions: [<jane>]", `mentions: want NAME <ID> or ID, got "<jane>"`},
		{"mention that goes on", url + "mentions: [Jane <jane> x]", `mentions: want NAME <ID> or ID, got "Jane <jane> x"`},
		{"empty mention", url + "mentions: ['']", `mentions: want NAME <ID> or ID, got ""`},
		{"markup in a name", url + "mentions: ['[x](y) <jane>']", `mentions: "[x](y) <jane>" has characters that a mention can not have`},
		{"blank in an id", url + "mentions: ['Jane <jane doe>']", `mentions: "Jane <jane doe>" has characters that a mention can not have`},
		{"severity", url + "mention_severity: hi", `mention_severity: want one of [info low medium high critical], got "hi"`},
		{"link", url + "link: https://x/", "link: want {id} in it, for the report's id"},
		{"tls", url + "tls: {cert_file: /c}", "tls: cert_file and key_file go together"},
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
	many := Config{URL: "https://x", MentionSeverity: "high", Mentions: make([]string, 21), Link: "https://x/{id}" + strings.Repeat("x", 1000)}
	for i := range many.Mentions {
		many.Mentions[i] = strings.Repeat("x", 201)
	}
	for _, want := range []string{"mentions: 21, and a card has room for 20", "mentions: longer than 200 bytes", "link: longer than 1000 bytes"} {
		if err := many.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := decode("uri: x"); err == nil {
		t.Error("an unknown key is no error")
	}
}
