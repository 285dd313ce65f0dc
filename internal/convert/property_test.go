package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/internal/sinks"
)

// hush is in every secret of the tests, and must be in no result.
const hush = "hush4711"

// sample is a value of a key that is not its default and that its output understands.
func sample(o output, k key) any {
	switch path := o.path + "." + k.name; path {
	case "smtp.from", "smtp.to":
		return "soc@x.example"
	case "smtp.hostport", "kafka.hostport", "redis.address":
		return "host.x.example:4711"
	case "pagerduty.routingkey":
		return hush + "89abcdef0123456789abcdef"
	case "kafka.sasl":
		return "SCRAM_SHA512"
	case "kafka.compression":
		return "ZSTD"
	case "kafka.requiredacks":
		return "ALL"
	case "syslog.host":
		return "syslog.x.example"
	case "syslog.port":
		return "6514"
	case "syslog.protocol":
		return "udp"
	case "syslog.format":
		return "cef"
	case "smtp.authmechanism":
		return "none"
	case "alertmanager.expiresafter":
		return 600
	case "alertmanager.endpoint":
		return "/prefix/api/v2/alerts"
	case "loki.endpoint":
		return "/prefix/loki/api/v1/push"
	case "loki.format":
		return "json"
	case "elasticsearch.suffix":
		return "annually"
	case "otlp.logs.headers":
		return "authorization=" + hush
	case "aws.region", "yandex.region":
		return "eu-west-9"
	case "aws.s3.bucket", "yandex.s3.bucket":
		return "bucket-of-reports"
	case "nats.hostport":
		return "nats://nats.x.example:4222"
	case "loki.customheaders":
		return map[string]string{"X-Scope-OrgID": "soc"}
	}
	switch {
	case slices.Contains([]string{"webhookurl", "address", "url", "hostport", "host", "endpoint", "receiverurl"}, k.name) && k.secret:
		return "https://x.example/" + hush
	case slices.Contains([]string{"address", "url", "hostport", "host", "endpoint", "eventlistener", "apiurl", "broker"}, k.name):
		return "https://x.example:4711"
	case k.name == "minimumpriority":
		return "error"
	case k.name == "region" && k.def == "us":
		return "eu"
	case k.name == "protocol":
		return "http/json"
	case k.def == "true", k.def == "false":
		return k.def == "false"
	case k.shape == mapping && k.secret:
		return map[string]string{"X-One": hush + "1", "X-Two": hush + "2"}
	case k.name == "batching":
		return map[string]any{"enabled": true}
	case k.shape == mapping:
		return map[string]string{"one": "1"}
	case k.shape == list:
		return []string{"one", "two"}
	case k.secret:
		return hush + "/$" + k.name
	}
	var n int
	if _, err := fmt.Sscanf(k.def, "%d", &n); err == nil {
		return n + 1
	}
	return "x-" + k.name
}

// tree is an input to be.
type tree map[string]any

func (t tree) put(path string, value any) {
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := t[part].(tree)
		if !ok {
			next = tree{}
			t[part] = next
		}
		t = next
	}
	t[parts[len(parts)-1]] = value
}

func (t tree) text(tb testing.TB) string {
	data, err := yaml.Marshal(t)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// need puts what switches an output on, and the credentials of its cloud.
func (t tree) need(o output) {
	for _, k := range parseKeys(o.keys) {
		if slices.Contains(strings.Fields(o.needs), k.name) || o.path == "splunk" && k.name == "token" {
			t.put(o.path+"."+k.name, sample(o, k))
		}
	}
	if o.path == "syslog" {
		t.put("syslog.port", 514)
	}
	if cloud, _, _ := strings.Cut(o.path, "."); cloud == "aws" || cloud == "yandex" {
		for _, name := range []string{"accesskeyid", "secretaccesskey"} {
			t.put(cloud+"."+name, hush+name)
		}
		t.put(cloud+".region", "eu-west-9")
	}
}

// noSecrets looks for secrets where there must be none.
func noSecrets(t *testing.T, r *Result) {
	t.Helper()
	if strings.Contains(string(r.Config), hush) || strings.Contains(notesText(r), hush) {
		t.Errorf("a secret in\n%s\n%s", r.Config, notesText(r))
	}
	for _, v := range r.Variables {
		if strings.Contains(v.Name+v.Key+v.How, hush) {
			t.Errorf("a secret in %+v", v)
		}
	}
}

// Every output alone and all together become a valid configuration, without secrets.
func TestEveryOutput(t *testing.T) {
	together := tree{}
	for _, o := range outputs() {
		if o.group {
			continue
		}
		t.Run(o.path, func(t *testing.T) {
			alone := tree{}
			alone.need(o)
			r := convertText(t, alone.text(t))
			noSecrets(t, r)
			switch {
			case o.metrics:
				wantNote(t, r, Dropped, o.path, "counts alerts")
			case o.make == nil:
				if !slices.Equal(r.Stay, []string{o.path}) {
					t.Errorf("%v stay", r.Stay)
				}
			case !slices.Equal(r.Converted, []string{o.path}) || !strings.Contains(string(r.Config), "type: "+o.kind+"\n"):
				t.Errorf("not converted:\n%s\n%s", r.Config, notesText(r))
			}
			if r.Bad() {
				t.Errorf("bad:\n%s", notesText(r))
			}
			full := tree{}
			for _, k := range parseKeys(o.keys) {
				full.put(o.path+"."+k.name, sample(o, k))
			}
			noSecrets(t, convertText(t, full.text(t)))
		})
		together.need(o)
	}
	r := convertText(t, together.text(t))
	noSecrets(t, r)
	if r.Bad() || len(r.Converted) != len(natives()) {
		t.Errorf("of %d outputs %d are converted:\n%s", len(natives()), len(r.Converted), notesText(r))
	}
}

// base is an input in which the output is on.
func base(o output) tree {
	at := tree{}
	at.need(o)
	switch o.path {
	case "tlsserver":
		at.put("tlsserver.deploy", true)
	case "":
		at.put("slack.webhookurl", "https://x.example/"+hush)
	}
	return at
}

// Every key that says something is in the configuration, or in a note.
func TestEveryKeyCounts(t *testing.T) {
	registry := sinks.Builtin()
	parts := append(slices.DeleteFunc(outputs(), func(o output) bool { return o.make == nil }), tlsServer(), global())
	for _, o := range parts {
		before := convertText(t, base(o).text(t))
		for _, k := range parseKeys(o.keys) {
			path := strings.TrimPrefix(o.path+"."+k.name, ".")
			t.Run(path, func(t *testing.T) {
				with := base(o)
				value := sample(o, k)
				switch path {
				case "listenaddress":
					value = "127.0.0.2"
				case "mutualtlsclient", "tlsclient", "tlsserver":
					value = map[string]any{"cacertfile": "/ca", "mutualtls": true}
				case "tlsserver.deploy":
					value = false
				}
				with.put(path, value)
				after, err := Convert(Input{Name: "f.yaml", Data: []byte(with.text(t)), Sinks: registry})
				if err != nil {
					t.Fatal(err)
				}
				noSecrets(t, after)
				if string(before.Config) != string(after.Config) {
					return
				}
				for _, n := range after.Notes {
					if n.Line > 0 && (n.Key == path || strings.HasPrefix(n.Key, path+".")) {
						return
					}
				}
				if slices.Contains(strings.Fields(o.needs), k.name) {
					return // it is in both
				}
				t.Errorf("nothing is said of %s:\n%s\n%s", path, after.Config, notesText(after))
			})
		}
	}
}

func TestVariablesAreUnique(t *testing.T) {
	r := convertText(t, "webhook: {address: 'https://x.example', customheaders: {X-A: one, X_A: two}}\n")
	names := slices.Sorted(maps.Keys(r.values))
	if !slices.Equal(names, []string{"WEBHOOK_ADDRESS", "WEBHOOK_CUSTOMHEADERS_X_A", "WEBHOOK_CUSTOMHEADERS_X_A_2"}) {
		t.Errorf("the variables are %v", names)
	}
}
