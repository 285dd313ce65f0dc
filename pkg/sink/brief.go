package sink

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// A Brief is the short view of a report, for media with little room: what a responder asks first
// comes first.
//
// All text is as the report has it, which means as an attacker wrote it: the headline and the summary
// quote the alert as the facts do. The sink escapes each string for its medium, alone or through
// a Fit. Nothing in a Brief is empty but for lists and for strings that say so.
type Brief struct {
	// Headline is one line in most reports, and can be long: the verdict, what happened, and where.
	// Of a report without a verdict it begins with the kind.
	Headline string
	// Severity is empty if the report has none.
	Severity report.Severity
	// Facts are in the order of importance to whoever has to act. None has an empty value.
	Facts []Fact
	// Summary is a paragraph; it can be empty.
	Summary string
	// Action is the title of what to do first, empty if there is nothing to do. Commands are its
	// commands, each of which can have several lines.
	Action   string
	Commands []string
	// Next are the titles of the actions that follow.
	Next []string
	// Unknown counts what the alert does not say.
	Unknown int
	// Attack are the techniques of MITRE ATT&CK, such as "T1620 Reflective Code Loading".
	Attack []string
	// ID is the report's.
	ID string
}

// A Fact is one line of a Brief.
type Fact struct {
	Label string // ours: plain words such as "Command line"
	Field string // the field of the event that the value is from; empty if it is from none
	Value string
}

// The labels of a Brief, by which a sink can treat a fact or a piece as something special.
const (
	LabelHeadline   = "Headline"
	LabelVerdict    = "Verdict"
	LabelScore      = "Score"
	LabelConfidence = "Confidence"
	LabelSeverity   = "Severity"
	LabelAlerts     = "Alerts"
	LabelHost       = "Host"
	LabelPod        = "Pod"
	LabelContainer  = "Container"
	LabelImage      = "Image"
	LabelCommand    = "Command line"
	LabelProgram    = "Program"
	LabelParent     = "Parent"
	LabelUser       = "User"
	LabelRule       = "Rule"
	LabelTime       = "Time"
	LabelFirst      = "First"
	LabelLast       = "Last"
	LabelHosts      = "Hosts"
	LabelContainers = "Containers"
	LabelTechnique  = "Technique"
	LabelAbout      = "About"
	LabelWritten    = "Written"
	LabelSummary    = "Summary"
	LabelAction     = "Do first"
	LabelRun        = "Run"
	LabelNext       = "Then"
	LabelUnknown    = "Not known"
	LabelAttack     = "MITRE ATT&CK"
	LabelID         = "ID"
)

// NewBrief returns the short view of a report of any kind.
func NewBrief(r *report.Report) Brief {
	b := Brief{
		Headline: headline(r), Severity: r.Severity, Facts: facts(r), Summary: strings.TrimSpace(r.Summary),
		Unknown: len(r.Unknowns), ID: r.ID,
	}
	for i, a := range r.Actions {
		if i == 0 {
			b.Action, b.Commands = a.Title, append([]string(nil), a.Commands...)
			continue
		}
		b.Next = append(b.Next, a.Title)
	}
	for _, a := range r.Attack {
		b.Attack = append(b.Attack, strings.TrimSpace(a.ID+" "+a.Name))
	}
	return b
}

func headline(r *report.Report) string {
	title := strings.TrimSpace(r.Title)
	if title == "" {
		title = string(r.Technique)
		if r.Event != nil && r.Event.Hostname != "" {
			title = strings.TrimSpace(title + " on " + strconv.Quote(r.Event.Hostname))
		}
	}
	first := r.Kind.Words()
	if r.Verdict != "" {
		first, _, _ = strings.Cut(r.Verdict.Words(r.Confidence), ".")
	}
	if title == "" {
		return first
	}
	return first + ": " + title
}

// factList gathers facts, and leaves out what is not known.
type factList []Fact

func (l *factList) add(label, field, value string) {
	if strings.TrimSpace(value) != "" {
		*l = append(*l, Fact{Label: label, Field: field, Value: value})
	}
}

// first adds the first of the fields that the event has.
func (l *factList) first(label string, e *event.Event, fields ...string) {
	for _, field := range fields {
		if value, ok := e.Field(field); ok && strings.TrimSpace(value) != "" {
			l.add(label, field, value)
			return
		}
	}
}

func facts(r *report.Report) []Fact {
	var l factList
	l.add(LabelVerdict, "", string(r.Verdict))
	if r.Verdict != "" && (r.Score != 0 || len(r.Factors) > 0) {
		l.add(LabelScore, "", fmt.Sprintf("%d of 100", r.Score))
	}
	l.add(LabelConfidence, "", string(r.Confidence))
	l.add(LabelSeverity, "", string(r.Severity))
	if r.Group != nil {
		l.add(LabelAlerts, "", strconv.Itoa(r.Group.Count))
	}
	if r.Event != nil {
		l.ofEvent(r.Event)
	}
	l.ofGroup(r.Group)
	l.add(LabelTechnique, "", string(r.Technique))
	if r.Kind != report.KindAlert {
		l.add(LabelAbout, "", named(r.About))
	}
	if r.Event == nil && !r.CreatedAt.IsZero() {
		l.add(LabelWritten, "", Instant(r.CreatedAt))
	}
	if len(l) == 0 {
		l.add(LabelID, "", r.ID)
	}
	return l
}

func (l *factList) ofEvent(e *event.Event) {
	l.add(LabelHost, "hostname", e.Hostname)
	if pod, ok := e.Field("k8s.pod.name"); ok {
		if ns, ok := e.Field("k8s.ns.name"); ok {
			pod = ns + "/" + pod
		}
		l.add(LabelPod, "k8s.pod.name", pod)
	}
	l.container(e)
	l.first(LabelCommand, e, "proc.cmdline", "proc.args")
	l.first(LabelProgram, e, "proc.exepath", "proc.name")
	l.first(LabelParent, e, "proc.pexepath", "proc.pname")
	l.first(LabelUser, e, "user.name", "user.uid")
	l.add(LabelRule, "rule", e.Rule)
	if !e.Time.IsZero() {
		l.add(LabelTime, "time", Instant(e.Time))
	}
}

// container tells nothing of the image on a host, where Falco calls every container field "host".
func (l *factList) container(e *event.Event) {
	id, _ := e.Field("container.id")
	if id == "host" {
		l.add(LabelContainer, "container.id", "none: on the host itself")
		return
	}
	name, named := e.Field("container.name")
	switch {
	case named && id != "":
		l.add(LabelContainer, "container.name", name+" ("+id+")")
	case named:
		l.add(LabelContainer, "container.name", name)
	default:
		l.add(LabelContainer, "container.id", id)
	}
	if image, ok := e.Field("container.image.repository"); ok {
		if tag, ok := e.Field("container.image.tag"); ok {
			image += ":" + tag
		}
		l.add(LabelImage, "container.image.repository", image)
	}
}

func (l *factList) ofGroup(g *report.Group) {
	if g == nil {
		return
	}
	if !g.FirstTime.IsZero() {
		l.add(LabelFirst, "", Instant(g.FirstTime))
	}
	if !g.LastTime.IsZero() {
		l.add(LabelLast, "", Instant(g.LastTime))
	}
	l.add(LabelHosts, "", named(g.Hosts))
	l.add(LabelContainers, "", named(g.Containers))
}

// named lists a few names and counts the others.
func named(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Instant is how a time is written in a short text: in UTC, to the millisecond. The whole report has
// all digits.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") + " UTC" }
