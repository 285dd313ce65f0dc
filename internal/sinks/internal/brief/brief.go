// Package brief writes the short view of a report for machines and for logs: as pairs of keys and values,
// and as what is sent where the whole report does not fit.
package brief

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Key is a label of a sink.Brief as the key of a pair: lower case and without blanks.
func Key(label string) string {
	switch label {
	case sink.LabelHeadline:
		return "msg"
	case sink.LabelCommand:
		return "cmdline"
	case sink.LabelAction:
		return "action"
	case sink.LabelNext:
		return "next"
	case sink.LabelUnknown:
		return "unknown"
	case sink.LabelAttack:
		return "attack"
	}
	return strings.ReplaceAll(strings.ToLower(label), " ", "_")
}

// Logfmt is r as one line of key="value" pairs, the most important first, of limit bytes at most.
func Logfmt(r *report.Report, link string, limit int) string {
	fit := sink.Fit{
		Limit: limit, Escape: quoted, Where: sink.Where(r, link), NoteBefore: `note="`, NoteAfter: `"`,
	}
	b := short(r)
	for i, f := range b.Facts {
		if f.Label == sink.LabelScore {
			b.Facts[i].Value = strconv.Itoa(r.Score) // a number, to compare with
		}
	}
	if len(b.Next) > 0 {
		b.Next = []string{strings.Join(b.Next, "; ")} // each key once
	}
	text := fit.Text(b.Pieces(func(label string) (string, string) { return Key(label) + `="`, `" ` }))
	return strings.TrimSuffix(text, " ")
}

// short is the brief without commands of many lines: where those are written as one they can neither be
// read nor copied. The note says where they are.
func short(r *report.Report) sink.Brief {
	b := sink.NewBrief(r)
	b.Commands = slices.DeleteFunc(b.Commands, func(c string) bool { return strings.Contains(c, "\n") })
	return b
}

// quoted is the inside of a quoted value: what does not show is visible, and on its line, before the
// quotes are escaped.
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(report.Visible(s))
}

// Text is r for people, a line for each fact, of limit bytes at most.
func Text(r *report.Report, link string, limit int) string {
	return strings.TrimSuffix(sink.Fit{Limit: limit, Where: sink.Where(r, link), NoteBefore: "(", NoteAfter: ")"}.
		Text(short(r).Pieces(line)), "\n")
}

// line is around for Pieces: the headline needs no label.
func line(label string) (before, after string) {
	if label == sink.LabelHeadline {
		return "", "\n"
	}
	return label + ": ", "\n"
}

// Short are the commands of the first action that are one line each.
func Short(r *report.Report) []string { return short(r).Commands }

// Instead is sent for r where it does not fit in a format: for those that are JSON an object that has the
// text under "fitted", beside what reports are searched by; for others the text, in one line where the
// format is one.
func Instead(format string, r *report.Report, link string, limit int) ([]byte, error) {
	switch format {
	case "json", "ecs", "ocsf":
		return object(r, link, limit)
	case "cef":
		return []byte(Logfmt(r, link, limit)), nil
	default:
		return []byte(Text(r, link, limit)), nil
	}
}

func object(r *report.Report, link string, limit int) ([]byte, error) {
	o := struct {
		ID            string           `json:"id"`
		Kind          report.Kind      `json:"kind"`
		SchemaVersion string           `json:"schema_version"`
		Verdict       report.Verdict   `json:"verdict,omitempty"`
		Severity      report.Severity  `json:"severity,omitempty"`
		Score         int              `json:"score"`
		Technique     report.Technique `json:"technique,omitempty"`
		Fitted        string           `json:"fitted"`
	}{r.ID, r.Kind, r.SchemaVersion, r.Verdict, r.Severity, r.Score, r.Technique, ""}
	shell, err := encode(o)
	if err != nil {
		return nil, err
	}
	o.Fitted = Text(r, link, max(limit-len(shell), 0)/worst)
	return encode(o)
}

// worst is how much longer visible text can be as JSON: a quote or a backslash are two bytes, a newline too.
const worst = 2

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Value is one value of the brief as an attribute of limited length.
func Value(text string, limit int) string {
	return sink.Fit{Limit: limit}.Text([]sink.Piece{{Text: text, Required: true}})
}
