package alertmanager

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// alert is a postableAlert of the API.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// The labels that filelessd sets itself.
const (
	labelAlert     = "alertname"
	labelSeverity  = "severity"
	labelVerdict   = "verdict"
	labelTechnique = "technique"
	labelHostname  = "hostname"
	labelNamespace = "namespace"
	labelContainer = "container"
	labelAbout     = "about"
)

var ownLabels = []string{
	labelAlert, labelSeverity, labelVerdict, labelTechnique, labelHostname, labelNamespace, labelContainer, labelAbout,
}

// Alertmanager itself has no limits; those of what it notifies, such as chats, are of this size.
const (
	maxLabel       = 128
	maxAnnotation  = 1000
	maxDescription = 3000
)

// alertNames are stable: people write routes and silences with them.
var alertNames = map[report.Kind]string{
	report.KindSuppression: "FilelessdSuppression",
	report.KindLoss:        "FilelessdLoss",
	report.KindQuiet:       "FilelessdQuiet",
	report.KindTest:        "FilelessdTest",
}

// alert is what r becomes. An alert is not over when it was delivered late, so its end counts from now;
// with an end that is past, Alertmanager would take it and notify nobody.
func (a *alertmanager) alert(r *report.Report, thread string, now time.Time) alert {
	made := alert{
		Labels: a.labels(r, thread), Annotations: a.annotations(r),
		StartsAt: startOf(r, now), EndsAt: now.Add(a.config.Lasts).UTC(),
	}
	if a.config.Link != "" {
		made.GeneratorURL = sink.LinkTo(r, a.config.Link)
	}
	return made
}

// startOf is when what r tells of began. A clock that is ahead must not put it behind the end.
func startOf(r *report.Report, now time.Time) time.Time {
	start := r.CreatedAt
	switch {
	case r.Kind == report.KindSummary && r.Group != nil && !r.Group.FirstTime.IsZero():
		start = r.Group.FirstTime
	case r.Event != nil && !r.Event.Time.IsZero():
		start = r.Event.Time
	}
	if start.IsZero() || start.After(now) {
		start = now
	}
	return start.UTC()
}

// labels are what makes two reports one alert, so that nothing of a single process is in them.
func (a *alertmanager) labels(r *report.Report, thread string) map[string]string {
	labels := maps.Clone(a.config.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	set := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			labels[name] = fit(value, maxLabel)
		}
	}
	name := alertNames[r.Kind]
	if name == "" {
		name = "FilelessExecution"
	}
	set(labelAlert, name)
	set(labelSeverity, string(r.Severity))
	set(labelVerdict, string(r.Verdict))
	set(labelTechnique, string(r.Technique))
	if r.Event != nil {
		set(labelHostname, r.Event.Hostname)
		set(labelNamespace, field(r.Event, "k8s.ns.name"))
		set(labelContainer, containerOf(r.Event))
	}
	switch r.Kind {
	case report.KindLoss, report.KindQuiet, report.KindTest: // names of the configuration
		set(labelAbout, strings.Join(r.About, ", "))
	}
	if a.config.ThreadLabel != "" {
		set(a.config.ThreadLabel, thread)
	}
	return labels
}

// containerOf is the container's name, which outlives a restart as the id does not. The host has none.
func containerOf(e *event.Event) string {
	if field(e, "container.id") == "host" {
		return ""
	}
	return field(e, "container.name")
}

func field(e *event.Event, name string) string {
	value, _ := e.Field(name)
	return value
}

// annotationNames are those of the facts that have an annotation of their own, for templates.
var annotationNames = map[string]string{
	sink.LabelScore: "score", sink.LabelConfidence: "confidence", sink.LabelAlerts: "alerts",
	sink.LabelPod: "pod", sink.LabelContainer: "container", sink.LabelImage: "image",
	sink.LabelCommand: "command_line", sink.LabelProgram: "program", sink.LabelParent: "parent",
	sink.LabelUser: "user", sink.LabelRule: "rule", sink.LabelTime: "time", sink.LabelFirst: "first",
	sink.LabelLast: "last", sink.LabelHosts: "hosts", sink.LabelContainers: "containers", sink.LabelAbout: "about",
}

// annotations are for people: summary and description as rules of Prometheus have them, and facts one
// by one for whoever writes a template.
func (a *alertmanager) annotations(r *report.Report) map[string]string {
	b := sink.NewBrief(r)
	notes := map[string]string{
		"summary":      fit(b.Headline, 250),
		"description":  a.description(r, b),
		"kind":         string(r.Kind),
		"report_id":    fit(r.ID, maxAnnotation),
		"whole_report": fit(strings.TrimPrefix(sink.Where(r, a.config.Link), "whole report: "), maxAnnotation),
	}
	set := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			notes[name] = fit(value, maxAnnotation)
		}
	}
	for _, f := range b.Facts {
		set(annotationNames[f.Label], f.Value)
	}
	delete(notes, "") // facts that are labels
	set("first_action", b.Action)
	set("attack", strings.Join(b.Attack, ", "))
	if b.Unknown > 0 {
		set("unknown", strconv.Itoa(b.Unknown))
	}
	return notes
}

// description is all of it in one text. What to do first stands after what happened where.
func (a *alertmanager) description(r *report.Report, b sink.Brief) string {
	b.Commands = shortCommands(b.Commands)
	pieces := b.Pieces(nil)[1:] // the headline is the summary
	return strings.TrimSuffix(sink.Fit{
		Limit: maxDescription, Measure: sink.Runes, Where: sink.Where(r, a.config.Link),
	}.Text(pieces), "\n")
}

// shortCommands are those that can be read in a message and typed off it. The others are scripts of many
// lines, which are worth nothing on one.
func shortCommands(all []string) []string {
	var short []string
	for _, c := range all {
		if len(c) <= 200 && !strings.Contains(c, "\n") {
			short = append(short, c)
		}
	}
	return short
}

// fit is text that shows, cut to that many characters. What Fit would note of it is left off: that a cut
// value was cut shows, and the description says where the whole is.
func fit(text string, limit int) string {
	const note = "\x00" // which text that shows does not have
	text, _, _ = strings.Cut(sink.Fit{Limit: limit, Measure: sink.Runes, NoteBefore: note}.
		Text([]sink.Piece{{Text: text, Required: true}}), note)
	return text
}
