package convert

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/sinks"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func convertText(t testing.TB, text string, through ...string) *Result {
	t.Helper()
	return mustConvert(t, Input{Name: "falcosidekick.yaml", Data: []byte(text), Through: through})
}

func mustConvert(t testing.TB, in Input) *Result {
	t.Helper()
	in.Sinks = sinks.Builtin()
	r, err := Convert(in)
	if err != nil {
		t.Fatalf("%v\n%s", err, in.Data)
	}
	checked(t, r)
	return r
}

// checked holds a result against what all of them promise.
func checked(t testing.TB, r *Result) {
	t.Helper()
	named := map[string]bool{}
	for _, v := range r.Variables {
		named[v.Name] = true
	}
	lookup := func(name string) (string, bool) {
		if !named[name] {
			t.Errorf("the variable %s is not listed", name)
		}
		value, ok := r.values[name]
		return value, ok
	}
	if _, err := config.Parse("converted", r.Config, config.Env{Lookup: lookup, Sinks: sinks.Builtin()}); err != nil {
		t.Fatalf("check: %v\n%s", err, r.Config)
	}
	for _, n := range r.Notes {
		if strings.ContainsAny(n.String(), "\n\r\x1b") || n.What == "" || n.Kind == "" {
			t.Errorf("not a note of one line: %q", n)
		}
	}
	if (r.Rest != nil) != (len(r.Stay) > 0) {
		t.Errorf("%d outputs stay, and the rest is %q", len(r.Stay), r.Rest)
	}
}

func notesText(r *Result) string {
	var b strings.Builder
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}

// wantNote looks for a note of that kind about that key, with those words in it.
func wantNote(t *testing.T, r *Result, k Kind, key, words string) {
	t.Helper()
	for _, n := range r.Notes {
		if n.Kind == k && n.Key == key && strings.Contains(n.What, words) {
			return
		}
	}
	t.Errorf("no note %s of %s with %q in\n%s", k, key, words, notesText(r))
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"minimal", "several", "helm"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			r := mustConvert(t, Input{Name: name + ".yaml", Data: data})
			got := map[string]string{".config.golden": string(r.Config), ".notes.golden": notesText(r), ".rest.golden": string(r.Rest)}
			for suffix, text := range got {
				file := filepath.Join("testdata", name+suffix)
				if *update {
					if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					continue
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), text); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
			again := mustConvert(t, Input{Name: name + ".yaml", Data: data})
			if string(again.Config) != string(r.Config) || notesText(again) != notesText(r) {
				t.Error("not the same the second time")
			}
		})
	}
}

// The rest is an input of its own, of which every output stays.
func TestRestIsAllThatStays(t *testing.T) {
	data, err := os.ReadFile("testdata/several.yaml")
	if err != nil {
		t.Fatal(err)
	}
	first := mustConvert(t, Input{Name: "several.yaml", Data: data})
	second := mustConvert(t, Input{Name: "rest.yaml", Data: first.Rest})
	if len(second.Converted) != 0 || !cmp.Equal(second.Stay, first.Stay) {
		t.Errorf("of the rest %v are converted and %v stay, want %v", second.Converted, second.Stay, first.Stay)
	}
	again, err := read("rest", second.Rest)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"opsgenie", "apikey"}, {"aws", "sns", "topicarn"}, {"customfields", "cost.centre"}} {
		before, err := read("several", data)
		if err != nil {
			t.Fatal(err)
		}
		got, want := again, before
		for _, part := range path {
			got, want = got.get(part), want.get(part)
		}
		if got == nil || got.text != want.text || got.quoted != want.quoted {
			t.Errorf("%v is %+v in the rest, want %+v", path, got, want)
		}
	}
}

// Keys are read as viper reads them: whatever their case, with anchors, and a text for what should be a number.
func TestReadsAsFalcosidekickDoes(t *testing.T) {
	r := convertText(t, `
common: &common {minimumPriority: Critical}
SLACK:
  <<: *common
  WebhookURL: https://hooks.slack.com/services/T0/B0/x
ListenPort: "2803"
`)
	for _, want := range []string{"listen: 127.0.0.1:2803", "slack:", `when: 'priority in ["", "Emergency", "Alert", "Critical"]'`} {
		if !strings.Contains(string(r.Config), want) {
			t.Errorf("no %s in\n%s", want, r.Config)
		}
	}
	wantNote(t, r, Unknown, "common", "no such key")
}

func TestEnvironmentWins(t *testing.T) {
	in := Input{
		Name: "f.yaml", Data: []byte("slack:\n  webhookurl: https://hooks.slack.com/services/T0/B0/file\n  minimumpriority: debug\n"),
		EnvName: "f.env", Env: []byte("# of the pod\nPATH=/bin\nexport SLACK_MINIMUMPRIORITY='error'\nLOKI_HOSTPORT=http://loki:3100\nCUSTOMFIELDS=cluster:eu,node:%NODE_NAME\nTLSSERVER_DEPLOY=true\n"),
	}
	r := mustConvert(t, in)
	for _, want := range []string{`"Error"]`, "url: http://loki:3100", "cluster: eu", `node: "${NODE_NAME}"`, "cert_file: /etc/certs/server/server.crt"} {
		if !strings.Contains(string(r.Config), want) {
			t.Errorf("no %s in\n%s", want, r.Config)
		}
	}
	for _, n := range r.Notes {
		if n.Key == "slack.minimumpriority" && (n.File != "f.env" || n.Line != 3) {
			t.Errorf("stands at %s:%d, want f.env:3", n.File, n.Line)
		}
	}
	in.Data = nil
	if r := mustConvert(t, in); !cmp.Equal(r.Converted, []string{"loki"}) {
		t.Errorf("of the environment alone %v are converted", r.Converted)
	}
	in.Env = []byte("SLACK_WEBHOOKURL\n")
	if r := mustConvert(t, in); !r.Bad() {
		t.Error("a line that is no NAME=VALUE is not bad")
	} else {
		wantNote(t, r, Bad, "", "want NAME=VALUE")
	}
}

func TestSaysEachThingOnce(t *testing.T) {
	r := convertText(t, "customfields: 'cluster=a,env=b'\nloki: {hostport: 'http://loki:3100'}\n")
	said := map[string]bool{}
	for _, n := range r.Notes {
		if said[n.String()] {
			t.Errorf("twice: %s", n)
		}
		said[n.String()] = true
	}
	wantNote(t, r, Bad, "customfields", "name:value")
}

func TestThrough(t *testing.T) {
	const text = "slack: {webhookurl: 'https://hooks.slack.com/services/T0/B0/x'}\nredis: {address: 'redis:6379'}\n"
	r := convertText(t, text, "redis")
	if !cmp.Equal(r.Converted, []string{"slack"}) || !cmp.Equal(r.Stay, []string{"redis"}) {
		t.Errorf("%v are converted and %v stay", r.Converted, r.Stay)
	}
	if strings.Contains(string(r.Rest), "slack") || !strings.Contains(string(r.Rest), "redis:6379") {
		t.Errorf("the rest is\n%s", r.Rest)
	}
	if _, err := Convert(Input{Data: []byte(text), Through: []string{"discord"}, Sinks: sinks.Builtin()}); err == nil || !strings.Contains(err.Error(), "no output that filelessd has a sink for") {
		t.Errorf("got %v", err)
	}
}

// What filelessd can not do as asked is not done otherwise.
func TestStays(t *testing.T) {
	for _, c := range []struct{ path, text, why string }{
		{"webhook", "webhook: {address: 'https://x.example', method: PUT}", "another method"},
		{"kafka", "kafka: {hostport: 'k:9092', topic: t, sasl: PLAIN, username: u, password: p}", "without TLS"},
		{"smtp", "smtp: {hostport: 'm.example:25', from: a@x.example, to: b@x.example, user: u, password: p, tls: false}", "without TLS"},
		{"smtp", "smtp: {hostport: 'm.example:25', from: a@x.example, to: b@x.example, authmechanism: oauthbearer, token: t}", "another mechanism"},
		{"elasticsearch", "elasticsearch: {hostport: 'https://es.example', customheaders: {X-A: b}}", "no headers"},
		{"loki", "loki: {hostport: 'https://l.example', customheaders: {X-A: b}}", "no headers"},
		{"loki", "loki: {hostport: 'https://l.example', endpoint: /push}", "another path"},
		{"splunk", "splunk: {host: 'https://s.example'}", "token"},
		{"otlp.logs", "otlp: {logs: {endpoint: 'https://o.example:4317', protocol: grpc}}", "gRPC"},
		{"otlp.logs", "otlp: {logs: {endpoint: 'https://o.example/custom'}}", "another path"},
		{"aws.s3", "aws: {region: eu-1, s3: {bucket: alerts}}", "fixed keys"},
		{"aws.s3", "aws: {rolearn: r, accesskeyid: a, secretaccesskey: s, region: eu-1, s3: {bucket: alerts}}", "role"},
		{"alertmanager", "alertmanager: {hostport: 'https://a.example', endpoint: /alerts}", "another path"},
	} {
		r := convertText(t, c.text)
		if !cmp.Equal(r.Stay, []string{c.path}) || r.Bad() {
			t.Errorf("%s: %v stay, bad: %v", c.text, r.Stay, r.Bad())
		}
		wantNote(t, r, Stays, c.path, c.why)
		if !strings.Contains(string(r.Config), "${FALCOSIDEKICK_URL}") {
			t.Errorf("%s: no sink for Falcosidekick in\n%s", c.text, r.Config)
		}
	}
}

// A value that no sink takes leaves the output with Falcosidekick, and is bad input.
func TestBadValues(t *testing.T) {
	for _, c := range []struct{ key, text string }{
		{"slack", "slack: {webhookurl: hooks.slack.com}"},
		{"kafka", "kafka: {hostport: 'k:9092', topic: 'a/b'}"},
		{"pagerduty", "pagerduty: {routingkey: short}"},
		{"syslog.protocol", "syslog: {host: s.example, port: 514, protocol: sctp}"},
		{"slack.minimumpriority", "slack: {webhookurl: 'https://s.example/x', minimumpriority: info}"},
		{"slack.checkcert", "slack: {webhookurl: 'https://s.example/x', checkcert: perhaps}"},
		{"slack", "slack: [a]"},
		{"listenport", "listenport: 70000"},
		{"listenaddress", "listenaddress: everywhere"},
		{"redis.database", "redis: {address: 'r:6379', database: first}"},
		{"pagerduty.region", "pagerduty: {routingkey: 0123456789abcdef0123456789abcdef, region: mars}"},
		{"tlsserver", "tlsserver: yes please"},
		{"alertmanager.customheaders", "alertmanager: {hostport: 'http://a.example', customheaders: nonsense}"},
	} {
		r := convertText(t, c.text)
		if !r.Bad() {
			t.Errorf("%s: not bad", c.text)
		}
		wantNote(t, r, Bad, c.key, "")
	}
}

func TestPriorities(t *testing.T) {
	for least, want := range map[string]string{
		"debug": "", "": "", "emergency": `priority in ["", "Emergency"]`,
		"Informational": `priority in ["", "Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational"]`,
	} {
		r := convertText(t, "slack: {webhookurl: 'https://s.example/x', minimumpriority: '"+least+"'}")
		got := ""
		for line := range strings.Lines(string(r.Config)) {
			if after, ok := strings.CutPrefix(strings.TrimSpace(line), "when: "); ok {
				got = strings.Trim(after, "'")
			}
		}
		if got != want {
			t.Errorf("%q: when is %s, want %s", least, got, want)
		}
		if least == "emergency" {
			wantNote(t, r, Converted, "slack.minimumpriority", "does not get it")
		}
	}
}

// A dollar of the input is a dollar, and no reference.
func TestDollars(t *testing.T) {
	r := convertText(t, "loki: {hostport: 'http://loki:3100', tenant: 'a$b${HOME}'}\n")
	if !strings.Contains(string(r.Config), `tenant: "a$$b$${HOME}"`) {
		t.Errorf("got\n%s", r.Config)
	}
}

// Only Falcosidekick's own HTTP client knows the certificates of tlsclient and mutualtlsclient. A ca_file takes the
// place of the system's authorities, so a sink that needs none must have none.
func TestAuthorities(t *testing.T) {
	const common = "tlsclient: {cacertfile: /own/ca.crt}\nmutualtlsclient: {certfile: /m/c.crt, keyfile: /m/c.key, cacertfile: /m/ca.crt}\n"
	for _, c := range []struct {
		text, want string
		used       string // key of the common ones that has a note with the sink's name
	}{
		{"webhook: {address: 'https://x.example'}", "/own/ca.crt", "tlsclient"},
		{"webhook: {address: 'https://x.example', mutualtls: true}", "/m/ca.crt", "mutualtlsclient"},
		{"redis: {address: 'r.example:6379', tls: true}", "", ""},
		{"redis: {address: 'r.example:6379', mutualtls: true}", "/m/ca.crt", "mutualtlsclient"},
		{"pagerduty: {routingkey: 0123456789abcdef0123456789abcdef, mutualtls: true}", "", ""},
		{"smtp: {hostport: 'm.example:587', from: a@x.example, to: b@x.example}", "", ""},
		{"otlp: {logs: {endpoint: 'https://o.example:4318'}}", "", ""},
	} {
		r := convertText(t, common+c.text)
		if got := strings.Contains(string(r.Config), "ca_file: "+c.want+"\n"); got != (c.want != "") || strings.Count(string(r.Config), "ca_file") > 1 || c.want == "" && strings.Contains(string(r.Config), "tls:") {
			t.Errorf("%s: want ca_file %q in\n%s", c.text, c.want, r.Config)
		}
		for _, key := range []string{"tlsclient", "mutualtlsclient"} {
			if key == c.used {
				wantNote(t, r, Converted, key, "the `tls` of "+r.Converted[0]+". filelessd trusts")
			} else {
				wantNote(t, r, Dropped, key, "no sink here needs it")
			}
		}
		if strings.Contains(c.text, "mutualtls") {
			path := r.Converted[0]
			if c.want == "" {
				wantNote(t, r, Dropped, path+".mutualtls", "does not ask for it")
			} else {
				wantNote(t, r, Converted, path+".mutualtls", "instead of the system's")
			}
		}
	}
}

// Each custom field is a label or in a note.
func TestCustomFields(t *testing.T) {
	r := convertText(t, `
customfields: {job: other, severity: high, cost.centre: one, cost-centre: two, __meta: x, empty: "", cluster: eu}
loki: {hostport: 'http://loki:3100'}
alertmanager: {hostport: 'http://am:9093', extralabels: {cluster: us}}
`)
	wantNote(t, r, Converted, "customfields", "labels of alertmanager, loki")
	wantNote(t, r, Converted, "customfields.cost.centre", "cost_centre")
	wantNote(t, r, Dropped, "customfields.cost-centre", "another field becomes the label cost_centre")
	wantNote(t, r, Dropped, "customfields.__meta", "begin with __")
	wantNote(t, r, Dropped, "customfields.empty", "empty")
	wantNote(t, r, Dropped, "customfields.job", "the sink for loki has the label job already")
	wantNote(t, r, Dropped, "customfields.severity", "the sink for loki has")
	wantNote(t, r, Dropped, "customfields.severity", "the sink for alertmanager has")
	wantNote(t, r, Dropped, "customfields.cluster", "the sink for alertmanager has")
	r = convertText(t, "customfields: {__meta: x}\nloki: {hostport: 'http://loki:3100'}\n")
	wantNote(t, r, Dropped, "customfields.__meta", "begin with __")
}

// Values that Falcosidekick or a library of it reads otherwise than they are written.
func TestAsTheReceiverWantsIt(t *testing.T) {
	const keys = "aws: {accesskeyid: a, secretaccesskey: s, region: %s, s3: {bucket: alerts}}"
	for _, c := range []struct{ text, want string }{
		{fmt.Sprintf(keys, "eu-west-1"), "url: https://s3.eu-west-1.amazonaws.com\n"},
		{fmt.Sprintf(keys, "cn-north-1"), "url: https://s3.cn-north-1.amazonaws.com.cn\n"},
		{"otlp: {logs: {endpoint: ' http://o.example:4318 '}}", "url: http://o.example:4318\n"},
		{"otlp: {logs: {endpoint: 'http://o.example/api/v1/logs/'}}", "url: http://o.example/api\n"},
	} {
		if r := convertText(t, c.text); !strings.Contains(string(r.Config), c.want) {
			t.Errorf("%s: no %s in\n%s", c.text, c.want, r.Config)
		}
	}
	r := convertText(t, "otlp: {logs: {endpoint: 'http://o.example', headers: 'Authorization=Basic%20dTpw%3D%3D,X%2DOne=1,x-bad=%zz'}}")
	want := map[string]string{"OTLP_LOGS_HEADERS_AUTHORIZATION": "Basic dTpw==", "OTLP_LOGS_HEADERS_X_ONE": "1", "OTLP_LOGS_HEADERS_X_BAD": "%zz"}
	if diff := cmp.Diff(want, r.values); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	wantNote(t, r, Secret, "otlp.logs.headers.Authorization", "without the escapes of a URL")
	r = convertText(t, "aws: {accesskeyid: a, secretaccesskey: s, s3: {bucket: alerts, endpoint: 'http://minio.example:9000'}}")
	wantNote(t, r, Converted, "aws.s3.endpoint", "addressing: virtual")
}

// A variable with the name of Falcosidekick's has what that has there: filelessd may get the same environment.
func TestVariablesOfTheSameEnvironment(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]string
	}{
		{"alertmanager: {hostport: 'https://u:p@a.example'}", map[string]string{"ALERTMANAGER_HOSTPORT": "https://u:p@a.example"}},
		{"alertmanager: {hostport: ['https://u:p@a.example']}", map[string]string{"ALERTMANAGER_HOSTPORT": "https://u:p@a.example"}},
		{"alertmanager: {hostport: 'http://b.example,https://u:p@a.example'}", map[string]string{"ALERTMANAGER_HOSTPORT_URL": "https://u:p@a.example"}},
		{"alertmanager: {hostport: 'https://u:p@a.example', endpoint: /x/api/v2/alerts}", map[string]string{"ALERTMANAGER_HOSTPORT_URL": "https://u:p@a.example/x"}},
		{"loki: {hostport: 'https://u:p@l.example'}", map[string]string{"LOKI_HOSTPORT": "https://u:p@l.example"}},
		{"loki: {hostport: 'https://u:p@l.example', endpoint: /x/loki/api/v1/push}", map[string]string{"LOKI_HOSTPORT_URL": "https://u:p@l.example/x"}},
		{"otlp: {logs: {endpoint: 'https://u:p@o.example/v1/logs'}}", map[string]string{"OTLP_LOGS_ENDPOINT_URL": "https://u:p@o.example"}},
	} {
		r := convertText(t, c.text)
		if diff := cmp.Diff(c.want, r.values); diff != "" || r.Bad() {
			t.Errorf("%s: variables (-want +got), bad %v:\n%s", c.text, r.Bad(), diff)
		}
	}
}

func TestBatching(t *testing.T) {
	for value, on := range map[string]bool{"true": true, "1": true, "T": true, "false": false, "'0'": false} {
		r := convertText(t, "elasticsearch: {hostport: 'https://es.example', batching: {enabled: "+value+", batchsize: 1000}}")
		if strings.Contains(string(r.Config), "batch:") != on || r.Bad() {
			t.Errorf("enabled: %s gives\n%s\n%s", value, r.Config, notesText(r))
		}
		if on {
			wantNote(t, r, Converted, "elasticsearch.batching", "100 reports")
		} else {
			wantNote(t, r, Dropped, "elasticsearch.batching", "not enabled")
		}
	}
	r := convertText(t, "elasticsearch: {hostport: 'https://es.example', batching: {enable: true, flushinterval: 1s}}")
	wantNote(t, r, Unknown, "elasticsearch.batching.enable", "no such key")
	r = convertText(t, "elasticsearch: {hostport: 'https://es.example', batching: {enabled: perhaps}}")
	wantNote(t, r, Bad, "elasticsearch.batching.enabled", "true or false")
}

// Of all sinks, Falcosidekick takes info for a priority in those of mail and OTLP logs.
func TestInfo(t *testing.T) {
	for text, takes := range map[string]bool{
		"smtp: {hostport: 'm.example:25', from: a@x.example, to: b@x.example, minimumpriority: Info}": true,
		"otlp: {logs: {endpoint: 'http://o.example', minimumpriority: info}}":                         true,
		"slack: {webhookurl: 'https://s.example/x', minimumpriority: info}":                           false,
	} {
		r := convertText(t, text)
		if r.Bad() == takes || strings.Contains(string(r.Config), `"Notice", "Informational"]`) != takes {
			t.Errorf("%s gives\n%s\n%s", text, r.Config, notesText(r))
		}
	}
}

func TestSubjects(t *testing.T) {
	r := convertText(t, "nats: {hostport: 'nats://n.example:4222', subjecttemplate: soc.falco}")
	wantNote(t, r, Converted, "nats.subjecttemplate", "that of Falcosidekick, so that readers find reports among its alerts. Make a stream that takes it: nats stream add FILELESSD --subjects 'soc.falco'")
	r = convertText(t, "nats: {hostport: 'nats://n.example:4222'}")
	wantNote(t, r, Converted, "nats.subjecttemplate", "<rule> its {technique}. Make a stream that takes it: nats stream add FILELESSD --subjects 'falco.>'")
}
