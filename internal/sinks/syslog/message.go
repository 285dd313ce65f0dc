package syslog

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// writer writes messages.
type writer struct {
	facility          int
	hostname, appName string
	version           string // of the program
	sdID              string
	limit             int
	link              string
	format            string
	render            func(*report.Report) ([]byte, error) // nil for text, which is made here
}

// message returns r as a message of RFC 5424, which is one line of limit bytes at most.
func (w writer) message(r *report.Report) ([]byte, error) {
	header := w.header(r)
	body, err := w.body(r, w.limit-len(header))
	if err != nil {
		return nil, sink.Permanent(err)
	}
	return append([]byte(header), body...), nil
}

// header is all that stands before the text: priority, version, time, host, program, process, kind and
// structured data.
func (w writer) header(r *report.Report) string {
	at := "-"
	if created := r.CreatedAt.UTC(); !created.IsZero() && created.Year() < 10000 {
		at = created.Format("2006-01-02T15:04:05.000000Z") // RFC 5424 has six digits
	}
	return "<" + strconv.Itoa(w.facility*8+severity(r.Severity)) + ">1 " +
		strings.Join([]string{at, w.hostname, w.appName, "-", messageID(r.Kind), w.structured(r)}, " ") + " "
}

// severity puts a report on syslog's scale. Nothing that a report says is a debug message, or makes a
// system unusable.
func severity(s report.Severity) int {
	switch s {
	case report.Critical:
		return 2
	case report.High:
		return 3
	case report.Medium:
		return 4
	case report.Low:
		return 5
	default:
		return 6
	}
}

// messageID is the kind; anything else than the kinds' names would be the program's mistake.
func messageID(k report.Kind) string {
	const longest = 32
	if k == "" || !headerText(string(k), longest) {
		return "-"
	}
	return string(k)
}

// structured is the structured data: who wrote the message, by the registered name, and what a receiver
// may want to sort by.
func (w writer) structured(r *report.Report) string {
	if w.sdID == "" {
		return "-"
	}
	var b strings.Builder
	begin := func(id string) { b.WriteString("[" + id) }
	param := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			b.WriteString(" " + name + `="` + paramValue(value) + `"`)
		}
	}
	begin("origin")
	param("software", "filelessd")
	param("swVersion", w.version)
	b.WriteByte(']')
	begin(w.sdID)
	param("id", r.ID)
	param("severity", string(r.Severity))
	if r.Verdict != "" {
		param("verdict", string(r.Verdict))
		param("confidence", string(r.Confidence))
		param("score", strconv.Itoa(r.Score))
	}
	param("technique", string(r.Technique))
	if g := r.Group; g != nil {
		param("count", strconv.Itoa(g.Count))
	}
	if e := r.Event; e != nil {
		container, _ := e.Field("container.id")
		param("host", e.Hostname)
		param("container", container)
		param("rule", e.Rule)
		if !e.Time.IsZero() {
			param("time", e.Time.UTC().Format(time.RFC3339Nano))
		}
	}
	b.WriteByte(']')
	return b.String()
}

// longestParam bounds the structured data: an ID of 64 digits is whole.
const longestParam = 64

// paramValue escapes what ends a value, after what does not show was made visible.
func paramValue(raw string) string { return beginning(raw, longestParam, escapeParam) }

// beginning is raw, escaped, in that many bytes. It is for values that stand in the text of the message
// too, so that a mark for what is cut is enough. Nothing escaped is shorter than it was.
func beginning(raw string, longest int, escape func(string) string) string {
	const mark = "…"
	if len(raw) <= longest {
		if whole := escape(raw); len(whole) <= longest {
			return whole
		}
	}
	for end := min(len(raw), longest); ; end-- {
		if end > 0 && end < len(raw) && !utf8.RuneStart(raw[end]) {
			continue
		}
		if text := escape(raw[:end]) + mark; len(text) <= longest {
			return text
		}
	}
}

var paramEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

func escapeParam(raw string) string { return paramEscapes.Replace(report.Visible(raw)) }

// facilityNumber is the place in the list of RFC 5424.
func facilityNumber(name string) int { return max(0, slices.Index(facilities, name)) }
