package kafka

import (
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

func TestConfig(t *testing.T) {
	const base = "brokers: [k:9092]\ntopic: t\n"
	fixture.Config(t, Kind, []fixture.ConfigCase{
		{YAML: base},
		{YAML: base + "key: host\nformat: ecs\nmax_message: 8192\ncompression: zstd\nencryption: tls\nsasl: {mechanism: scram-sha-512, username: u, password: SECRET}\ntls: {ca_file: /ca}\nlink: 'https://soc/{id}'"},
		{YAML: base + "encryption: none\nsasl: {mechanism: scram-sha-256, username: u, password: SECRET}"},
		{YAML: "key: id", Want: "brokers: missing\ntopic: want 1 to 249 letters, digits, dots, _ and -"},
		{YAML: "topic: t\nbrokers: [k]", Want: "brokers: want host:port"},
		{YAML: "brokers: [k:1]\ntopic: 'a/b'", Want: "topic: want 1 to 249 letters, digits, dots, _ and -"},
		{YAML: base + "key: pod", Want: `key: want one of group, host, id, none, got "pod"`},
		{YAML: base + "format: xml", Want: `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
		{YAML: base + "max_message: 100", Want: "max_message: want 4096 to 1073741824"},
		{YAML: base + "link: 'https://x'", Want: "link: want {id} in it, for the report's id"},
		{YAML: base + "compression: brotli", Want: `compression: want one of none, gzip, snappy, lz4, zstd, got "brotli"`},
		{YAML: base + "encryption: ssl", Want: `encryption: want one of tls, none, got "ssl"`},
		{YAML: base + "encryption: none\ntls: {ca_file: /x}", Want: "tls: goes with encryption: tls"},
		{YAML: base + "sasl: {username: u, password: SECRET}", Want: "sasl.mechanism: missing; a user needs one"},
		{YAML: base + "sasl: {mechanism: gssapi, username: u, password: SECRET}", Want: `sasl.mechanism: want one of plain, scram-sha-256, scram-sha-512, got "gssapi"`},
		{YAML: base + "sasl: {mechanism: plain}", Want: "sasl.username: goes with sasl.password"},
		{YAML: base + "encryption: none\nsasl: {mechanism: plain, username: u, password: SECRET}", Want: "sasl.mechanism: plain sends the password as it is; it needs encryption: tls"},
		{YAML: base + "tls: {cert_file: /c}", Want: "tls: cert_file and key_file go together"},
	}, "topics: [x]", base+"acks: 1")
}
