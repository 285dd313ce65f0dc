package pagerduty

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// event is the request of the API, all but the routing key.
type event struct {
	RoutingKey string  `json:"routing_key"`
	Action     string  `json:"event_action"`
	DedupKey   string  `json:"dedup_key"`
	Client     string  `json:"client"`
	ClientURL  string  `json:"client_url,omitempty"`
	Links      []link  `json:"links,omitempty"`
	Payload    payload `json:"payload"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type payload struct {
	Summary   string  `json:"summary"`
	Source    string  `json:"source"`
	Severity  string  `json:"severity"`
	Timestamp string  `json:"timestamp"`
	Component string  `json:"component,omitempty"`
	Group     string  `json:"group,omitempty"`
	Class     string  `json:"class,omitempty"`
	Details   details `json:"custom_details"`
}

// The limits of the API, in characters; what has none there gets that of a value. The whole stays far
// below the 512 KB that an event may have.
const (
	maxSummary  = 1024
	maxDedupKey = 255
	maxValue    = 1000
	maxText     = 3000
)

// severities are PagerDuty's names.
var severities = map[report.Severity]string{
	report.Critical: "critical", report.High: "error", report.Medium: "warning", report.Low: "info", report.Info: "info",
}

// event is what r becomes. Reports with one thread are one alert there, as long as it is open.
func (p *pagerduty) event(r *report.Report, thread string) event {
	b := sink.NewBrief(r)
	e := event{
		RoutingKey: string(p.config.RoutingKey), Action: "trigger", DedupKey: fit(thread, maxDedupKey), Client: "filelessd",
		Payload: payload{
			Summary: fit(b.Headline, maxSummary), Source: "filelessd", Severity: severities[r.Severity],
			Timestamp: p.timestamp(r), Class: fit(string(r.Technique), maxValue), Details: p.details(r, b),
		},
	}
	if e.Payload.Severity == "" {
		e.Payload.Severity = "warning" // a report that does not say is no reason to wake nobody
	}
	if r.Technique == "" {
		e.Payload.Class = string(r.Kind)
	}
	if p.config.Link != "" {
		e.ClientURL = sink.LinkTo(r, p.config.Link)
		e.Links = []link{{Href: e.ClientURL, Text: "The whole report"}}
	}
	if r.Event != nil {
		if strings.TrimSpace(r.Event.Hostname) != "" {
			e.Payload.Source = fit(r.Event.Hostname, maxValue)
		}
		for _, name := range []string{"container.name", "proc.name"} {
			if v, ok := r.Event.Field(name); ok && strings.TrimSpace(v) != "" && v != "host" {
				e.Payload.Component = fit(v, maxValue)
				break
			}
		}
		if v, ok := r.Event.Field("k8s.ns.name"); ok {
			e.Payload.Group = fit(v, maxValue)
		}
	}
	return e
}

// timestamp is when it happened. A clock that is wrong by centuries must not make the event invalid.
func (p *pagerduty) timestamp(r *report.Report) string {
	at := r.CreatedAt
	if r.Event != nil && !r.Event.Time.IsZero() {
		at = r.Event.Time
	}
	if now := p.now(); at.IsZero() || at.After(now) {
		at = now
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// details are the brief as PagerDuty shows it: names with values.
func (p *pagerduty) details(r *report.Report, b sink.Brief) details {
	var d details
	for _, f := range b.Facts {
		d.add(f.Label, f.Value, maxValue)
	}
	d.add(sink.LabelAction, b.Action, maxValue)
	for _, c := range b.Commands {
		if len(c) <= 200 && !strings.Contains(c, "\n") { // others are scripts, which are worth nothing on one line
			d.add(sink.LabelRun, c, maxValue)
			break
		}
	}
	d.add(sink.LabelNext, strings.Join(b.Next, "; "), maxText)
	d.add(sink.LabelSummary, b.Summary, maxText)
	d.add(sink.LabelAttack, strings.Join(b.Attack, ", "), maxValue)
	d.add(sink.LabelID, r.ID, maxValue)
	if p.config.Link == "" {
		d.add("Whole report", strings.TrimPrefix(sink.Where(r, ""), "whole report: "), maxValue)
	}
	return d
}

// details is a JSON object whose order is that of importance.
type details [][2]string

func (d *details) add(name, value string, limit int) {
	if strings.TrimSpace(value) != "" {
		*d = append(*d, [2]string{name, fit(value, limit)})
	}
}

func (d details) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, pair := range d {
		if i > 0 {
			out.WriteByte(',')
		}
		for n, text := range pair {
			data, err := json.Marshal(text)
			if err != nil {
				return nil, err
			}
			out.Write(data)
			if n == 0 {
				out.WriteByte(':')
			}
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// fit is text that shows, cut to that many characters without a note. PagerDuty makes a link of what looks
// like an address, and sends it to phones that do too.
func fit(text string, limit int) string {
	const note = "\x00" // which text that shows does not have
	text, _, _ = strings.Cut(sink.Fit{Limit: limit, Measure: sink.UTF16, Escape: visible, NoteBefore: note}.
		Text([]sink.Piece{{Text: text, Required: true}}), note)
	return text
}

func visible(text string) string { return strings.ReplaceAll(report.Visible(text), "://", "[://]") }
