package reportsv1_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var received = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

// hostile is an alert with what is hard to carry: no usable time, control and bidirectional
// characters, bytes that are not UTF-8, numbers that no float holds.
const hostile = `{"rule":"Fileless execution via memfd_create","time":"tomorrow","output":"\u0000\n\u202e` + "\xff" + `",
	"tags":["T1620","` + "\xfe" + `"],"output_fields":{"evt.type":"execve","proc.exepath":"memfd:` + "\x80\xff" + `",
	"proc.cmdline":"3 \ud83d\ude00 \ud800 \uffff \u2028 </script>","container.start_ts":1729864866120000001,
	"proc.pid":1e400,"proc.aname":{"a":[1,null]},"":"no name","proc.tty":true}}`

// samples returns reports by name: of the analysed cases, of a hostile alert, with everything that
// a report can hold, and with nothing.
func samples(t *testing.T) map[string]*report.Report {
	t.Helper()
	all := map[string]*report.Report{
		"filled": filled(t),
		"empty":  {},
		"loss":   {ID: "1", Kind: report.KindLoss, CreatedAt: received, About: []string{"falco"}},
		// Zero times within a group, and more alerts than 32 bits count.
		"summary": {ID: "2", Kind: report.KindSummary, Group: &report.Group{Key: "k", Count: 1 << 40}},
	}
	analysed := 0
	analyse := analysis(t)
	for id, alert := range alerts(t, "../../../internal/analyze/testdata/cases.jsonl") {
		if r := analyse(alert); r != nil {
			all[id] = r
			analysed++
		}
	}
	if analysed < 20 {
		t.Fatalf("%d of the cases came to a report; they are not what they were", analysed)
	}
	if all["hostile"] = analyse([]byte(hostile)); all["hostile"] == nil {
		t.Fatal("the hostile alert does not match")
	}
	return all
}

// analysis returns what makes a report of an alert, or nil if the alert is malformed or does not
// match.
func analysis(t *testing.T) func(alert []byte) *report.Report {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	config := match.DefaultConfig()
	set, err := match.New(base, config, func(rule string, err error) { t.Errorf("rule %s: %v", rule, err) })
	if err != nil {
		t.Fatal(err)
	}
	analyzer, err := analyze.New(base, config, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return func(alert []byte) *report.Report {
		e, err := event.Parse(alert, received)
		if err != nil {
			return nil
		}
		hits := set.Match(&e)
		if len(hits) == 0 {
			return nil
		}
		return analyzer.Report(&e, hits)
	}
}

// alerts reads lines of the form {"id", "event"}.
func alerts(t *testing.T, path string) map[string]json.RawMessage {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]json.RawMessage{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			ID    string
			Event json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[line.ID] = line.Event
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// filled returns a report of which no part is empty. It is built by reflection, so that a new part
// is in it without a change here.
func filled(t *testing.T) *report.Report {
	t.Helper()
	var r report.Report
	fill(t, reflect.ValueOf(&r).Elem(), "report")
	r.Event.SetField("proc.exepath", "memfd:\xff")
	return &r
}

// fill sets v, and everything that can be set in it, to something that is not its zero value.
func fill(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(received))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(path)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() {
				fill(t, field, path+"."+f.Name)
			}
		}
	default:
		t.Fatalf("%s: this test can not fill a %s", path, v.Type())
	}
}
