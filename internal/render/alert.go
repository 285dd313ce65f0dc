package render

import (
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// fields is the whole alert but for its output line.
func fields(r *report.Report) []block {
	e := r.Event
	if e == nil {
		return nil
	}
	t := table{columns: []column{{title: "Name"}, {title: "Value"}}}
	add := func(name, val string) {
		if val != "" {
			t.rows = append(t.rows, []cell{{label(name)}, {data(val)}})
		}
	}
	add("rule", e.Rule)
	add("priority", e.Priority.String())
	if !e.Time.IsZero() {
		add("time", event.FormatTime(e.Time))
	}
	add("hostname", e.Hostname)
	add("source", e.Source)
	if len(e.Tags) > 0 {
		t.rows = append(t.rows, []cell{{label("tags")}, {tags(e)}})
	}
	for name, val := range e.Fields() {
		add(name, val)
	}
	return []block{t}
}

// tags are the rule's, so that they can share a line.
func tags(e *event.Event) line {
	var l line
	for i, tag := range e.Tags {
		if i > 0 {
			l = append(l, words(", "))
		}
		l = append(l, data(tag)...)
	}
	return l
}

func output(r *report.Report) []block {
	if r.Event == nil || r.Event.Output == "" {
		return nil
	}
	text, note := shown(r.Event.Output, longestOutput)
	blocks := []block{verbatim{lines: []string{text}, wrap: true}}
	if note != "" {
		blocks = append(blocks, paragraph{line{words(note)}})
	}
	return blocks
}

func footer(r *report.Report) []block {
	by := "Automatically generated"
	if r.Kind == report.KindAlert {
		by += " from one alert"
	}
	if v := r.Analysis.Version; v != "" {
		by += " by filelessd " + v
	}
	if k := r.Analysis.Knowledge; k != "" {
		by += " with knowledge " + k
	}
	l := line{words(by + ".")}
	if r.Event != nil {
		l = append(l, words(" Values from the alert are untrusted input and shown as data; characters that can not be seen are escapes, such as "),
			span{value, `\n`}, words(" or "), span{value, `\u202e`}, words("."))
	}
	return []block{divider{}, paragraph{l}}
}
