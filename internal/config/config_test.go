package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/pkg/sink"
)

// mustParse reads a configuration; a test adds sources and sinks only if it is about them.
func mustParse(t *testing.T, text string, vars map[string]string) *Config {
	t.Helper()
	if !strings.Contains(text, "sources:") {
		text += "\nsources: {hook: {type: falco_http}}\n"
	}
	if !strings.Contains(text, "sinks:") {
		text += "\nsinks: {console: {type: stdout}}\n"
	}
	c, err := Parse("config.yaml", []byte(text), testEnv(vars))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContractSample(t *testing.T) {
	env := testEnv(map[string]string{"SOC_SECRET": "whsec_c2VjcmV0"})
	c, err := Load("testdata/contract.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Match.Rules, want.Match.Allow = []match.Rule{}, []match.Allow{}
	want.Match.NetworkServices, want.Match.Lab = []string{}, []string{}
	grpc, http, file := source.DefaultGRPCConfig(), source.DefaultHTTPConfig(), source.DefaultFileConfig()
	pos := func(line int) Pos { return Pos{"testdata/contract.yaml", line, 3} }
	want.Sources = map[string]Source{
		"falco": {Name: "falco", Type: "falco_grpc", Pos: pos(16), GRPC: &grpc},
		"hook":  {Name: "hook", Type: "falco_http", Pos: pos(22), HTTP: &http},
		"file":  {Name: "file", Type: "file", Pos: pos(29), File: &file},
	}
	policy := deliver.DefaultPolicy()
	policy.Concurrency = 4
	policy.When = `severity >= high && fields["k8s.ns.name"] != "sandbox"`
	want.Sinks = map[string]Sink{
		"console": {
			Name: "console", Type: "stdout", Pos: pos(35), Config: stdoutConfig{"markdown"}, Policy: deliver.DefaultPolicy(),
		},
		"soc": {
			Name: "soc", Type: "webhook", Pos: pos(36), Policy: policy,
			Config: &webhookConfig{URL: "https://soc.example/hook", Secret: "whsec_c2VjcmV0", Ignored: "kept"},
		},
	}
	options := cmp.Options{
		cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreFields(Sink{}, "Kind", "When"),
	}
	if diff := cmp.Diff(want, c, options); diff != "" {
		t.Error(diff)
	}
	if soc := c.Sinks["soc"]; soc.Kind.Name != "webhook" || soc.When.String() != policy.When {
		t.Errorf("kind %q, when %q", soc.Kind.Name, soc.When)
	}
	if ok, err := c.Sinks["console"].When.Report(nil); !ok || err != nil {
		t.Errorf("a sink without when: %v, %v", ok, err)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestBuiltIn(t *testing.T) {
	for _, socket := range []bool{false, true} {
		c, err := BuiltIn(registry(), func(path string) bool { return socket && path == "/run/falco/falco.sock" })
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Sources["falco_grpc"]; ok != socket {
			t.Errorf("socket %v: falco_grpc %v", socket, ok)
		}
		if http := c.Sources["falco_http"].HTTP; http == nil || http.Listen != "127.0.0.1:2801" {
			t.Errorf("falco_http: %+v", http)
		}
		if s := c.Sinks["stdout"]; len(c.Sinks) != 1 || s.Config != (stdoutConfig{"json"}) || s.Policy != deliver.DefaultPolicy() {
			t.Errorf("sinks: %+v", c.Sinks)
		}
	}
	_, err := BuiltIn(new(sink.Registry), func(string) bool { return false })
	if want := "sinks: there are no sinks: reports would go nowhere"; err == nil || err.Error() != want {
		t.Errorf("without a stdout kind: got %v, want %s", err, want)
	}
}

// TestValidateWithoutFile: a configuration that was made by hand, or changed after it was read.
func TestValidateWithoutFile(t *testing.T) {
	c := Default()
	c.Log.Level = "loud"
	c.Sources["a"] = Source{Name: "a"}
	c.Sinks["b"] = Sink{Config: stdoutConfig{"xml"}, Policy: deliver.Policy{When: "foo"}}
	err := c.Validate()
	for _, want := range []string{
		`log.level: want debug, info, warn or error, got "loud"`, "sources.a.type: missing",
		"sinks.b.format: unknown format", "sinks.b.when: 1:1: unknown name foo", "sinks.b.start: want now or oldest",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestLoadWithoutFile(t *testing.T) {
	dir := t.TempDir()
	missing, large := filepath.Join(dir, "missing.yaml"), filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		missing: missing + ": no such file or directory", large: large + ": larger than 1 MiB",
	} {
		_, err := Load(path, testEnv(nil))
		if err == nil || err.Error() != want {
			t.Errorf("Load: got %v, want %s", err, want)
		}
		if _, _, err := LoadMatch(path, testEnv(nil)); err == nil || err.Error() != want {
			t.Errorf("LoadMatch: got %v, want %s", err, want)
		}
	}
	if _, err := Load(missing, testEnv(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

func TestLoadMatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("match: {extended: false, lab: [a]}\nsinks: {a: {type: nope, secret: \"${NOPE}\"}}\nfoo: bar\n")
	got, warnings, err := LoadMatch(file, testEnv(nil))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if diff := cmp.Diff(match.Config{Lab: []string{"a"}}, got); diff != "" {
		t.Error(diff)
	}
	write("{sinks: {a: {token: hunter2}}, match: {extended: ja}}\n")
	if _, _, err := LoadMatch(file, testEnv(nil)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret on the line: %v", err)
	}
	write("log: {}\n")
	if got, _, err := LoadMatch(file, testEnv(nil)); err != nil || !cmp.Equal(got, match.DefaultConfig()) {
		t.Errorf("without match: %+v, %v", got, err)
	}
	write("match: {extended: ja}\n")
	_, _, err = LoadMatch(file, testEnv(nil))
	if want := `:1:19: match.extended: want true or false, got "ja"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	entry := `{id: %s, image_digest: "sha256:` + strings.Repeat("a", 64) + `", parent_path: /x, owner: me, reason: y, expires: %s}`
	c := mustParse(t, "grouping: {enabled: false}\nmatch:\n  allow:\n"+
		"    - "+fmt.Sprintf(entry, "old", "2026-05-30")+"\n    - "+fmt.Sprintf(entry, "new", "2026-06-01")+
		"\n    - "+fmt.Sprintf(entry, `"${ID}"`, "2026-05-31T10:00:00Z")+"\n", map[string]string{"ID": "hunter2"})
	want := []string{
		`config.yaml:4:154: match.allow[0].expires: the entry "old" has expired and means nothing any more`,
		`config.yaml:6:158: match.allow[2].expires: the entry "${ID}" has expired and means nothing any more`,
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Error(diff)
	}
	if c.Grouping.Enabled {
		t.Error("grouping.enabled: false has no effect")
	}
	if c := mustParse(t, "grouping: {}\n", nil); len(c.Warnings) > 0 || !c.Grouping.Enabled {
		t.Errorf("a default has warnings: %v", c.Warnings)
	}
}

func TestNeeds(t *testing.T) {
	c := mustParse(t, `
match:
  allow: [{id: a, image_digest: "sha256:`+strings.Repeat("a", 64)+`", parent_path: /x, owner: me, reason: y, expires: 2027-01-01}]
  rules:
    - {id: r, technique: fd_exec, when: 'rule == "x"'}
    - {id: s, technique: fd_exec, when: 'any(tags, fields[#] != "") && "proc.pid" in fields'}
sinks:
  a: {type: stdout}
  b:
    type: stdout
    when: fields["k8s.ns.name"] != "sandbox"
`, nil)
	want := []Need{
		{Pos{"config.yaml", 3, 12}, "match.allow[0]", []string{"container.image.digest", "proc.pexepath", "proc.args"}, false},
		{Pos{"config.yaml", 6, 41}, "match.rules[1].when", []string{"proc.pid"}, true},
		{Pos{"config.yaml", 11, 11}, "sinks.b.when", []string{"k8s.ns.name"}, false},
	}
	if diff := cmp.Diff(want, c.Needs()); diff != "" {
		t.Error(diff)
	}
	if got, want := c.Needs()[1].String(), "config.yaml:6:41: match.rules[1].when reads proc.pid, fields by computed names"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	const output = `append_output:
  - match:
      source: syscall
    extra_fields:
      - container.image.digest
      - k8s.ns.name
      - proc.args
      - proc.pexepath
      - proc.pid
`
	if diff := cmp.Diff(output, AppendOutput(c.Needs())); diff != "" {
		t.Error(diff)
	}
	if got := AppendOutput(nil); got != "" {
		t.Errorf("without needs: %q", got)
	}
}

// TestSecretsStayHidden: what prints a configuration prints no secret, neither one of the file nor
// one that was filled in.
func TestSecretsStayHidden(t *testing.T) {
	c := mustParse(t, `
http: {token: hunter2-literal}
sinks: {a: {type: webhook, url: x, secret: "${SECRET}"}}
`, map[string]string{"SECRET": "hunter2-filled-in"})
	if hook, ok := c.Sinks["a"].Config.(*webhookConfig); !ok || hook.Secret != "hunter2-filled-in" {
		t.Fatalf("%+v", c.Sinks["a"])
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(format, c); strings.Contains(got, "hunter2") {
			t.Errorf("%s shows a secret: %s", format, got)
		}
	}
}
