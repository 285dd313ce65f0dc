package sink

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// templateFuncs are what a template can call beside Go's own (and, or, eq, len, index, printf, urlquery,
// ...): nothing that reads a file, the environment or the network.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"json":    templateJSON,
		"quote":   func(v any) string { return strconv.Quote(words(v)) },
		"oneline": func(v any) string { return strings.Join(strings.Fields(words(v)), " ") },
		"upper":   func(v any) string { return strings.ToUpper(words(v)) },
		"lower":   func(v any) string { return strings.ToLower(words(v)) },
		"trunc":   trunc,
		"default": func(other, v any) any {
			if v == nil || reflect.ValueOf(v).IsZero() {
				return other
			}
			return v
		},
		"join":    join,
		"rfc3339": func(t time.Time) string { return orNoTime(t, time.RFC3339Nano) },
		"date":    func(layout string, t time.Time) string { return orNoTime(t, layout) },
		"unix":    func(t time.Time) int64 { return t.Unix() },
		// A width such as %99999999d would be a lot of memory for a short text.
		"printf": printf,
		"call":   func() (string, error) { return "", fmt.Errorf("call is not for these templates") },
	}
}

// words is v as {{v}} shows it.
func words(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func templateJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// trunc returns the first n characters, the last of which tells if there were more.
func trunc(n int, v any) string {
	runes := []rune(words(v))
	if n < 1 || len(runes) <= n {
		return string(runes[:min(len(runes), max(n, 0))])
	}
	return string(runes[:n-1]) + cutMark
}

func join(separator string, list any) (string, error) {
	v := reflect.ValueOf(list)
	if list != nil && v.Kind() != reflect.Slice {
		return "", fmt.Errorf("join wants a list, got %T", list)
	}
	var parts []string
	for i := 0; list != nil && i < v.Len(); i++ {
		parts = append(parts, words(v.Index(i).Interface()))
	}
	return strings.Join(parts, separator), nil
}

func orNoTime(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

func printf(format string, values ...any) (string, error) {
	digits := 0
	for _, c := range format {
		if c >= '0' && c <= '9' {
			if digits++; digits > 3 {
				return "", fmt.Errorf("printf: a width or number of more than three digits in %q", format)
			}
			continue
		}
		digits = 0
		if c == '*' {
			return "", fmt.Errorf("printf: no * in %q", format)
		}
	}
	return fmt.Sprintf(format, values...), nil
}

// templateSamples are reports of each kind, for a look at a template before there are any.
func templateSamples() []*report.Report {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := &event.Event{Time: at, Received: at, Rule: event.StockMemfdRule, Priority: event.Critical, Hostname: "node-1"}
	e.SetField("proc.cmdline", "3 --quiet")
	texts := []string{"text"}
	var samples []*report.Report
	for _, kind := range []report.Kind{
		report.KindAlert, report.KindUpdate, report.KindSummary, report.KindSuppression, report.KindLoss, report.KindQuiet, report.KindTest,
	} {
		r := &report.Report{
			ID: "0", Kind: kind, SchemaVersion: report.SchemaVersion, CreatedAt: at, Title: "title", Summary: "summary", Severity: report.High,
		}
		if kind != report.KindAlert {
			r.About = texts
		}
		if kind == report.KindSummary || kind == report.KindSuppression {
			r.Group = &report.Group{Key: "key", Count: 2, FirstTime: at, LastTime: at, Hosts: texts}
		}
		if kind == report.KindAlert || kind == report.KindSummary {
			r.Event, r.Technique, r.Verdict, r.Confidence, r.Score = e, "memfd_exec", report.Suspicious, report.HighConfidence, 50
			r.Attack = []report.Attack{{ID: "T1620", Name: "Reflective Code Loading"}}
			r.Factors = []report.Factor{{ID: "a", Weight: 50, Reason: "text", Evidence: texts}}
			r.Findings = []report.Finding{{ID: "a", Statement: "text", Evidence: texts}}
			r.Explanations = []report.Explanation{{ID: "a", Statement: "text", For: texts, Against: texts}}
			r.Unknowns = []report.Unknown{{ID: "a", Field: "text", Why: "text", How: "text"}}
			r.Actions = []report.Action{{ID: "a", Title: "text", Commands: texts}, {ID: "b", Title: "text", Commands: texts}}
		}
		samples = append(samples, r)
	}
	return samples
}
