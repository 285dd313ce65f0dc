package source

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeBody(t *testing.T) {
	tests := []struct {
		name     string
		body     string
		rules    string // of the alerts that were taken, in order
		rejected string // the indexes of what was not
	}{
		{name: "one alert", body: `{"rule":"a"}`, rules: "a"},
		{name: "over several lines", body: "{\n  \"rule\": \"a\",\n  \"tags\": []\n}\n", rules: "a"},
		{name: "lines", body: "{\"rule\":\"a\"}\n{\"rule\":\"b\"}\n", rules: "a b"},
		{name: "lines of Windows", body: "{\"rule\":\"a\"}\r\n\r\n{\"rule\":\"b\"}\r\n", rules: "a b"},
		{name: "blank lines", body: "\n\n{\"rule\":\"a\"}\n \t\n{\"rule\":\"b\"}", rules: "a b"},
		{name: "array", body: ` [ {"rule":"a"} , {"rule":"b"} ] `, rules: "a b"},
		{name: "array over lines", body: "[\n{\"rule\":\"a\"},\n{\n\"rule\":\"b\"\n}\n]\n", rules: "a b"},
		{name: "array of none", body: `[]`},

		{name: "nothing", body: "", rejected: "0"},
		{name: "space", body: " \n\t\r\n", rejected: "0"},
		{name: "text", body: "14:23:22.8: Critical Fileless execution", rejected: "0"},
		{name: "no rule", body: `{"output":"x"}`, rejected: "0"},
		{name: "no rule, over several lines", body: "{\n\"output\":\n\"x\"\n}", rejected: "0"},
		{name: "broken object", body: `{"rule":"a"`, rejected: "0"},
		{name: "two objects on a line", body: `{"rule":"a"}{"rule":"b"}`, rejected: "0"},
		{name: "a string", body: `"[{\"rule\":\"a\"}]"`, rejected: "0"},

		{name: "line without quote", body: "{\"rule\":\"a\"}\n{\"rule\":\"b}\n{\"rule\":\"c\"}", rules: "a c", rejected: "1"},
		{name: "lines without end", body: "{\"rule\":\"a\"\n{\"rule\":\"b\"\n{\"rule\":\"c\"}", rules: "c", rejected: "0 1"},
		{name: "first line only a bracket", body: "{\n{\"rule\":\"b\"}\n[\n{\"rule\":\"c\"}", rules: "b c", rejected: "0 3"},
		{name: "text between lines", body: "x\n{\"rule\":\"a\"}\ny: {}\n{\"rule\":\"b\"}\n", rules: "a b", rejected: "0 2"},
		{name: "arrays on lines", body: "[{\"rule\":\"a\"}]\n[{\"rule\":\"b\"}]\n{\"rule\":\"c\"}\nx", rules: "a b c", rejected: "3"},

		{name: "element of another kind", body: `[{"rule":"a"},42,"x",null,[{"rule":"n"}],{"rule":"b"}]`, rules: "a b", rejected: "1 2 3 4"},
		{name: "element without rule", body: `[{"rule":"a"},{},{"rule":"b"}]`, rules: "a b", rejected: "1"},
		{name: "element with a bad word", body: `[{"rule":"a"},{"rule":oops},{oops},{"rule":"b"}]`, rules: "a b", rejected: "1 2"},
		{name: "element without quote", body: `[{"rule":"a"},{"rule":"b},{"rule":"c"},{"rule":"d"}]`, rules: "a c d", rejected: "1"},
		{name: "two without quote", body: `[{"rule":"a"},{"rule":"b},{"rule":"c"},{"rule":"d},{"rule":"e"}]`, rules: "a c e", rejected: "1 3"},
		{name: "element without bracket", body: `[{"rule":"a"},{"rule":"b",{"rule":"c"},{"rule":"d"}]`, rules: "a c d", rejected: "1"},
		{name: "first without bracket", body: `[{"rule":"b", "tags":["x", {"rule":"c"}, {"rule":"d"}]`, rules: "c d", rejected: "0"},
		{name: "bracket too many", body: `[{"rule":"a"}},{"rule":"b"}]`, rules: "a b", rejected: "1"},
		{name: "no comma", body: `[{"rule":"a"} {"rule":"b"}]`, rules: "a b"},
		{name: "commas too many", body: `[,{"rule":"a"},,{"rule":"b"},]`, rules: "a b"},
		{name: "array without end", body: `[{"rule":"a"},{"rule":"b"}`, rules: "a b", rejected: "2"},
		{name: "array cut in an element", body: `[{"rule":"a"},{"rule":"b"`, rules: "a", rejected: "1"},
		{name: "array that is cut at once", body: `[`, rejected: "0"},
		{name: "text behind the array", body: `[{"rule":"a"}] x`, rules: "a", rejected: "1"},
		{name: "an alert inside a broken element", body: `[{"x":{"rule":"inner"},oops},{"rule":"b"}]`, rules: "b", rejected: "0"},
		{name: "an alert inside a broken string", body: `[{"rule":"a","x":"\",{\"rule\":\"forged\"}"oops},{"rule":"b"}]`, rules: "b", rejected: "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := decodeBody([]byte(tt.body), NewStamp())
			var rules, rejected []string
			for _, e := range b.events {
				rules = append(rules, e.Rule)
			}
			for _, r := range b.rejected {
				rejected = append(rejected, fmt.Sprint(r.Index))
			}
			if got := strings.Join(rules, " "); got != tt.rules {
				t.Errorf("took %q, want %q", got, tt.rules)
			}
			if got := strings.Join(rejected, " "); got != tt.rejected {
				t.Errorf("rejected %q, want %q: %v", got, tt.rejected, b.rejected)
			}
		})
	}
}

// Every way to break one element by a missing, doubled or strange byte leaves the others alone.
func TestDecodeBodyNeighbours(t *testing.T) {
	const victim = `{"rule":"v","output_fields":{"a":"b","c":[1,null]},"tags":["x"]}`
	mutate := func(i int) [][]byte {
		cut := []byte(victim[:i] + victim[i+1:])
		double := []byte(victim[:i+1] + victim[i:])
		strange := []byte(victim[:i] + "\x00" + victim[i+1:])
		return [][]byte{cut, double, strange}
	}
	for _, form := range []string{"[%s,\n%s,\n%s,%s]", "[%s,%s,%s,%s]", "%s\n%s\n%s\n%s\n"} {
		for i := range victim {
			for _, broken := range mutate(i) {
				body := fmt.Appendf(nil, form, `{"rule":"a"}`, broken, `{"rule":"b","tags":["x"]}`, `{"rule":"c"}`)
				var got []string
				for _, e := range decodeBody(body, NewStamp()).events {
					if len(e.Rule) == 1 && strings.Contains("abc", e.Rule) {
						got = append(got, e.Rule)
					}
				}
				if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
					t.Errorf("%s\n%s", body, diff)
				}
			}
		}
	}
}

func TestDecodeBodyBounds(t *testing.T) {
	t.Run("many elements", func(t *testing.T) {
		b := decodeBody([]byte("["+strings.Repeat("1,", maxBody/2-1)+"1]"), NewStamp())
		if len(b.events) != 0 || len(b.rejected) != maxElements+1 {
			t.Fatalf("%d taken, %d rejected", len(b.events), len(b.rejected))
		}
		if last := b.rejected[maxElements]; last.Index != maxElements || !strings.Contains(last.Error, "8192") {
			t.Errorf("last rejection: %+v", last)
		}
		if b.rejected[0].Error == b.rejected[maxReasons].Error {
			t.Error("each of many rejections has a text of its own")
		}
	})
	t.Run("many alerts", func(t *testing.T) {
		b := decodeBody([]byte(strings.Repeat("{\"rule\":\"a\"}\n", maxElements+7)), NewStamp())
		if len(b.events) != maxElements || len(b.rejected) != 1 {
			t.Errorf("%d taken, %d rejected", len(b.events), len(b.rejected))
		}
	})
	// Without a bound these take a time that grows with the square of the length.
	for _, piece := range []string{`{`, `[`, `{"a":1,`, `[{"rule":"x"},{"a":[0,`, `"`, `,{"rule":"x"`, "{\n"} {
		t.Run("repeated "+piece, func(*testing.T) {
			decodeBody([]byte("["+strings.Repeat(piece, maxBody/4/len(piece))), NewStamp())
		})
	}
}

func TestDecodeBodyText(t *testing.T) {
	secret := strings.Repeat("s3cr3t", 50)
	for _, body := range []string{secret, `{"` + secret, `{"rule":` + secret, `[` + secret + `]`, `{"rule":["` + secret + `"]}`} {
		for _, r := range decodeBody([]byte(body), NewStamp()).rejected {
			if strings.Contains(r.Error, "s3cr3t") {
				t.Errorf("the answer repeats the body: %s", r.Error)
			}
		}
	}
}

func FuzzHTTPBody(f *testing.F) {
	f.Add([]byte(`[{"rule":"a"},{"rule":"b},{"rule":"c"}]`))
	f.Add([]byte("{\"rule\":\"a\"}\n{\"rule\":\n"))
	f.Add([]byte("{\n\"rule\":\"a\"}"))
	f.Add([]byte(`[[{"rule":"a"}],{"a":"\",{"]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		b := decodeBody(body, NewStamp())
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
		if len(b.events)+len(b.rejected) != b.size {
			t.Errorf("%d taken, %d rejected, of %d", len(b.events), len(b.rejected), b.size)
		}
		last := -1
		for _, r := range b.rejected {
			if r.Index <= last || r.Index >= b.size || r.Error == "" {
				t.Errorf("rejection %+v after index %d, of %d", r, last, b.size)
			}
			last = r.Index
		}
		if line := bytes.Trim(body, space); bytes.IndexByte(line, '[') < 0 && bytes.IndexByte(line, '\n') < 0 && b.size != 1 {
			t.Errorf("%d elements in one line", b.size)
		}
	})
}
