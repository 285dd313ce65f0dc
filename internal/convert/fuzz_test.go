package convert

import (
	"os"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/sinks"
)

// FuzzConvert: whatever the input, it is an *Error, or a configuration that passes the check and says what the notes
// say.
func FuzzConvert(f *testing.F) {
	for _, name := range []string{"minimal", "several", "helm"} {
		data, err := os.ReadFile("testdata/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte("LOKI_HOSTPORT=http://loki:3100\n"))
	}
	all := tree{}
	for _, o := range outputs() {
		for _, k := range parseKeys(o.keys) {
			all.put(o.path+"."+k.name, sample(o, k))
		}
	}
	delete(all, "")
	f.Add([]byte(all.text(f)), []byte{})
	f.Add([]byte("webhook: {address: \"https://x\\u0001\\U0001F600\\x7f/ü ${A} $$ '\", customheaders: {\"a b\": \"\\n\", A: '\"', a: \"\"}}\n"), []byte("X=1\n"))
	registry := sinks.Builtin()
	f.Fuzz(func(t *testing.T, data, env []byte) {
		r, err := Convert(Input{Name: "f", Data: data, EnvName: "e", Env: env, Sinks: registry})
		if err != nil {
			if _, ok := err.(*Error); !ok { //nolint:errorlint // wrapped, it would be a mistake
				t.Fatalf("%v", err)
			}
			return
		}
		checked(t, r)
		if r.Rest == nil {
			return
		}
		if _, err := read("rest", r.Rest); err != nil {
			t.Fatalf("the rest: %v\n%s", err, r.Rest)
		}
	})
}

// What is written is read as it was.
func FuzzQuote(f *testing.F) {
	for _, text := range []string{"", "a", "yes", "1", "1s", "a: b", "#", "'", `"'\`, "\x00\u202e\U0001F600\n", "- a", "a:", "${A}", "{}", "127.0.0.1:80", "é\u0301"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		var b strings.Builder
		fields{{key: "k" + text, value: reference(text)}, {key: "l", value: []any{reference(text)}}}.write(&b, 0)
		n, err := read("quoted", []byte(b.String()))
		if err != nil {
			t.Fatalf("%v: %s", err, b.String())
		}
		got := n.get("l").items
		if n.entries[0].key != "k"+text || n.entries[0].value.text != text || len(got) != 1 || got[0].text != text {
			t.Fatalf("%q became %q, %q and %q: %s", text, n.entries[0].key, n.entries[0].value.text, got[0].text, b.String())
		}
	})
}
