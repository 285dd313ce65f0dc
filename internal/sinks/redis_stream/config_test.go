package redisstream

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"url: redis://h": "",
		"url: rediss://u:SECRET@h:1/15\ntls: {ca_file: /c}": "",
		"url: unix:///run/redis.sock?db=1\nremember: 0s":    "",
		"url: redis://:SECRET@[::1]\nformat: markdown":      "",
		"stream: x":                             "url: missing",
		"url: http://SECRET":                    "url: want a URL that begins with redis://",
		"url: redis://SECRET:x":                 "url: not a URL",
		"url: redis:///1":                       "url: want host:port",
		"url: redis://h:0":                      "url: the port",
		"url: redis://h/SECRET":                 "url: the database is no number",
		"url: redis://SECRET@h":                 "url: a user without a password",
		"url: unix://run/SECRET":                "url: want unix:// and the whole path",
		"url: redis://h\nstream: ''":            "stream: want",
		"url: redis://h\nstream: a{b}":          "stream: want",
		"url: redis://h\nmax_len: -1":           "max_len: want",
		"url: redis://h\nremember: 1ms":         "remember: want",
		"url: redis://h\nformat: x":             "format: unknown",
		"url: redis://h\ntls: {ca_file: /c}":    "tls: goes with",
		"url: rediss://h\ntls: {cert_file: /c}": "tls: cert_file and key_file",
	} {
		c := defaults()
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err := c.Validate()
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
