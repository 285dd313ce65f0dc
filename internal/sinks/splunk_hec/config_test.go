package splunkhec

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
	kind, _ := r.Kind("splunk_hec")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestConfig(t *testing.T) {
	const least = "url: https://splunk.example:8088\ntoken: SECRET\n"
	tests := []struct{ name, yaml, want string }{
		{"least", least, ""},
		{"all", least + "index: security\nsource: x\nsourcetype: a:b\nformat: cef\ntls: {ca_file: /ca, min_version: TLS13}", ""},
		{"nothing", "{}", "url: missing\ntoken: missing"},
		{"user", "url: https://u:SECRET@x\ntoken: SECRET", "url: a user and password are not taken here: the token says who sends"},
		{"token with its scheme", "url: https://x\ntoken: Splunk SECRET", "token: has blanks or control characters"},
		{"token with a line", "url: https://x\ntoken: \"SECRET\\r\\nX: y\"", "token: has blanks or control characters"},
		{"index", least + `index: "a\n"`, `index: has characters that do not show: "a\n"`},
		{"format", least + "format: xml", `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
		{"tls", least + "tls: {cert_file: /c}", "tls: cert_file and key_file go together"},
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
	if _, err := decode(least + "ack: true"); err == nil {
		t.Error("an unknown key is no error")
	}
}

func TestEndpoints(t *testing.T) {
	for url, want := range map[sink.Secret][2]string{
		"https://x:8088":                            {"https://x:8088/services/collector/event", "https://x:8088/services/collector/health"},
		"https://x/":                                {"https://x/services/collector/event", "https://x/services/collector/health"},
		"https://x/hec/services/collector/event":    {"https://x/hec/services/collector/event", "https://x/hec/services/collector/health"},
		"https://x/services/collector/event/1.0?a=": {"https://x/services/collector/event/1.0?a=", "https://x/services/collector/health?a="},
	} {
		u, err := Config{URL: url}.endpoint()
		if err != nil || u.String() != want[0] || health(u).String() != want[1] {
			t.Errorf("%v, %s, %v", u, health(u), err)
		}
	}
}

func TestOpenReadsTheFiles(t *testing.T) {
	for want, config := range map[string]Config{
		"url: missing":            {},
		"tls.ca_file: open /none": {URL: "http://x", TLS: sink.TLS{CAFile: "/none"}},
	} {
		if _, err := Kind.Open(t.Context(), config, sink.Env{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
