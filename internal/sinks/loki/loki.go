// Package loki is the sink that pushes reports to Grafana Loki as log lines.
package loki

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/brief"
	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "loki",
	Summary: "pushes reports to Grafana Loki",
	Default: func() Config {
		return Config{
			Labels:      map[string]string{"job": "filelessd"},
			LabelFields: []string{"kind", "severity", "verdict"},
			Metadata:    true, Format: formatLogfmt, MaxLine: 256 << 10,
		}
	},
	Open: open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	client, err := post.New(c.URL, c.TLS, env.Version, c.header())
	if err != nil {
		return nil, err
	}
	l := &loki{config: c, client: client}
	if c.Format != formatLogfmt {
		if l.render, err = c.output().Render(env); err != nil {
			return nil, err
		}
	}
	return l, nil
}

type loki struct {
	config Config
	render func(*report.Report) ([]byte, error) // nil for logfmt
	client *post.Client
}

// Deliver pushes r.
func (l *loki) Deliver(ctx context.Context, r *report.Report) error {
	return l.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch pushes rs in one request. Loki answers for all at once, and keeps those lines of a refused
// request that were good, so it is asked again for halves until the bad one is found: a line that comes
// again is the same line to it.
func (l *loki) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	return post.Together(rs, func(rs []*report.Report) []error {
		err := l.push(ctx, rs, time.Time{})
		if err == nil {
			return make([]error, len(rs))
		}
		return post.Same(len(rs), err)
	})
}

// push sends rs, with their own times or, if now is not zero, with that.
func (l *loki) push(ctx context.Context, rs []*report.Report, now time.Time) error {
	body, err := l.body(ctx, rs, now)
	if err != nil {
		return sink.Permanent(err)
	}
	status, answer, err := l.client.Do(ctx, post.Request{
		Method: http.MethodPost, Path: "loki/api/v1/push", Type: "application/json", Body: body,
	})
	if status == http.StatusBadRequest && len(rs) == 1 && now.IsZero() && untimely.Match(answer) {
		return l.push(ctx, rs, time.Now())
	}
	return err
}

// untimely is what Loki says of a line that it refuses for its time. There is no code for it. After an
// outage of hours, and for alerts of a file that is read late, that is usual; the report is worth more
// than its place, and the time of the alert is in the line.
var untimely = regexp.MustCompile(`timestamp too old|timestamp too new|entry too far behind|entry out of order`)

// stream is one set of labels with its lines.
type stream struct {
	Labels map[string]string `json:"stream"`
	Values [][]any           `json:"values"` // time, line, and with metadata an object
}

// body is the request for rs. Lines of a stream are in the order of their times, as old versions of Loki
// ask for.
func (l *loki) body(ctx context.Context, rs []*report.Report, now time.Time) ([]byte, error) {
	byLabels := map[string]*stream{}
	for _, r := range slices.SortedStableFunc(slices.Values(rs), func(a, b *report.Report) int { return timeOf(a).Compare(timeOf(b)) }) {
		line, err := l.line(r)
		if err != nil {
			return nil, err
		}
		at := timeOf(r)
		if !now.IsZero() {
			at = now
		}
		value := []any{strconv.FormatInt(at.UnixNano(), 10), line}
		if l.config.Metadata {
			value = append(value, l.metadata(ctx, r))
		}
		labels := l.labels(r)
		key, err := json.Marshal(labels) // whose keys are sorted
		if err != nil {
			return nil, err
		}
		s := byLabels[string(key)]
		if s == nil {
			s = &stream{Labels: labels}
			byLabels[string(key)] = s
		}
		s.Values = append(s.Values, value)
	}
	var streams []*stream
	for _, key := range slices.Sorted(maps.Keys(byLabels)) {
		streams = append(streams, byLabels[key])
	}
	return json.Marshal(map[string]any{"streams": streams})
}

// timeOf is when it happened. It is the same at each attempt, which makes a repeat the same line.
func timeOf(r *report.Report) time.Time {
	at := r.CreatedAt
	if r.Kind == report.KindAlert && r.Event != nil && !r.Event.Time.IsZero() {
		at = r.Event.Time
	}
	if year := at.Year(); year < 1970 || year > 2200 { // what nanoseconds in 64 bits can not say
		return time.Unix(0, 0)
	}
	return at
}

func (l *loki) line(r *report.Report) (string, error) {
	if l.render == nil {
		return brief.Logfmt(r, l.config.Link, min(l.config.MaxLine, longestBrief)), nil
	}
	line, err := l.render(r)
	if err != nil {
		return "", err
	}
	if len(line) > l.config.MaxLine {
		line, err = brief.Instead(l.config.Format, r, l.config.Link, min(l.config.MaxLine, longestBrief))
	}
	return string(line), err
}

// longestBrief is as much of the short view as a person reads.
const longestBrief = 16 << 10

func (l *loki) labels(r *report.Report) map[string]string {
	labels := maps.Clone(l.config.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, name := range l.config.LabelFields {
		// Loki takes 2,048 bytes; a name of a host that is longer than this is none.
		if value := brief.Value(labelFields[name](r), 256); value != "" {
			labels[name] = value
		}
	}
	if len(labels) == 0 {
		labels["job"] = "filelessd" // a stream has one at least, and this report lacks all that were asked for
	}
	return labels
}

// metadata is what a report is found by beside its labels. Loki takes 64 KB and 128 pairs of it.
func (l *loki) metadata(ctx context.Context, r *report.Report) map[string]string {
	b := sink.NewBrief(r)
	m := map[string]string{"id": r.ID, "thread": sink.ThreadKey(ctx, r)}
	add := func(key, value string) {
		const longest = 1 << 10
		if value != "" {
			m[key] = brief.Value(value, longest)
		}
	}
	for _, f := range b.Facts {
		add(brief.Key(f.Label), f.Value)
	}
	add("action", b.Action)
	for n, a := range r.Attack {
		const most = 8
		if n < most {
			add("attack_"+strconv.Itoa(n+1), a.ID)
		}
	}
	if r.Verdict != "" {
		m["score"] = strconv.Itoa(r.Score) // to compare with: score > 64
	}
	if level := levels[r.Severity]; level != "" {
		m["detected_level"] = level
	}
	maps.DeleteFunc(m, func(key, value string) bool { return value == "" || slices.Contains(l.config.LabelFields, key) })
	return m
}

// levels are Grafana's words for how urgent a line is, by which it colours them. Without this Loki would
// guess from the words of the line.
var levels = map[report.Severity]string{
	report.Critical: "critical", report.High: "error", report.Medium: "warn", report.Low: "info", report.Info: "info",
}

// Probe asks whether Loki is ready to take requests of this tenant, by asking for its labels.
func (l *loki) Probe(ctx context.Context) error {
	status, _, err := l.client.Do(ctx, post.Request{Method: http.MethodGet, Path: "loki/api/v1/labels"})
	switch status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return nil // may write and not read, or stands before Loki's distributors
	}
	return err
}

// Close gives back idle connections.
func (l *loki) Close() error {
	l.client.Close()
	return nil
}
