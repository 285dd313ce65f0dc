package syslog

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/sink"
)

func TestConfig(t *testing.T) {
	const base = "address: 127.0.0.1:514\n"
	for yamlText, want := range map[string]string{
		base: "",
		"network: unix\naddress: /dev/log\nformat: text\nmax_bytes: 65536":                       "",
		base + "network: tls\ntls: {ca_file: /ca, min_version: TLS13}\nformat: cef":              "",
		base + "network: tcp\nframing: newline\nconfirm: false\nsd_id: ''\nlink: https://x/{id}": "",
		base + "format: template\ntemplate: '{{.Headline}}'":                                     "",
		"network: tcp":                             "address: want host:port",
		"network: unix\naddress: dev/log":          "address: want the whole path",
		base + "network: tcp6":                     `network: want udp, tcp, tls or unix, got "tcp6"`,
		base + "facility: local8":                  `facility: unknown "local8"`,
		base + "app_name: a b":                     "app_name: want",
		base + "app_name: ''":                      "app_name: want",
		base + "hostname: \"h\\u00e4\"":            "hostname: want",
		base + "sd_id: filelessd":                  "sd_id: want",
		base + "sd_id: 'a]b@1'":                    "sd_id: want",
		base + "sd_id: 'a=b@1'":                    "sd_id: want",
		base + "format: markdown":                  "format: markdown has several lines",
		base + "format: xml":                       `format: unknown format "xml"`,
		base + "template: x":                       "template: goes with format: template",
		base + "max_bytes: 480":                    "max_bytes: want 0, or 1280 to 65000 for network: udp",
		base + "max_bytes: 70000":                  "max_bytes: want 0, or 1280 to 65000 for network: udp",
		base + "framing: crlf":                     `framing: want octets or newline, got "crlf"`,
		base + "link: https://x/":                  "link: want {id}",
		base + "tls: {ca_file: /ca}":               "tls: goes with network: tls",
		base + "network: tls\ntls: {key_file: /k}": "tls: cert_file and key_file go together",
	} {
		c := defaults()
		if err := yaml.UnmarshalWithOptions([]byte(yamlText), &c, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", yamlText, err)
			continue
		}
		err := c.Validate()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", yamlText, err, want)
		}
	}
	c := defaults()
	c.Network, c.Address, c.TLS.CAFile = "tls", "127.0.0.1:1", "/none"
	if _, err := openWith(t, c)(); err == nil || !strings.HasPrefix(err.Error(), "tls.ca_file: ") {
		t.Error(err)
	}
	var _ sink.Config = c
}

func TestLimit(t *testing.T) {
	for network, want := range map[string]int{"udp": 2048, "tcp": 8192, "tls": 8192, "unix": 8192} {
		if got := (Config{Network: network}).limit(); got != want {
			t.Errorf("%s: %d, want %d", network, got, want)
		}
	}
	if got := (Config{Network: "udp", MaxBytes: 4096}).limit(); got != 4096 {
		t.Error(got)
	}
}
