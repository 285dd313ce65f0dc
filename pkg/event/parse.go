package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Parse reads one alert in Falco's JSON form, as file_output and http_output write it. received is
// when it arrived.
//
// An error means that data is not an alert: no JSON object, no rule, or output_fields that are
// no object. Anything else that has an unexpected type is kept as its text or left out, because
// half an alert is worth more than none: numbers keep their exact decimal text, nested values
// their JSON text.
func Parse(data []byte, received time.Time) (Event, error) {
	e := Event{Received: received, Source: DefaultSource}
	if err := e.parse(data, nil); err != nil {
		return Event{}, err
	}
	return e, nil
}

// parse fills e; extra gets the members that a Falco alert does not have.
func (e *Event) parse(data []byte, extra func(name, raw string)) error {
	data = bytes.TrimSpace(data)
	if err := checkObject(data); err != nil {
		return err
	}
	doc := string(data)
	var wrong error
	members(doc, func(name, raw string) {
		// The first mistake says enough: a document of 1 MiB can make a hundred thousand.
		if err := e.setMember(name, raw, extra); wrong == nil {
			wrong = err
		}
	})
	if wrong != nil {
		return wrong
	}
	if e.Rule == "" {
		return errors.New("no rule: not a Falco alert")
	}
	return nil
}

func (e *Event) setMember(name, raw string, extra func(name, raw string)) error {
	switch name {
	case "rule":
		if raw[0] != '"' {
			return fmt.Errorf("rule: want a string, got %s", kindOf(raw))
		}
		e.Rule = text(raw)
	case "time":
		e.Time = parseTime(text(raw))
	case "priority":
		e.Priority = ParsePriority(text(raw))
	case "source":
		if s := text(raw); s != "" {
			e.Source = s
		}
	case "hostname":
		e.Hostname = text(raw)
	case "output":
		e.Output = text(raw)
	case "tags":
		e.Tags = nil
		elements(raw, func(tag string) { e.Tags = append(e.Tags, text(tag)) })
	case "output_fields":
		return e.setFields(raw)
	default:
		if extra != nil {
			extra(name, raw)
		}
	}
	return nil
}

func (e *Event) setFields(raw string) error {
	switch raw[0] {
	case 'n':
		return nil
	case '{':
	default:
		return fmt.Errorf("output_fields: want an object, got %s", kindOf(raw))
	}
	e.fields = e.fields[:0]
	e.Grow(strings.Count(raw, `":`))
	members(raw, func(name, raw string) { e.SetField(name, text(raw)) })
	return nil
}

// parseTime reads RFC 3339. What is not one, or lies outside of what nanoseconds since 1970 can
// count, is no usable time.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return UsableTime(t)
}

// UsableTime returns t in UTC, or the zero time if t can not be the time of an event: before 1970
// or past the year 2261, where int64 nanoseconds end.
func UsableTime(t time.Time) time.Time {
	if t.Unix() <= 0 || t.Year() > 2261 {
		return time.Time{}
	}
	return t.UTC()
}

// checkObject makes sure that data, without space around it, is one valid JSON object.
func checkObject(data []byte) error {
	if len(data) == 0 {
		return errors.New("empty: not a JSON object")
	}
	if json.Valid(data) {
		if data[0] != '{' {
			return fmt.Errorf("want a JSON object, got %s", kindOf(string(data[:1])))
		}
		return nil
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if data[0] != '{' {
		return fmt.Errorf("not a JSON object (%w); Falco writes JSON only with json_output: true", err)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("invalid JSON at byte %d: %w", syntax.Offset, err)
	}
	return fmt.Errorf("invalid JSON: %w", err)
}
