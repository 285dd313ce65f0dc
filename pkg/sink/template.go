package sink

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// FormatTemplate is the format of an Output whose text the operator writes.
const FormatTemplate = "template"

// Output is the part of a sink's configuration that says how a report is written, for sinks that
// take any text. It is embedded, so that its keys stand beside the sink's own:
//
//	type Config struct {
//		Path        string `yaml:"path"`
//		sink.Output `yaml:",inline"`
//	}
type Output struct {
	// Format of a report: markdown, text, html, or as one line json, ecs, ocsf or cef; template for
	// that of the next key.
	Format string `yaml:"format"`
	// Template is a text/template of Go for format: template, such as {{.Headline}} or
	// {{.Field "proc.cmdline"}}; the README has its names. $$ stands for a dollar.
	Template string `yaml:"template"`
}

// maxTemplateOutput bounds what a template makes of one report. It bounds the time of what writes, too.
const maxTemplateOutput = 1 << 20

// Validate checks the format, and tries the template on a report of each kind.
func (o Output) Validate() error {
	if o.Format != FormatTemplate {
		err := checkFormat("format", o.Format, append(Formats(), FormatTemplate))
		if o.Template != "" {
			err = errors.Join(err, errors.New("template: goes with format: template"))
		}
		return err
	}
	if strings.TrimSpace(o.Template) == "" {
		return errors.New("template: missing; format: template needs it")
	}
	_, err := o.parse()
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

// OneLine reports whether a report is one line without a newline whatever it says. Of a template see
// Line.
func (o Output) OneLine() bool { return OneLine(o.Format) }

// Render returns what writes a report, for a sink that takes text of any form. What a template takes
// from the report is printable and stays on its line; newlines are those of the template, and
// multi-line commands show theirs as \n.
func (o Output) Render(env Env) (func(*report.Report) ([]byte, error), error) {
	return o.render(env, false)
}

// Line is Render for a medium that is made of lines, such as a syslog message or a line of a file: each
// newline of a template becomes a blank. Other formats than those of OneLine are refused.
func (o Output) Line(env Env) (func(*report.Report) ([]byte, error), error) {
	return o.render(env, true)
}

func (o Output) render(env Env, line bool) (func(*report.Report) ([]byte, error), error) {
	if o.Format != FormatTemplate {
		if line && !o.OneLine() {
			return nil, fmt.Errorf("format: %s has several lines", o.Format)
		}
		return func(r *report.Report) ([]byte, error) { return env.Render(o.Format, r) }, nil
	}
	t, err := o.parse()
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return func(r *report.Report) ([]byte, error) {
		text, err := execute(t, r)
		if line {
			text = bytes.Join(bytes.Fields(text), []byte(" "))
		}
		return text, err
	}, nil
}

// parse also runs the template, so that a wrong name shows when the configuration is checked.
func (o Output) parse() (*template.Template, error) {
	t, err := template.New("template").Funcs(templateFuncs()).Option("missingkey=zero").Parse(o.Template)
	if err != nil {
		return nil, templateError(err)
	}
	for _, part := range t.Templates() {
		if err := checkNodes(part.Root); err != nil {
			return nil, err
		}
	}
	for _, r := range templateSamples() {
		if _, err := execute(t, r); err != nil {
			return nil, fmt.Errorf("on a report of kind %s: %w", r.Kind, err)
		}
	}
	return t, nil
}

func execute(t *template.Template, r *report.Report) ([]byte, error) {
	w := bounded{}
	if err := t.Execute(&w, newTemplateData(r)); err != nil {
		return nil, templateError(err)
	}
	return w.Bytes(), nil
}

// templateError is err without the name of the template, which is always the same: "line 3: ...".
func templateError(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	text = strings.TrimPrefix(text, "template:")
	return errors.New("line " + text)
}

// bounded is a buffer that takes no more than maxTemplateOutput.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxTemplateOutput {
		return 0, fmt.Errorf("more than %d bytes", maxTemplateOutput)
	}
	return b.Buffer.Write(p)
}

// checkNodes refuses what can take long without writing anything: a template that calls a template,
// which may be itself, and a range over a number.
func checkNodes(n parse.Node) error {
	lists := []*parse.ListNode{}
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := checkNodes(child); err != nil {
				return err
			}
		}
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: {{template}} is not for these templates", n.Line)
	case *parse.RangeNode:
		if strings.IndexFunc(n.Pipe.String(), func(r rune) bool { return r >= '0' && r <= '9' }) >= 0 {
			return fmt.Errorf("line %d: {{range}} takes a list, and no number", n.Line)
		}
		lists = append(lists, n.List, n.ElseList)
	case *parse.IfNode:
		lists = append(lists, n.List, n.ElseList)
	case *parse.WithNode:
		lists = append(lists, n.List, n.ElseList)
	}
	for _, list := range lists {
		if list != nil {
			if err := checkNodes(list); err != nil {
				return err
			}
		}
	}
	return nil
}

// TemplateData is what a template sees of a report. It is a copy, in which all that could not be seen
// is an escape, as report.Visible has it: a template can neither change the report nor let a value of
// the alert end a line.
type TemplateData struct {
	Brief        // Headline, Severity, Facts (Label, Field, Value), Summary, Action, Commands, Next, Unknown, Attack, ID
	Kind         report.Kind
	Title        string
	CreatedAt    time.Time
	Version      string // of filelessd
	Technique    report.Technique
	Also         []report.Technique
	Verdict      report.Verdict
	Confidence   report.Confidence
	Score        int
	About        []string
	Group        report.Group // empty for most alerts
	Factors      []report.Factor
	Findings     []report.Finding
	Explanations []report.Explanation
	Unknowns     []report.Unknown
	Actions      []report.Action
	Rule         string
	Priority     string
	Source       string
	Hostname     string
	Output       string
	Tags         []string
	Time         time.Time // of the event; zero if the alert does not tell
	fields       *event.Event
}

// Field returns the first of the event's fields that is known, empty for none.
func (d TemplateData) Field(names ...string) string {
	if d.fields == nil {
		return ""
	}
	value, _ := d.fields.Field(names...)
	return report.Visible(value)
}

func newTemplateData(r *report.Report) TemplateData {
	d := TemplateData{
		Brief: NewBrief(r), Kind: r.Kind, Title: r.Title, CreatedAt: r.CreatedAt, Version: r.Analysis.Version,
		Technique: r.Technique, Also: r.Also, Verdict: r.Verdict, Confidence: r.Confidence, Score: r.Score, About: r.About,
		Factors: r.Factors, Findings: r.Findings, Explanations: r.Explanations, Unknowns: r.Unknowns, Actions: r.Actions,
	}
	if r.Group != nil {
		d.Group = *r.Group
	}
	if e := r.Event; e != nil {
		d.Rule, d.Source, d.Hostname, d.Output, d.Tags, d.Time = e.Rule, e.Source, e.Hostname, e.Output, e.Tags, e.Time
		d.Priority, d.fields = e.Priority.String(), e
	}
	seen, _ := visible(reflect.ValueOf(d)).Interface().(TemplateData)
	return seen
}

// visible returns a copy of v in which every string of an exported field is visible.
func visible(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch v.Kind() {
	case reflect.String:
		c.SetString(report.Visible(v.String()))
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(visible(v.Index(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				c.Field(i).Set(visible(v.Field(i)))
			}
		}
	}
	return c
}
