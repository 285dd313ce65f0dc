package smtp

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
	kind, _ := r.Kind("smtp")
	return kind.Decode(func(into any) error { return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict()) })
}

func TestConfig(t *testing.T) {
	const least = "address: mail.example:587\nfrom: f@x.example\nto: [soc@x.example]\n"
	for _, tt := range []struct{ name, yaml, want string }{
		{"least", least, ""},
		{"all", least + "encryption: tls\nusername: u\npassword: SECRET\nhello: '[127.0.0.1]'\nsubject_prefix: 'SOC:'\nreport: false\n" +
			"attach: [json, html]\nlink: https://x/{id}\ntls: {ca_file: /ca, min_version: TLS13}", ""},
		{"nothing", "report: true", "address: want host:port\nfrom: missing\nto: missing"},
		{"encryption", least + "encryption: ssl", `encryption: want starttls, tls or none, got "ssl"`},
		{"tls without", least + "encryption: none\ntls: {ca_file: /ca}", "tls: means nothing with encryption: none"},
		{"half a login", least + "password: SECRET", "password: username and password go together"},
		{"login in two lines", least + "username: u\npassword: \"SECRET\\r\\nRCPT TO\"", "password: username and password are of one line"},
		{"plain login", least + "encryption: none\nusername: u\npassword: SECRET", "password: is not sent without encryption, but to this host itself (127.0.0.1, ::1, localhost)"},
		{"plain login here", strings.Replace(least, "mail.example", "localhost", 1) + "encryption: none\nusername: u\npassword: SECRET", ""},
		{"hello", least + "hello: \"a\\r\\nMAIL\"", "hello: want the name of a host"},
		{"prefix", least + "subject_prefix: \"a\\nBcc: x\"", "subject_prefix: want at most 60 characters of plain text"},
		{"prefix that decodes", least + "subject_prefix: '=?utf-8?q?x?='", "subject_prefix: want at most 60 characters of plain text"},
		{"sender", strings.Replace(least, "f@x.example", `"\"a\u202eb\" <f@x.example>"`, 1), "from: the name has characters that do not show"},
		{"no sender", strings.Replace(least, "f@x.example", "nobody", 1), "from: want one address, such as soc@example.com or SOC <soc@example.com>"},
		{"recipients", least + "attach: []\n", ""},
		{"two in one", strings.Replace(least, "soc@x.example", "'a@x, b@x'", 1), "to[0]: want one address, such as soc@example.com or SOC <soc@example.com>"},
		{"twice", strings.Replace(least, "soc@x.example", "a@x, A <a@x>", 1), "to[1]: a@x is there twice"},
		{"beyond ASCII", strings.Replace(least, "soc@x.example", "söc@x.example", 1), "to[0]: want an address in ASCII, without blanks"},
		{"attach", least + "attach: [pdf]", `attach[0]: unknown format "pdf"; known are cef, ecs, html, json, markdown, ocsf, text`},
		{"attach twice", least + "attach: [json, json]", "attach[1]: json is there twice"},
		{"link", least + "link: x", "link: want a URL that begins with http:// or https://"},
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
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("p%d@x.example", i))
	}
	c := Kind.Default()
	c.Address, c.From, c.To = "h:25", "f@x.example", many
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("%v", err)
	}
}
