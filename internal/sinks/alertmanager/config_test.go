package alertmanager

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
	kind, _ := r.Kind("alertmanager")
	return kind.Decode(func(into any) error { return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict()) })
}

func TestConfig(t *testing.T) {
	const urls = "urls: [https://am.example/SECRET]\n"
	for _, tt := range []struct{ name, yaml, want string }{
		{"urls alone", urls, ""},
		{"all", urls + "headers: {Authorization: SECRET}\nlabels: {team: soc}\nthread_label: attack\nlasts: 4h\nlink: https://x/{id}\ntls: {min_version: TLS13}", ""},
		{"no urls", "lasts: 1h", "urls: missing"},
		{"no URL", "urls: [https://x, SECRET]", "urls[1]: want a URL that begins with http:// or https://"},
		{"whole path", "urls: [https://x/SECRET/api/v2/alerts/]", "urls[0]: leave out /api/v2/alerts, which is added"},
		{"lasts", urls + "lasts: 0s", "lasts: want 1m to 720h"},
		{"header of the body", urls + "headers: {content-type: SECRET}", "headers.content-type: is set by filelessd"},
		{"header name", urls + "headers: {'a b': SECRET}", `headers: "a b" can not be the name of a header`},
		{"header value", urls + "headers: {x: \"SECRET\\ny: z\"}", "headers.x: the value has control characters"},
		{"label name", urls + "labels: {a-b: c}", `labels: "a-b" can not be the name of a label`},
		{"label of ours", urls + "labels: {severity: c}", "labels: severity is set by filelessd"},
		{"label without value", urls + "labels: {team: ''}", "labels.team: want text"},
		{"thread label twice", urls + "labels: {a: b}\nthread_label: a", "thread_label: a is one of labels"},
		{"thread label of ours", urls + "thread_label: alertname", "thread_label: alertname is set by filelessd"},
		{"link", urls + "link: https://x/", "link: want {id} in it, for the report's id"},
		{"TLS", urls + "tls: {cert_file: /c}", "tls: cert_file and key_file go together"},
	} {
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
	for _, wrong := range []string{"url: x", urls + "tls: {insecure_skip_verify: true}"} {
		if _, err := decode(wrong); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
}
