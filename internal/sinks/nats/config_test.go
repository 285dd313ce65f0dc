package nats

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nkeys"
)

func TestConfig(t *testing.T) {
	user, _ := nkeys.CreateUser()
	seed, _ := user.Seed()
	account, _ := nkeys.CreateAccount()
	accountSeed, _ := account.Seed()
	for text, want := range map[string]string{
		"url: nats://h": "",
		"url: 'tls://h:4222,tls://i:4222'\ntoken: SECRET\nsubject: a.{host}.b-{k8s.ns.name}": "",
		"url: nats://h\nusername: u\npassword: SECRET\nstream: REPORTS\nformat: text":        "",
		"url: nats://h\nnkey_seed: " + string(seed):                                          "",
		"subject: x":                                                  "url: missing",
		"url: http://SECRET":                                          "url: want URLs that begin with nats://",
		"url: 'nats://SECRET:x'":                                      "url: not a URL",
		"url: nats://h:0":                                             "url: the port",
		"url: nats://h\nsubject: ''":                                  "subject: want",
		"url: nats://h\nsubject: a.*":                                 "subject: want printable",
		"url: nats://h\nsubject: a.>":                                 "subject: want printable",
		"url: nats://h\nsubject: a b":                                 "subject: want printable",
		"url: nats://h\nsubject: a.{host":                             "subject: want {name}",
		"url: nats://h\nsubject: a.{}":                                "subject: want {name}",
		"url: nats://h\nsubject: a..b":                                "subject: a token between dots is empty",
		"url: nats://h\nsubject: a.":                                  "subject: a token between dots is empty",
		"url: nats://h\nsubject: $JS.x":                               "subject: $ and _",
		"url: nats://h\nstream: a.b":                                  "stream: want",
		"url: nats://h\ntoken: SECRET\nusername: u\npassword: SECRET": "want one of them",
		"url: nats://h\nusername: u":                                  "username and password go together",
		"url: nats://h\ncredentials: SECRET":                          "credentials: want the content",
		"url: nats://h\nnkey_seed: SECRET":                            "nkey_seed: want",
		"url: nats://h\nnkey_seed: " + string(accountSeed):            "nkey_seed: want",
		"url: nats://h\nformat: x":                                    "format: unknown",
		"url: nats://h\ntls: {key_file: /k}":                          "tls: cert_file and key_file",
	} {
		c := defaults()
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err := c.Validate()
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), string(accountSeed))) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
