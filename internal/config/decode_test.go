package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/sink"
)

// hook decodes the keys of a webhook.
func hook(t *testing.T, keys string, vars map[string]string) *webhookConfig {
	t.Helper()
	c := mustParse(t, "sinks:\n  a:\n    type: webhook\n    url: x\n"+keys, vars)
	got, ok := c.Sinks["a"].Config.(*webhookConfig)
	if !ok {
		t.Fatalf("%T", c.Sinks["a"].Config)
	}
	return got
}

func TestDecode(t *testing.T) {
	nine := uint8(9)
	tests := []struct {
		name, keys string
		want       webhookConfig
	}{
		{"a text is its text", "    secret: 007\n    plain: 1.50\n", webhookConfig{Secret: "007", Untagged: Untagged{"1.50"}}},
		{"words of YAML", "    secret: yes\n    plain: True\n", webhookConfig{Secret: "yes", Untagged: Untagged{"True"}}},
		{"a number in quotes", "    max: \"9\"\n    ratio: '1.5'\n", webhookConfig{Max: &nine, Ratio: 1.5}},
		{"null leaves the default", "    max:\n    secret: null\n    tls: {ca_file: , cert_file: }\n    tokens: ~\n", webhookConfig{}},
		{"blocks", "    secret: |\n      a\n      b\n    plain: >-\n      c\n      d\n", webhookConfig{Secret: "a\nb\n", Untagged: Untagged{"c d"}}},
		{"quotes", "    secret: 'it''s'\n    plain: \"tab\\tx\\u00e9\"\n", webhookConfig{Secret: "it's", Untagged: Untagged{"tab\txé"}}},
		{"lists and maps", "    tokens: [a, \"b\"]\n    headers: {X: y, 2: 3, \"a b\": }\n", webhookConfig{
			Tokens: []sink.Secret{"a", "b"}, Headers: map[string]sink.Secret{"X": "y", "2": "3", "a b": ""},
		}},
		{"an empty list", "    tokens: []\n    headers: {}\n", webhookConfig{Tokens: []sink.Secret{}, Headers: map[string]sink.Secret{}}},
		{"no type", "    extra: {a: [1, {b: c}, ], d: , e: \"${X}\"}\n", webhookConfig{
			Extra: map[string]any{"a": []any{"1", map[string]any{"b": "c"}}, "d": nil, "e": "x"},
		}},
		{"references", "    secret: ${X}${Y}\n    plain: a-${X}-$$-$-$${X}-$x\n    max: ${N}\n    ratio: ${N}\n", webhookConfig{
			Secret: "xy: [", Untagged: Untagged{"a-x-$-$-${X}-$x"}, Max: &nine, Ratio: 9,
		}},
		{"keys stay", "    headers: {\"${X}\": a}\n", webhookConfig{Headers: map[string]sink.Secret{"${X}": "a"}}},
		{"not twice", "    plain: ${AGAIN}\n", webhookConfig{Untagged: Untagged{"${X}$$"}}},
		{"an empty variable", "    plain: ${EMPTY}\n", webhookConfig{}},
		{"Windows", "    secret: a\r\n    plain: |\r\n      b\r\n      c\r\n", webhookConfig{Secret: "a", Untagged: Untagged{"b\nc\n"}}},
	}
	vars := map[string]string{"X": "x", "Y": "y: [", "N": "9", "AGAIN": "${X}$$", "EMPTY": ""}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.URL, test.want.Ignored = "x", "kept"
			if diff := cmp.Diff(&test.want, hook(t, test.keys, vars)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeCommonKeys(t *testing.T) {
	c := mustParse(t, `
drain_timeout: ${T}
store: {max_bytes: "${B}", retention: 0s}
match:
  allow: [{id: a, image_digest: "sha256:`+strings.Repeat("a", 64)+`", parent_path: /x, owner: me, reason: y, expires: 2027-01-31},
          {id: b, image_digest: "sha256:`+strings.Repeat("a", 64)+`", parent_path: /x, owner: me, reason: y, expires: "2027-01-31T18:00:00+02:00"}]
sources: {hook: {type: falco_http, insecure: "${I}"}}
sinks: {a: {type: stdout, concurrency: "${C}", retry: {max: 1m}}}
`, map[string]string{"T": "1m30s", "B": "64MiB", "I": "true", "C": "8"})
	if c.DrainTimeout != 90*time.Second || c.Store.MaxBytes != 64<<20 || c.Store.Retention != 0 || !c.Sources["hook"].HTTP.Insecure {
		t.Errorf("%+v", c)
	}
	if p := c.Sinks["a"].Policy; p.Concurrency != 8 || p.Retry.Max != time.Minute || p.Retry.Initial != 500*time.Millisecond {
		t.Errorf("policy %+v", p)
	}
	for i, want := range []string{"2027-01-31T23:59:59.999999999Z", "2027-01-31T16:00:00Z"} {
		if got := c.Match.Allow[i].Expires.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("expires[%d]: got %s, want %s", i, got, want)
		}
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want, wantErr string }{
		{write("newline", "a b\n"), "a b", ""},
		{write("windows", "a\r\n\r\n"), "a", ""},
		{write("none", "${X} \n "), "${X} \n ", ""},
		{write("empty", ""), "", ""},
		{write("large", strings.Repeat("x", maxSize+1)), "", "larger than 1 MiB"},
		{dir, "", "not a regular file"},
		{fifo, "", "not a regular file"},
		{filepath.Join(dir, "nope"), "", "no such file or directory"},
		{"relative", "", "want an absolute path"},
	}
	for _, test := range tests {
		got, err := readSecret(test.path)
		if got != test.want || (err != nil) != (test.wantErr != "") || err != nil && err.Error() != test.wantErr {
			t.Errorf("%s: got %q, %v, want %q, %s", filepath.Base(test.path), got, err, test.want, test.wantErr)
		}
	}
}

// TestOddText: bytes that no editor writes, where the golden files can not show them.
func TestOddText(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"not UTF-8", "log:\n  level: é\xff\n", "c:2:11: not UTF-8"},
		{"NUL", "log: \x00\n", "c:1:6: a control character"},
		{"escape", "# \x1b[31m\n", "c:1:3: a control character"},
		{"old Mac", "log: {}\rhttp: {}\n", "c:1:8: a control character"},
		{"Windows", "# a\r\n\r\nlgo: {} # b\r\n" + minimal, "c:3:1: lgo: unknown key; did you mean log?\n    3 | lgo: …\n      | ^"},
		{"large", strings.Repeat("#", maxSize+1), "c: larger than 1 MiB"},
		{"long", strings.Repeat("a: b\n", maxTokens/3+1), "c:16667:4: too long: the file has too many keys and values"},
		{"byte order mark", "\ufefflgo: {}\n" + minimal, "c:1:1: lgo: unknown key; did you mean log?"},
		{"wide", "log: {format: 日本語, level: é}\n" + minimal, `c:1:27: log.level: want debug, info, warn or error, got "é"`},
		{"long key", strings.Repeat("k", 1000) + ": 1\n" + minimal, "c:1:1: " + strings.Repeat("k", 200) + "…: unknown key; known are "},
		{"long value", "log: {level: " + strings.Repeat("v", 1000) + "}\n" + minimal,
			`c:1:14: log.level: want debug, info, warn or error, got "` + strings.Repeat("v", 362) + "…\n"},
	}
	for _, test := range tests {
		_, err := Parse("c", []byte(test.text), testEnv(nil))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %.300v\nwant %.300s", test.name, err, test.want)
		}
	}
}

const minimal = "sources: {a: {type: falco_http}}\nsinks: {a: {type: stdout}}\n"

func TestRedact(t *testing.T) {
	d := &decoder{expansions: []expansion{
		{path{"a", "b"}, "${X}", []string{"hunter2-and-more"}},
		{path{"c"}, "x${Y}", []string{"e", "xe"}},
		{path{"n"}, "${N}", []string{"0720h", "720h0m0s"}},
	}}
	tests := []struct {
		path          path
		message, want string
	}{
		{path{"a", "b"}, `got "hunter2-and-more"`, `got "${X}"`},
		{path{"a"}, `b: got hunter2-and-more!`, `b: got ${X}!`},
		{path{"a", "b", "c"}, `got xhunter2-and-more`, `got x${X}`},
		{path{"a", "b"}, `got unter2-and-mo`, `the value of ${X} is not accepted`},
		{path{"other"}, `got hunter2-and-more`, `got hunter2-and-more`},
		{path{"c"}, `want me, got "xe", not e`, `want me, got "x${Y}", not x${Y}`},
		{path{"n"}, `want less than 10h, got 720h0m0s`, `want less than 10h, got ${N}`},
	}
	for _, test := range tests {
		if got := d.redact(test.path, test.message); got != test.want {
			t.Errorf("%s: %s\n got %s\nwant %s", test.path, test.message, got, test.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"listen", "token", "tls", "timeout", "concurrency"}
	for name, want := range map[string]string{
		"lisen": "; did you mean listen?", "tokne": "; did you mean token?", "Timeout": "; did you mean timeout?",
		"concurency": "; did you mean concurrency?", "path": "; known are concurrency, listen, timeout, tls, token",
	} {
		if got := suggest(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := suggest("x", nil); got != "" {
		t.Errorf("nothing known: %q", got)
	}
}

func TestSameAddress(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "localhost:1", true},
		{"0.0.0.0:1", "10.0.0.1:1", true},
		{":1", "[::1]:1", true},
		{"[::]:1", "host:1", true},
		{"host:1", "HOST:1", true},
		{"host:1", "other:1", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"nope", "nope", false},
	}
	for _, test := range tests {
		if sameAddress(test.a, test.b) != test.want || sameAddress(test.b, test.a) != test.want {
			t.Errorf("%s and %s: want %v", test.a, test.b, test.want)
		}
	}
}
