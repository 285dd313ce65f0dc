// Package refgen writes the reference of the configuration and its JSON Schema, from the structs
// that a configuration decodes into and their comments. It reads Go source: it serves go generate
// and the test that finds the files stale, and is no part of the program.
package refgen

//go:generate go test -run TestGenerated -update .

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Reference returns a configuration file that names every key. root is the directory of the module,
// sinks the kinds of sinks to show.
func Reference(root string, sinks *sink.Registry) (string, error) {
	notes, err := collect(root, sinks)
	return notes.Whole(sinks), err
}

// Notes returns what the program knows of the keys' comments, in JSON.
func Notes(root string, sinks *sink.Registry) (string, error) {
	notes, err := collect(root, sinks)
	if err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(notes, "", " ")
	return string(text) + "\n", err
}

// collect finds the comments of all keys.
func collect(root string, sinks *sink.Registry) (*reference.Notes, error) {
	c := &collector{
		comments: comments{root: root, files: map[string]map[string]string{}},
		notes:    &reference.Notes{Comments: map[string]string{}, Examples: examples()},
	}
	c.add(reflect.TypeFor[config.Config]())
	for _, s := range config.SourceTypes() {
		c.add(reflect.TypeOf(s.Default()))
	}
	c.add(reflect.TypeFor[deliver.Policy]())
	for _, kind := range sinks.Kinds() {
		c.add(reflect.TypeOf(kind.Default()))
	}
	return c.notes, c.comments.err
}

type collector struct {
	comments comments
	notes    *reference.Notes
}

// add takes the comments of the keys of t, if it has any, and of what is in it.
func (c *collector) add(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		c.add(t.Elem())
	case reflect.Struct:
		if !strings.HasPrefix(t.PkgPath(), module+"/") {
			return
		}
		for _, k := range config.Keys(t) {
			if text := c.comments.of(t, k); text != "" {
				c.notes.Comments[reference.NameOf(t, k)] = text
			}
			if k.Name != "sinks" && k.Name != "sources" { // their elements differ by type
				c.add(k.Field.Type)
			}
		}
	default:
	}
}

// examples are values of keys that have no default and no tag `example`, by type and key; of an element
// of a list, the list's key stands for the type.
func examples() map[string]string {
	return map[string]string{ //nolint:gosec // made up, and credentials of nothing
		"webhook.url":           "https://soc.example/hook",
		"file.dir":              "/var/lib/filelessd/reports",
		"teams.url":             "https://prod-00.westeurope.logic.example/workflows/0a1b/triggers/manual/paths/invoke?sig=0123",
		"alertmanager.urls":     "https://alertmanager.example:9093",
		"pagerduty.routing_key": "0123456789abcdef0123456789abcdef",
		"smtp.address":          "mail.example:587",
		"smtp.from":             "filelessd@soc.example",
		"smtp.to":               "oncall@soc.example",
		"exec.command":          "/usr/local/bin/on-report",
		"slack.url":             "https://hooks.slack.com/services/T000/B000/0123456789",
		"splunk_hec.url":        "https://splunk.example:8088",
		"splunk_hec.token":      "00000000-0000-0000-0000-000000000000",
		"falcosidekick.url":     "http://falcosidekick:2801/",
		"nats.url":              "nats://127.0.0.1:4222",
		"redis_stream.url":      "redis://127.0.0.1:6379/0",
		"syslog.address":        "logs.example:514",
		"elasticsearch.url":     "https://es.example:9200",
		"loki.url":              "https://loki.example",
		"otlp_logs.url":         "https://otel.example:4318",
		"kafka.brokers":         "kafka-1.example:9093",
		"kafka.topic":           "filelessd-reports",
		"s3.url":                "https://s3.eu-central-1.amazonaws.com",
		"s3.bucket":             "filelessd-reports",
		"s3.secret_access_key":  "the-key-of-filelessd",
		"s3.access_key_id":      "filelessd",
		"rules.id":              "build-farm",
		"rules.technique":       "fd_exec",
		"rules.when":            `hostname startsWith "build-" && fields["proc.name"] == "7"`,
		"rules.reason":          "builds start their tools through descriptors",
		"allow.id":              "runc-self-copy",
		"allow.image_digest":    "sha256:" + strings.Repeat("0123456789abcdef", 4),
		"allow.parent_path":     "/usr/bin/containerd-shim-runc-v2",
		"allow.args":            "init",
		"allow.owner":           "platform team",
		"allow.reason":          "the runtime copies itself into memory (CVE-2019-5736)",
		"allow.expires":         "2027-01-31",
	}
}
