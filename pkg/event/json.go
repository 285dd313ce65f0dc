package event

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// TimeLayout is how every time in a report is written: UTC with nine decimals.
const TimeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime writes t in TimeLayout.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeLayout) }

// eventJSON is the form of an alert inside a report.
type eventJSON struct {
	Rule     string            `json:"rule"`
	Priority string            `json:"priority"`
	Time     *string           `json:"time"`
	Hostname string            `json:"hostname"`
	Source   string            `json:"source"`
	Tags     []string          `json:"tags"`
	Output   string            `json:"output"`
	Fields   map[string]string `json:"output_fields"`
	// InvalidUTF8 has the exact bytes of what is not UTF-8 and so can not stand in JSON: by the
	// name of the member, or "output_fields." and the name of the field.
	InvalidUTF8 map[string][]byte `json:"invalid_utf8"`
}

const fieldPrefix = "output_fields."

// InvalidUTF8 returns the names of what holds bytes that are not UTF-8: "rule", "hostname",
// "source", "output", or the name of a field.
func (e *Event) InvalidUTF8() []string {
	var names []string
	for name := range e.invalidUTF8() {
		names = append(names, strings.TrimPrefix(name, fieldPrefix))
	}
	return names
}

func (e *Event) invalidUTF8() map[string][]byte {
	bad := map[string][]byte{}
	note := func(name, value string) {
		if !utf8.ValidString(value) {
			bad[name] = []byte(value)
		}
	}
	note("rule", e.Rule)
	note("hostname", e.Hostname)
	note("source", e.Source)
	note("output", e.Output)
	for name, value := range e.Fields() {
		note(fieldPrefix+name, value)
	}
	return bad
}

// MarshalJSON writes the form that a report holds: known fields as strings, the time with nine
// decimals. Of bytes that are not UTF-8 the exact value stands, in base64, in invalid_utf8.
func (e *Event) MarshalJSON() ([]byte, error) {
	j := eventJSON{
		Rule: e.Rule, Priority: e.Priority.String(), Hostname: e.Hostname, Source: e.Source,
		Tags: e.Tags, Output: e.Output, Fields: e.FieldMap(), InvalidUTF8: e.invalidUTF8(),
	}
	if j.Tags == nil {
		j.Tags = []string{}
	}
	if !e.Time.IsZero() {
		s := FormatTime(e.Time)
		j.Time = &s
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(data []byte) error {
	read := Event{Source: DefaultSource}
	exact := map[string][]byte{}
	var wrong error
	err := read.parse(data, func(name, raw string) {
		if name == "invalid_utf8" {
			wrong = json.Unmarshal([]byte(raw), &exact)
		}
	})
	if err != nil {
		return err
	}
	if wrong != nil {
		return wrong
	}
	for name, value := range exact {
		read.setExact(name, string(value))
	}
	read.fields = normalise(read.fields)
	*e = read
	return nil
}

func (e *Event) setExact(name, value string) {
	switch name {
	case "rule":
		e.Rule = value
	case "hostname":
		e.Hostname = value
	case "source":
		e.Source = value
	case "output":
		e.Output = value
	default:
		e.SetField(strings.TrimPrefix(name, fieldPrefix), value)
	}
}
