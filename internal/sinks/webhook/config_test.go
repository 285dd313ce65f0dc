package webhook

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
	kind, _ := r.Kind("webhook")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestConfig(t *testing.T) {
	const url = "url: https://hooks.example/T000/SECRET\n"
	tests := []struct{ name, yaml, want string }{
		{"url alone", url, ""},
		{"all", url + "secret: whsec_U0VDUkVU\nheaders: {Authorization: Bearer SECRET, x-empty: ''}\ntls: {ca_file: /ca, server_name: x}", ""},
		{"no url", "secret: whsec_U0VDUkVU", "url: missing"},
		{"no scheme", "url: hooks.example/T000/SECRET", "url: want a URL that begins with http:// or https://"},
		{"secret without its prefix", url + "secret: U0VDUkVU", "secret: want whsec_ followed by base64"},
		{"secret of nothing", url + "secret: whsec_", "secret: want base64 after whsec_, with its padding"},
		{"secret that is not base64", url + "secret: whsec_SECRET-SECRET", "secret: want base64 after whsec_, with its padding"},
		{"secret without padding", url + "secret: whsec_U0VDUkVUUw", "secret: want base64 after whsec_, with its padding"},
		{"header of the convention", url + "headers: {Webhook-ID: SECRET}", "headers.Webhook-ID: is set by filelessd"},
		{"header about the body", url + "headers: {content-type: SECRET}", "headers.content-type: is set by filelessd"},
		{"header about the connection", url + "headers: {host: SECRET}", "headers.host: is set by filelessd"},
		{"header name", url + "headers: {'a b': SECRET}", `headers: "a b" can not be the name of a header`},
		{"header without a name", url + "headers: {'': SECRET}", `headers: "" can not be the name of a header`},
		{"header value", url + "headers: {x: \"SECRET\\r\\ny: z\"}", "headers.x: the value has control characters"},
		{"header twice", url + "headers: {X-A: SECRET, x-a: SECRET}", "headers.x-a: is the same header as X-A"},
		{"half a client certificate", url + "tls: {cert_file: /c}", "tls: cert_file and key_file go together"},
		{
			"all at once", "url: ftp://SECRET\nsecret: SECRET\nheaders: {host: SECRET, 'a b': SECRET}\ntls: {key_file: /k}",
			"url: want a URL that begins with http:// or https://\nsecret: want whsec_ followed by base64\n" +
				`headers: "a b" can not be the name of a header` + "\nheaders.host: is set by filelessd\n" +
				"tls: cert_file and key_file go together",
		},
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
			if shown := fmt.Sprintf("%v %+v %#v %v", config, config, config, err); strings.Contains(shown, "SECRET") || strings.Contains(shown, "U0VDUkVU") {
				t.Errorf("shows a secret: %s", shown)
			}
		})
	}
	for _, wrong := range []string{"uri: x", url + "tls: {insecure: true}", url + "method: PUT"} {
		if _, err := decode(wrong); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
}
