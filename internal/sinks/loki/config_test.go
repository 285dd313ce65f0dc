package loki

import (
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

func TestConfig(t *testing.T) {
	const url = "url: https://loki.example\n"
	fixture.Config(t, Kind, []fixture.ConfigCase{
		{YAML: url},
		{YAML: url + "tenant: blue\nlabels: {cluster: eu1}\nlabel_fields: [host]\nmetadata: false\nformat: template\ntemplate: '{{.Headline}}'\nmax_line: 65536\nlink: 'https://soc/{id}'\ntoken: SECRET"},
		{YAML: url + "username: u\npassword: SECRET\nformat: json"},
		{YAML: "tenant: a", Want: "url: missing"},
		{YAML: "url: https://u:SECRET@h/?x", Want: "url: want the address of the server, without a query"},
		{YAML: url + "format: xml", Want: `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
		{YAML: url + "template: x", Want: "template: goes with format: template"},
		{YAML: url + "labels: {a-b: x}", Want: `labels: "a-b" can not be the name of a label`},
		{YAML: url + "labels: {__x: x}", Want: `labels: "__x" can not be the name of a label`},
		{YAML: url + "labels: {a: ''}", Want: "labels.a: is empty"},
		{YAML: url + "labels: {kind: x}", Want: "labels.kind: is in label_fields"},
		{YAML: url + "label_fields: [id]", Want: `label_fields: unknown field "id"; known are host, kind, severity, source, technique, verdict`},
		{YAML: url + "max_line: 10", Want: "max_line: want 1024 at least"},
		{YAML: url + "link: https://soc", Want: "link: want {id} in it, for the report's id"},
		{YAML: url + "token: SECRET\nusername: u\npassword: SECRET", Want: "token: excludes username and password"},
		{YAML: url + "password: SECRET", Want: "username: goes with password"},
		{YAML: url + "username: 'a:b'\npassword: SECRET", Want: "username: can have no colon"},
		{YAML: url + "tenant: \"a\\nb\"\ntoken: \"SECRET\\n\"", Want: "tenant: has control characters\ntoken: has control characters"},
		{YAML: url + "tls: {key_file: /k}", Want: "tls: cert_file and key_file go together"},
	}, "host: x", url+"batch: 1")
}
