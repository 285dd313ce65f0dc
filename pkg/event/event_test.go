package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const alert = `{"hostname":"web-1","output":"14:21:08.9: Critical Fileless execution","output_fields":` +
	`{"container.id":"host","container.image.tag":"","evt.time":1795443668905833488,"k8s.ns.name":null,` +
	`"proc.exe_ino.ctime":16898550820625977688,"proc.is_exe_from_memfd":true,"proc.name":"4","user.loginname":"<NA>"},` +
	`"priority":"Critical","rule":"Fileless execution via memfd_create","source":"syscall",` +
	`"tags":["T1620","host"],"time":"2026-11-23T14:21:08.905833488Z"}`

func mustParse(t testing.TB, doc string) Event {
	t.Helper()
	e, err := Parse([]byte(doc), received)
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return e
}

func TestParse(t *testing.T) {
	e := mustParse(t, alert)
	if want := time.Date(2026, 11, 23, 14, 21, 8, 905833488, time.UTC); !e.Time.Equal(want) {
		t.Errorf("time %v, want %v", e.Time, want)
	}
	if e.Rule != StockMemfdRule || e.Priority != Critical || e.Source != "syscall" || e.Hostname != "web-1" ||
		e.Output != "14:21:08.9: Critical Fileless execution" || strings.Join(e.Tags, ",") != "T1620,host" {
		t.Errorf("envelope: %+v", e)
	}
	for name, want := range map[string]string{
		"container.id": "host", "proc.exe_ino.ctime": "16898550820625977688",
		"evt.time": "1795443668905833488", "proc.is_exe_from_memfd": "true", "proc.name": "4",
	} {
		if got, ok := e.Field(name); !ok || got != want {
			t.Errorf("field %s = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"container.image.tag", "k8s.ns.name", "user.loginname", "proc.exe"} {
		if got, ok := e.Field(name); ok {
			t.Errorf("field %s = %q, want it unknown", name, got)
		}
	}
	if got, ok := e.Field("proc.exe", "user.loginname", "proc.name"); !ok || got != "4" {
		t.Errorf("first known of three = %q, %v", got, ok)
	}
	if n := len(e.FieldMap()); n != 5 {
		t.Errorf("%d known fields, want 5: %v", n, e.FieldMap())
	}
}

func TestParseOddities(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		field     string
		want      string // of the field; empty for unknown
	}{
		{"numeric name", `{"rule":"r","output_fields":{"k8s.ns.name":42}}`, "k8s.ns.name", "42"},
		{"exact decimals", `{"rule":"r","output_fields":{"a":1.10e3}}`, "a", "1.10e3"},
		{"the word null is a value", `{"rule":"r","output_fields":{"a":"null"}}`, "a", "null"},
		{"nested value", `{"rule":"r","output_fields":{"a":{"b":["}",1]}}}`, "a", `{"b":["}",1]}`},
		{"repeated name", `{"rule":"r","output_fields":{"a":"1","a":"2"}}`, "a", "2"},
		{"repeated name, last unknown", `{"rule":"r","output_fields":{"a":"1","a":null}}`, "a", ""},
		{"repeated object", `{"rule":"r","output_fields":{"a":"1"},"output_fields":{"b":"2"}}`, "a", ""},
		{"escapes", `{"rule":"r","output_fields":{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}}`, "a", "\"\\/\b\f\n\r\té😀"},
		{"lone surrogate", `{"rule":"r","output_fields":{"a":"\ud83dx\udc00"}}`, "a", "\ufffdx\ufffd"},
		{"surrogate and no low one", `{"rule":"r","output_fields":{"a":"\ud83d\u0041"}}`, "a", "\ufffdA"},
		{"bytes that are not UTF-8", "{\"rule\":\"r\",\"output_fields\":{\"a\":\"x\xff\\ny\"}}", "a", "x\xff\ny"},
		{"escaped name", `{"rule":"r","output_fields":{"\u0061":"1"}}`, "a", "1"},
		{"space everywhere", " {\n\"rule\" : \"r\" , \"output_fields\" : { \"a\" : \"1\" , \"b\" : [ ] } }\n", "a", "1"},
		{"null fields", `{"rule":"r","output_fields":null}`, "a", ""},
		{"envelope of odd types", `{"rule":"r","tags":"x","hostname":5,"priority":3,"time":7,"output":null,"source":null}`, "a", ""},
		{"unknown members", `{"rule":"r","uuid":"u","message":{"a":"1"}}`, "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := mustParse(t, c.doc)
			if got, _ := e.Field(c.field); got != c.want {
				t.Errorf("%s = %q, want %q", c.field, got, c.want)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	deep := `{"rule":"r","output_fields":{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`
	for doc, want := range map[string]string{
		``:                                "empty",
		`  `:                              "empty",
		`null`:                            "want a JSON object, got null",
		`[1]`:                             "want a JSON object, got an array",
		`{"priority":"Critical"}`:         "no rule",
		`{"rule":""}`:                     "no rule",
		`{"rule":7}`:                      "rule: want a string, got a number",
		`{"rule":"r","output_fields":[]}`: "output_fields: want an object, got an array",
		`{"rule":"r"`:                     "invalid JSON",
		`{"rule":"r",}`:                   "invalid JSON at byte 13",
		`14:21:08.9: Critical text`:       "json_output: true",
		deep:                              "exceeded max depth",
	} {
		_, err := Parse([]byte(doc), received)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want one with %q", doc, err, want)
		}
	}
}

func TestIDIsOfTheAlert(t *testing.T) {
	e := mustParse(t, alert)
	same := map[string]string{
		"uuid":         strings.Replace(alert, `{"host`, `{"uuid":"x","host`, 1),
		"no evt.time":  strings.Replace(alert, `"evt.time":1795443668905833488,`, "", 1),
		"iso evt.time": strings.Replace(alert, `"evt.time":`, `"evt.time.iso8601":`, 1),
		"numbers as strings": strings.Replace(strings.Replace(alert, `:true`, `:"true"`, 1),
			`16898550820625977688`, `"16898550820625977688"`, 1),
		"null as <NA>": strings.Replace(alert, `"k8s.ns.name":null`, `"k8s.ns.name":"<NA>"`, 1),
		"no tags":      strings.Replace(alert, `"tags":["T1620","host"],`, "", 1),
		"priority":     strings.Replace(alert, `"Critical"`, `"Debug"`, 1),
		"output":       strings.Replace(alert, `Critical Fileless`, `other`, 1),
		"no source":    strings.Replace(alert, `"source":"syscall",`, ``, 1),
		"offset":       strings.Replace(alert, `14:21:08.905833488Z`, `15:21:08.905833488+01:00`, 1),
		"order":        `{"output_fields":{"proc.name":"4","proc.is_exe_from_memfd":true,"proc.exe_ino.ctime":16898550820625977688,"container.id":"host"},"rule":"Fileless execution via memfd_create","time":"2026-11-23T14:21:08.905833488Z","hostname":"web-1"}`,
	}
	for name, doc := range same {
		if o := mustParse(t, doc); o.ID() != e.ID() {
			t.Errorf("%s: another ID", name)
		}
	}
	for name, doc := range map[string]string{
		"time":     strings.Replace(alert, `905833488Z`, `905833489Z`, 1),
		"hostname": strings.Replace(alert, `web-1`, `web-2`, 1),
		"rule":     strings.Replace(alert, `memfd_create`, `memfd`, 1),
		"source":   strings.Replace(alert, `"source":"syscall"`, `"source":"x"`, 1),
		"field":    strings.Replace(alert, `"proc.name":"4"`, `"proc.name":"5"`, 1),
		// Lengths keep apart what would read alike when joined.
		"border": strings.Replace(alert, `"proc.name":"4"`, `"proc.nam":"e4"`, 1),
		"null":   strings.Replace(alert, `"proc.name":"4"`, `"proc.name":"4","x":"null"`, 1),
	} {
		if o := mustParse(t, doc); o.ID() == e.ID() {
			t.Errorf("%s: the same ID", name)
		}
	}
	if len(e.ID()) != 64 || strings.Trim(e.ID(), "0123456789abcdef") != "" {
		t.Errorf("ID %q", e.ID())
	}
}

// TestIDWithoutTime: what has no usable time is never taken for something else.
func TestIDWithoutTime(t *testing.T) {
	for _, bad := range []string{`""`, `null`, `12`, `"yesterday"`, `"0001-01-01T00:00:00Z"`, `"1970-01-01T00:00:00Z"`, `"9999-01-01T00:00:00Z"`} {
		doc := `{"rule":"r","time":` + bad + `}`
		a, err := Parse([]byte(doc), received)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse([]byte(doc), received.Add(1))
		if err != nil {
			t.Fatal(err)
		}
		if !a.Time.IsZero() || a.ID() == b.ID() {
			t.Errorf("time %s: taken as %v, same ID %v", bad, a.Time, a.ID() == b.ID())
		}
	}
}

func TestSetFieldChangesTheID(t *testing.T) {
	e := mustParse(t, alert)
	before := e.ID()
	e.SetField("a", "b")
	if e.ID() == before {
		t.Error("the ID stayed")
	}
}

// TestNormaliseTakesTheMessageOut: over gRPC with json_output, output is the whole alert as JSON.
func TestNormaliseTakesTheMessageOut(t *testing.T) {
	e := mustParse(t, alert)
	wrapped := e
	wrapped.Output = alert
	wrapped.Normalise()
	e.Normalise()
	if !wrapped.Equal(&e) {
		t.Errorf("output is %q", wrapped.Output)
	}
	other := e
	other.Output = `{"rule":"another","output":"x"}`
	other.Normalise()
	if other.Output != `{"rule":"another","output":"x"}` {
		t.Errorf("took the message of another rule: %q", other.Output)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, doc := range []string{
		alert,
		`{"rule":"r"}`,
		"{\"rule\":\"r\xff\",\"hostname\":\"h\xfe\",\"output\":\"\xc3\",\"source\":\"\xf0\",\"output_fields\":{\"a\":\"\xe9x\",\"b\":\"é\"}}",
	} {
		e := mustParse(t, doc)
		e.Normalise()
		data, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(data) {
			t.Errorf("not UTF-8: %q", data)
		}
		var back Event
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		back.Received = e.Received
		if !back.Equal(&e) || e.Time.IsZero() == false && back.ID() != e.ID() {
			t.Errorf("%s came back as %+v from %s", doc, back, data)
		}
	}
}

func TestInvalidUTF8IsNamed(t *testing.T) {
	e := mustParse(t, "{\"rule\":\"r\",\"output\":\"\xff\",\"output_fields\":{\"proc.exepath\":\"memfd:\xff\",\"proc.name\":\"4\"}}")
	names := e.InvalidUTF8()
	if len(names) != 2 || !strings.Contains(strings.Join(names, ","), "proc.exepath") {
		t.Errorf("named %v", names)
	}
}

func TestPriority(t *testing.T) {
	for in, want := range map[string]string{
		"Critical": "Critical", "CRITICAL": "Critical", "info": "Informational", "informational": "Informational",
		"debug": "Debug", "Emergency": "Emergency", "": "", "P1": "",
	} {
		if got := ParsePriority(in).String(); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if Priority(200).String() != "" {
		t.Error("an impossible priority has a name")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(alert)
	f.Add(`{"rule":"\ud83d\ude00","output_fields":{"a":{"b":[1,"\\"]}},"tags":[1,"x",null]}`)
	f.Add("{\"rule\":\"\xff\\u00\"}")
	f.Fuzz(func(t *testing.T, doc string) {
		e, err := Parse([]byte(doc), received)
		if err != nil {
			return
		}
		checkAgainstLibrary(t, doc, &e)
		id := e.ID()
		e.Normalise()
		if e.ID() != id {
			t.Error("normalising changed the ID")
		}
		data, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		back.Received = e.Received
		back.Tags = e.Tags // a tag is no evidence: bytes that are not UTF-8 are not kept
		if !back.Equal(&e) {
			t.Errorf("came back as\n%+v, was\n%+v", back, e)
		}
	})
}

// checkAgainstLibrary compares what we read with what encoding/json reads.
func checkAgainstLibrary(t *testing.T, doc string, e *Event) {
	t.Helper()
	if !utf8.ValidString(doc) {
		return
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &all); err != nil {
		t.Fatalf("accepted what is no object: %v", err)
	}
	var rule string
	if err := json.Unmarshal(all["rule"], &rule); err != nil || rule != e.Rule {
		t.Errorf("rule %q, want %q (%v)", e.Rule, rule, err)
	}
	var fields map[string]any
	if json.Unmarshal(all["output_fields"], &fields) != nil {
		return
	}
	for name, value := range fields {
		if s, ok := value.(string); ok {
			if got, _ := e.Field(name); got != s && Known(s) {
				t.Errorf("field %q = %q, want %q", name, got, s)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(alert)))
	for b.Loop() {
		if _, err := Parse([]byte(alert), received); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkID(b *testing.B) {
	e := mustParse(b, alert)
	b.ReportAllocs()
	for b.Loop() {
		e.computeID()
	}
}

// TestManyMistakes: what is wrong with an alert has to be as short as one mistake. Joined, those of
// 1 MiB took minutes to be written out.
func TestManyMistakes(t *testing.T) {
	doc := `{"rule":1` + strings.Repeat(`,"rule":1`, 1000) + `,"output_fields":[]}`
	_, err := Parse([]byte(doc), time.Now())
	if err == nil || err.Error() != "rule: want a string, got a number" {
		t.Errorf("%.200v", err)
	}
}
