package otlplogs

import (
	"context"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/filelessd/filelessd/internal/sinks/internal/brief"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Limits of what is sent of one report. There are none in the protocol; collectors take 20 MiB at once.
const (
	longestBody  = 16 << 10 // of the short view
	longestValue = 8 << 10  // of an attribute
)

// record is r as a log record: the body for people, the attributes to search by.
func (o *otlp) record(ctx context.Context, r *report.Report) (*logspb.LogRecord, error) {
	body := brief.Text(r, o.config.Link, longestBody)
	if o.render != nil {
		text, err := o.render(r)
		if err != nil {
			return nil, err
		}
		body = strings.ToValidUTF8(string(text), "\ufffd") // as they all are
	}
	number := severities[r.Severity]
	return &logspb.LogRecord{
		TimeUnixNano: nanoseconds(happened(r)), ObservedTimeUnixNano: nanoseconds(r.CreatedAt),
		SeverityNumber: number, SeverityText: string(r.Severity),
		EventName:  "filelessd." + string(r.Kind),
		Body:       value(body),
		Attributes: describe(ctx, r),
	}, nil
}

// severities are OpenTelemetry's. A critical report is about an attack under way, which is as urgent as
// a program that ends.
var severities = map[report.Severity]logspb.SeverityNumber{
	report.Critical: logspb.SeverityNumber_SEVERITY_NUMBER_FATAL,
	report.High:     logspb.SeverityNumber_SEVERITY_NUMBER_ERROR,
	report.Medium:   logspb.SeverityNumber_SEVERITY_NUMBER_WARN,
	report.Low:      logspb.SeverityNumber_SEVERITY_NUMBER_INFO2,
	report.Info:     logspb.SeverityNumber_SEVERITY_NUMBER_INFO,
}

func happened(r *report.Report) time.Time {
	if r.Kind == report.KindAlert && r.Event != nil && !r.Event.Time.IsZero() {
		return r.Event.Time
	}
	return r.CreatedAt
}

// nanoseconds is 0, which means that the time is unknown, for what 64 bits can not hold.
func nanoseconds(t time.Time) uint64 {
	if year := t.Year(); year < 1970 || year > 2200 {
		return 0
	}
	return uint64(t.UnixNano())
}

// attributes gathers what is known, by the names of OpenTelemetry's semantic conventions where they have
// one. All text is printable and of limited length.
type attributes []*commonpb.KeyValue

func value(text string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text}}
}

func (a *attributes) add(name string, v *commonpb.AnyValue) {
	*a = append(*a, &commonpb.KeyValue{Key: name, Value: v})
}

func (a *attributes) text(name, text string) {
	if text = brief.Value(text, longestValue); text != "" {
		a.add(name, value(text))
	}
}

func (a *attributes) number(name string, n int64) {
	a.add(name, &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}})
}

func (a *attributes) list(name string, texts ...string) {
	list := &commonpb.ArrayValue{}
	for _, text := range texts {
		if text = brief.Value(text, longestValue); text != "" {
			list.Values = append(list.Values, value(text))
		}
	}
	if len(list.Values) > 0 {
		a.add(name, &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}})
	}
}

// field adds a field of the event, as a number if it is to be one and is.
func (a *attributes) field(e *event.Event, name, field string, number bool) {
	text, ok := e.Field(field)
	if !ok {
		return
	}
	if n, err := strconv.ParseInt(text, 10, 64); number && err == nil {
		a.number(name, n)
	} else if !number {
		a.text(name, text)
	}
}

func describe(ctx context.Context, r *report.Report) attributes {
	b := sink.NewBrief(r)
	var a attributes
	a.text("log.record.uid", r.ID) // records of one uid are one record
	a.text("filelessd.kind", string(r.Kind))
	a.text("filelessd.title", r.Title)
	a.text("filelessd.verdict", string(r.Verdict))
	if r.Verdict != "" {
		a.number("filelessd.score", int64(r.Score))
	}
	a.text("filelessd.confidence", string(r.Confidence))
	a.text("filelessd.technique", string(r.Technique))
	a.text("filelessd.thread", sink.ThreadKey(ctx, r))
	if r.Group != nil {
		a.number("filelessd.alerts", int64(r.Group.Count))
	}
	if r.Event != nil {
		a.event(r.Event)
	}
	a.text("filelessd.action", b.Action)
	a.list("filelessd.commands", brief.Short(r)...)
	a.list("filelessd.next", b.Next...)
	a.list("filelessd.attack", b.Attack...)
	a.list("filelessd.about", r.About[:min(len(r.About), 100)]...)
	return a
}

func (a *attributes) event(e *event.Event) {
	a.text("host.name", e.Hostname)
	// On a host Falco calls every container field "host".
	if id, _ := e.Field("container.id"); id != "host" {
		a.field(e, "container.id", "container.id", false)
		a.field(e, "container.name", "container.name", false)
		a.field(e, "container.image.name", "container.image.repository", false)
		if tag, ok := e.Field("container.image.tag"); ok {
			a.list("container.image.tags", tag)
		}
	}
	a.field(e, "k8s.namespace.name", "k8s.ns.name", false)
	a.field(e, "k8s.pod.name", "k8s.pod.name", false)
	a.field(e, "k8s.pod.uid", "k8s.pod.uid", false)
	a.field(e, "process.pid", "proc.pid", true)
	a.field(e, "process.parent_pid", "proc.ppid", true)
	a.field(e, "process.command_line", "proc.cmdline", false)
	a.field(e, "process.executable.name", "proc.name", false)
	a.field(e, "process.executable.path", "proc.exepath", false)
	a.field(e, "process.working_directory", "proc.cwd", false)
	a.field(e, "filelessd.parent.name", "proc.pname", false)
	a.field(e, "filelessd.parent.path", "proc.pexepath", false)
	a.field(e, "user.id", "user.uid", false)
	a.field(e, "user.name", "user.name", false)
	a.text("security_rule.name", e.Rule)
	a.text("security_rule.ruleset.name", "falco")
}
