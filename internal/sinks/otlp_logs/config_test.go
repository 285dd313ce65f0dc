package otlplogs

import (
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

func TestConfig(t *testing.T) {
	const url = "url: https://otel.example:4318\n"
	fixture.Config(t, Kind, []fixture.ConfigCase{
		{YAML: url},
		{YAML: url + "headers: {Authorization: Bearer SECRET}\ncompression: gzip\nresource: {deployment.environment.name: x}\nformat: template\ntemplate: '{{.ID}}'\nlink: 'https://soc/{id}'"},
		{YAML: "compression: gzip", Want: "url: missing"},
		{YAML: url + "compression: zstd", Want: `compression: want none or gzip, got "zstd"`},
		{YAML: url + "format: xml", Want: `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
		{YAML: url + "template: x", Want: "template: goes with format: template"},
		{YAML: url + "resource: {service.name: x, '': y}", Want: "resource: an attribute without a name\nresource.service.name: is set by filelessd"},
		{YAML: url + "headers: {content-type: SECRET}", Want: "headers.content-type: is set by filelessd"},
		{YAML: url + "headers: {'a b': SECRET}", Want: `headers: "a b" can not be the name of a header`},
		{YAML: url + "headers: {a: SECRET, A: SECRET}", Want: "headers.a: is the same header as A"},
		{YAML: url + "headers: {a: \"SECRET\\n\"}", Want: "headers.a: has control characters"},
		{YAML: url + "link: x", Want: "link: want a URL that begins with http:// or https://"},
		{YAML: url + "tls: {key_file: /k}", Want: "tls: cert_file and key_file go together"},
	}, "endpoint: x", url+"token: x")
}
