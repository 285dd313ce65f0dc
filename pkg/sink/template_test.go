package sink_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func written(t *testing.T, text string, r *report.Report) string {
	t.Helper()
	render, err := sink.Output{Format: "template", Template: text}.Render(sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	out, err := render(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTemplate(t *testing.T) {
	r := sinktest.Ordinary()
	for text, want := range map[string]string{
		`{{.Verdict}} {{.Score}} {{.Hostname | upper}}`:                              "suspicious 55 NODE-1",
		`{{.Field "proc.cmdline"}}|{{.Field "no.such"}}|{{.Field "x" "proc.name"}}`:  "3 --quiet||3",
		`{{range .Facts}}{{if eq .Label "Host"}}{{.Field}}={{.Value}}{{end}}{{end}}`: "hostname=node-1",
		`{{.Title | trunc 8}} {{quote .Action}} {{json .Tags}}`:                      `Program… "Keep the program" ["host","container","process"]`,
		`{{rfc3339 .Time}} {{date "15:04" .CreatedAt}} {{unix .CreatedAt}}`:          "2026-03-01T11:59:59.123456789Z 12:00 1772366400",
		`{{join ", " .Attack}} {{.Group.Count}} {{.Group.Key | default "none"}}`:     "T1620 Reflective Code Loading 0 none",
		`{{printf "%03d" .Score}}{{oneline "a  b"}}{{lower "X"}}`:                    "055a bx",
	} {
		if got := written(t, text, r); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestTemplatesThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                "template: missing",
		"a\n{{.Nothing}}": "template: on a report of kind alert: line 2",
		"a\n\n{{if}}":     "template: line 3: missing value for if",
		`{{env "HOME"}}`:  `template: line 1: function "env" not defined`,
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "{{template}} is not for these templates",
		`{{range 1000000000}}{{end}}`:                           "{{range}} takes a list",
		`{{printf "%9999999d" 1}}`:                              "more than three digits",
		`{{.Event.SetField "a" "b"}}`:                           "can't evaluate field Event",
		`{{call .Title}}`:                                       "template: ",
	} {
		err := sink.Output{Format: "template", Template: text}.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "template: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for want, o := range map[string]sink.Output{
		`format: unknown format "xml"; known are`: {Format: "xml"}, "template: goes with format: template": {Format: "json", Template: "x"},
	} {
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := (sink.Output{Format: "cef"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestTemplateKeepsValuesOnTheirLine(t *testing.T) {
	const text = `{{.Title}}|{{.Summary}}|{{.Rule}}|{{.Field "proc.name"}}|{{join "," .Tags}}|{{range .Commands}}{{.}}{{end}}|{{range .Findings}}{{.Statement}}{{end}}|{{json .Findings}}`
	r := sinktest.Hostile()
	got := written(t, text, r)
	if report.Visible(got) != got {
		t.Errorf("not one visible line: %.500q", got)
	}
	if !reflect.DeepEqual(r, sinktest.Hostile()) {
		t.Error("the report was changed")
	}
}

func TestTemplateAsALine(t *testing.T) {
	o := sink.Output{Format: "template", Template: "a\n{{.Kind}}\n\nb\n"}
	render, err := o.Line(sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := render(sinktest.Loss()); err != nil || string(got) != "a loss b" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (sink.Output{Format: "html"}).Line(sinktest.Env()); err == nil {
		t.Error("html is a line")
	}
}

func TestTemplateIsBounded(t *testing.T) {
	render, err := sink.Output{Format: "template", Template: strings.Repeat(`{{.Field "proc.cmdline"}}`, 3)}.Render(sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := render(sinktest.Hostile()); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{{.Title}}{{range .Facts}}{{.Label}}{{end}}`)
	f.Fuzz(func(_ *testing.T, text string) {
		_ = sink.Output{Format: "template", Template: text}.Validate()
	})
}
