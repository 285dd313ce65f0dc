package falcosidekick

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// alert is what Falcosidekick reads: an alert as Falco's json_output writes it.
//
// All of output_fields are strings. Several of Falcosidekick's outputs take them to be, and it ends with a
// panic where k8s.ns.name is none.
type alert struct {
	Output   string            `json:"output"`
	Priority string            `json:"priority"`
	Rule     string            `json:"rule"`
	Time     time.Time         `json:"time"`
	Fields   map[string]string `json:"output_fields"`
	Source   string            `json:"source"`
	Tags     []string          `json:"tags"`
	Hostname string            `json:"hostname,omitempty"`
}

const (
	// source is not syscall, so that a filelessd which Falcosidekick's webhook output posts to does not
	// take its own report for an alert, and report on it again, without end.
	source = "filelessd"

	longestOutput = 500      // some outputs cut what is longer
	longestField  = 1024     // as of a text in most of what is behind Falcosidekick
	mostFields    = 16 << 10 // of all of the alert's fields together
)

func alertOf(r *report.Report, link string) ([]byte, error) {
	a := alert{
		Output: output(r), Priority: priority(r.Severity), Rule: "filelessd " + string(r.Kind), Time: r.CreatedAt.UTC(),
		Fields: fieldsOf(r, link), Source: source, Tags: []string{"filelessd"},
	}
	if e := r.Event; e != nil {
		if strings.TrimSpace(e.Rule) != "" {
			a.Rule = shown(e.Rule)
		}
		if !e.Time.IsZero() {
			a.Time = e.Time.UTC()
		}
		a.Hostname = shown(e.Hostname)
	}
	for _, t := range r.Attack {
		a.Tags = append(a.Tags, shown(t.ID))
	}
	if year := a.Time.Year(); a.Time.IsZero() || year < 0 || year > 9999 { // Falcosidekick refuses it
		a.Time = time.Unix(0, 0).UTC()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the outputs escape for where they go
	if err := enc.Encode(a); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// priority is Falco's name of a severity. Alert and Emergency are left to rules that say so.
func priority(s report.Severity) string {
	switch s {
	case report.Critical:
		return "Critical"
	case report.High:
		return "Error"
	case report.Medium:
		return "Warning"
	case report.Low:
		return "Notice"
	default:
		return "Informational"
	}
}

// output is the line that outputs show: what a responder asks first, in what no output cuts.
func output(r *report.Report) string {
	pieces := sink.NewBrief(r).Pieces(func(label string) (string, string) {
		if label == sink.LabelHeadline {
			return "", " ("
		}
		return strings.ToLower(label) + `="`, `" `
	})
	var few []sink.Piece
	for _, p := range pieces {
		if slices.Contains(inOutput, p.Name) {
			few = append(few, p)
		}
	}
	fit := sink.Fit{Limit: longestOutput - len(")"), Escape: quoted, Where: "all in filelessd.report"}
	return fit.Text(few) + ")"
}

// inOutput are the pieces of output: names are labels in lower case.
var inOutput = []string{
	strings.ToLower(sink.LabelHeadline), strings.ToLower(sink.LabelScore), strings.ToLower(sink.LabelAlerts),
	strings.ToLower(sink.LabelHost), strings.ToLower(sink.LabelContainer), strings.ToLower(sink.LabelCommand),
	strings.ToLower(sink.LabelAction),
}

// quoted can not end the quotes around it.
func quoted(raw string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(report.Visible(raw))
}

// fieldsOf are output_fields: those of the alert, and ours, whose names begin with filelessd.
func fieldsOf(r *report.Report, link string) map[string]string {
	b := sink.NewBrief(r)
	fields := alertFields(r, b)
	add := func(name, value string) {
		if value = shown(value); value != "" {
			fields["filelessd."+name] = value
		}
	}
	add("id", r.ID)
	add("kind", string(r.Kind))
	add("severity", string(r.Severity))
	if r.Verdict != "" {
		add("verdict", string(r.Verdict))
		add("confidence", string(r.Confidence))
		add("score", strconv.Itoa(r.Score))
	}
	add("technique", string(r.Technique))
	add("headline", b.Headline)
	add("summary", b.Summary)
	add("action", b.Action)
	add("attack", strings.Join(b.Attack, ", "))
	if g := r.Group; g != nil {
		add("alerts", strconv.Itoa(g.Count))
	}
	if r.Kind != report.KindAlert {
		add("about", strings.Join(r.About, ", "))
	}
	add("report", strings.TrimPrefix(sink.Where(r, link), "whole report: "))
	return fields
}

// alertFields are the alert's own, those that the brief shows first, as many as there is room for. A name
// of ours is not the alert's to use.
func alertFields(r *report.Report, b sink.Brief) map[string]string {
	fields := map[string]string{}
	if r.Event == nil {
		return fields
	}
	all := r.Event.FieldMap()
	names := []string{"k8s.ns.name"}
	for _, f := range b.Facts {
		names = append(names, f.Field)
	}
	names = append(names, slices.Sorted(maps.Keys(all))...)
	room, left := mostFields, map[string]bool{}
	for _, name := range names {
		value, known := all[name]
		key := shown(name)
		if _, twice := fields[key]; !known || twice || key == "" || strings.HasPrefix(strings.ToLower(key), "filelessd") {
			continue
		}
		if value = shown(value); len(key)+len(value) > room {
			left[name] = true
			continue
		}
		room -= len(key) + len(value)
		fields[key] = value
	}
	if len(left) > 0 {
		fields["filelessd.left_out"] = fmt.Sprintf("%d fields of the alert", len(left))
	}
	return fields
}

// shown is a value in which all can be seen, and which is not too long.
func shown(raw string) string {
	const mark = "…"
	raw = strings.TrimSpace(raw)
	if len(raw) <= longestField {
		if text := report.Visible(raw); len(text) <= longestField {
			return text
		}
	}
	for end := min(len(raw), longestField-len(mark)); ; end-- {
		if end < len(raw) && !utf8.RuneStart(raw[end]) && end > 0 {
			continue
		}
		if text := report.Visible(raw[:end]) + mark; len(text) <= longestField {
			return text
		}
	}
}
