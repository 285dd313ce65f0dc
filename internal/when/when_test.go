package when

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// alert is an event with a field of every kind of trouble: unknown, not UTF-8, with a line break.
func alert() *event.Event {
	e := &event.Event{
		Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Rule: event.StockMemfdRule, Priority: event.Critical,
		Source: event.DefaultSource, Hostname: "node-1", Output: "…", Tags: []string{"container", "T1620"},
	}
	for _, f := range [][2]string{
		{"proc.name", "3"}, {"proc.exepath", "memfd:a\xff\xfe\n"}, {"proc.pid", "4711"}, {"k8s.ns.name", "shop"},
		{"container.image.digest", "<NA>"},
	} {
		e.SetField(f[0], f[1])
	}
	e.ID()
	return e
}

func highReport() *report.Report {
	e := alert()
	return &report.Report{
		ID: e.ID(), Kind: report.KindAlert, Event: e, Technique: "memfd_exec", Verdict: report.Suspicious,
		Confidence: report.MediumConfidence, Severity: report.High, Score: 55,
	}
}

func TestReport(t *testing.T) {
	loss := &report.Report{ID: "l", Kind: report.KindLoss, Severity: report.High}
	bare := &report.Report{}
	tests := []struct {
		expression string
		report     *report.Report
		want       bool
	}{
		{"", highReport(), true},
		{" \n\t", highReport(), true},
		{"true", highReport(), true},
		{"severity >= high", highReport(), true},
		{"severity > high", highReport(), false},
		{"medium < severity <= high", highReport(), true},
		{"high == severity", highReport(), true},
		{"severity in [info, high]", highReport(), true},
		{"severity not in [high, critical]", highReport(), false},
		{"severity < info", bare, true},
		{"severity < info", loss, false},
		{`severity >= high && fields["k8s.ns.name"] != "sandbox"`, highReport(), true},
		{`severity >= high && fields["k8s.ns.name"] != "shop"`, highReport(), false},
		{`fields["k8s.ns.name"] == ""`, loss, true},
		{`fields["container.image.digest"] == ""`, highReport(), true},
		{`"container.image.digest" in fields`, highReport(), false},
		{`"proc.pid" in fields && "proc.ppid" not in fields`, highReport(), true},
		{`fields["proc." + "pid"] == "4711"`, highReport(), true},
		{`len(fields) == 4`, highReport(), true},
		{`len(fields) == 0 and len(tags) == 0`, loss, true},
		{`any(tags, # == "x") or "x" in tags or rule in tags or count(tags, true) > 0 or any(tags, # in fields)`, loss, false},
		{`none(tags, true) and all(tags, false) and not one(tags, # == "x")`, loss, true},
		{`int(fields["proc.pid"]) > 4000`, highReport(), true},
		{`fields["proc.exepath"] matches "^/?memfd:"`, highReport(), true},
		{`fields["proc.exepath"] contains "` + "\xff" + `"`, highReport(), false}, // read as U+FFFD
		{`upper(fields["proc.exepath"]) startsWith "MEMFD:A"`, highReport(), true},
		{`"T1620" in tags`, highReport(), true},
		{`any(tags, # startsWith "T1")`, highReport(), true},
		{`none(tags, # startsWith "T1") || count(tags, len(#) > 5) > 1`, highReport(), false},
		{`rule in ["a", "Fileless execution via memfd_create"]`, highReport(), true},
		{`kind == "alert" && priority == "Critical" && source == "syscall" && hostname == "node-1"`, highReport(), true},
		{`technique == "memfd_exec" && verdict == "suspicious" && confidence == "medium" && score >= 55`, highReport(), true},
		{`score > 54.5 ? true : false`, highReport(), true},
		{`kind == "loss" && rule == "" && priority == "" && technique == "" && verdict == "" && score == 0`, loss, true},
		{`not (rule contains "memfd")`, highReport(), false},
	}
	for _, test := range tests {
		p, err := Compile(test.expression)
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		if got, err := p.Report(test.report); err != nil || got != test.want {
			t.Errorf("%s of a %s: got %v, %v, want %v", test.expression, test.report.Kind, got, err, test.want)
		}
	}
}

func TestEvent(t *testing.T) {
	tests := []struct {
		expression string
		want       bool
	}{
		{"", true},
		{`rule == "Fileless execution via memfd_create" && kind == "alert"`, true},
		{`technique == "" && verdict == "" && confidence == "" && severity < info && score == 0`, true},
		{`id == "` + alert().ID() + `"`, true},
		{`id == ""`, false},
		{`fields["proc.pid"] == "4711" and "container" in tags`, true},
		{`len(tags) > 2`, false},
	}
	for _, test := range tests {
		p, err := Compile(test.expression)
		if err != nil {
			t.Fatalf("%s: %v", test.expression, err)
		}
		if got, err := p.Event(alert()); err != nil || got != test.want {
			t.Errorf("%s: got %v, %v, want %v", test.expression, got, err, test.want)
		}
	}
}

func TestNoProgram(t *testing.T) {
	var p *Program
	if ok, err := p.Report(highReport()); !ok || err != nil {
		t.Errorf("Report: %v, %v", ok, err)
	}
	if ok, err := p.Event(alert()); !ok || err != nil {
		t.Errorf("Event: %v, %v", ok, err)
	}
	if names, computed := p.Fields(); names != nil || computed {
		t.Errorf("Fields: %v, %v", names, computed)
	}
	if p.String() != "" || p.Techniques() != nil || p.Reads("rule") {
		t.Errorf("String: %q, Techniques: %v", p, p.Techniques())
	}
}

// TestEvaluationError makes sure that what an attacker wrote into an alert can not spoil a log.
func TestEvaluationError(t *testing.T) {
	p, err := Compile(`true && int(fields["proc.exepath"]) > 1`)
	if err != nil {
		t.Fatal(err)
	}
	e := &event.Event{}
	e.SetField("proc.exepath", "\x1b[31m\n"+strings.Repeat("a", 5000))
	_, err = p.Event(e)
	if err == nil {
		t.Fatal("no error")
	}
	const want = `when: column 9: invalid operation: int(`
	if got := err.Error(); !strings.HasPrefix(got, want) || len(got) > 300 || strings.ContainsAny(got, "\x1b\n") {
		t.Errorf("got %q, want one short line that begins with %q", got, want)
	}
}

func TestFields(t *testing.T) {
	tests := []struct {
		expression string
		fields     []string
		computed   bool
	}{
		{`severity >= high`, nil, false},
		{`fields["proc.name"] == "x" or "a.b" in fields or fields["proc.name"] == "y"`, []string{"a.b", "proc.name"}, false},
		{`any(tags, fields[#] == "x") and fields.home == ""`, []string{"home"}, true},
		{`len(fields) > 1`, nil, true},
		{`rule in fields`, nil, true},
	}
	for _, test := range tests {
		p, err := Compile(test.expression)
		if err != nil {
			t.Fatalf("%s: %v", test.expression, err)
		}
		if fields, computed := p.Fields(); !cmp.Equal(fields, test.fields) || computed != test.computed {
			t.Errorf("%s: got %v, %v, want %v, %v", test.expression, fields, computed, test.fields, test.computed)
		}
	}
}

func TestTechniques(t *testing.T) {
	p, err := Compile(`technique == "memfd_exec" || "" != technique ||` + "\n" + ` technique in ["a", "b"]`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Literal{{"memfd_exec", 1, 14}, {"a", 2, 16}, {"b", 2, 21}}
	if diff := cmp.Diff(want, p.Techniques()); diff != "" {
		t.Error(diff)
	}
}

func TestReads(t *testing.T) {
	p, err := Compile(`severity >= high and "x" in fields`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		if got, want := p.Reads(name), name == "severity" || name == "fields"; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestEventReadsLittle holds what an expression costs for the alerts that are not ours: the fields
// of an alert are only gathered, and its ID only computed, by an expression that reads them.
func TestEventReadsLittle(t *testing.T) {
	for expression, most := range map[string]float64{
		`rule == "x" && source == "syscall"`: 8,
		`fields["k8s.ns.name"] == "x"`:       10,
	} {
		p, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		e := largeEvent()
		if got := testing.AllocsPerRun(100, func() { _, _ = p.Event(e) }); got > most {
			t.Errorf("%s: %v allocations, want at most %v", expression, got, most)
		}
	}
}

func largeEvent() *event.Event {
	e := alert()
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		e.SetField("proc."+string(c), "value")
	}
	e.Normalise()
	return e
}

func BenchmarkEvent(b *testing.B) {
	for _, bench := range []struct{ name, expression string }{
		{"rule", `rule == "x" && source == "syscall"`},
		{"field", `fields["k8s.ns.name"] == "x"`},
		{"all fields", `fields["k8s" + ".ns.name"] == "x"`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := Compile(bench.expression)
			if err != nil {
				b.Fatal(err)
			}
			e := largeEvent()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Event(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReport(b *testing.B) {
	p, err := Compile(`severity >= high && fields["k8s.ns.name"] != "sandbox"`)
	if err != nil {
		b.Fatal(err)
	}
	r := highReport()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Report(r); err != nil {
			b.Fatal(err)
		}
	}
}
