package nats

import (
	"errors"
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// part is a piece of a subject: fixed text, or the name of a value.
type part struct{ text, name string }

const (
	longestSubject = 200 // of the configuration
	longestValue   = 64  // of what a value becomes
)

// parseSubject takes a subject of the configuration apart.
func parseSubject(subject string) ([]part, error) {
	if subject == "" || len(subject) > longestSubject {
		return nil, fmt.Errorf("subject: want 1 to %d characters", longestSubject)
	}
	var parts []part
	for rest := subject; rest != ""; {
		text, after, found := strings.Cut(rest, "{")
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("*>}", r) }) {
			return nil, errors.New("subject: want printable ASCII without blanks and * > }")
		}
		if text != "" {
			parts = append(parts, part{text: text})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed || strings.TrimSpace(name) == "" || strings.ContainsAny(name, "{ ") {
			return nil, errors.New("subject: want {name}")
		}
		parts, rest = append(parts, part{name: name}), after
	}
	probe := fill(parts, func(string) string { return "x" })
	if strings.HasPrefix(probe, ".") || strings.HasSuffix(probe, ".") || strings.Contains(probe, "..") {
		return nil, errors.New("subject: a token between dots is empty")
	}
	if strings.HasPrefix(probe, "$") || strings.HasPrefix(probe, "_") {
		return nil, errors.New("subject: $ and _ begin the server's own subjects")
	}
	return parts, nil
}

func fill(parts []part, value func(name string) string) string {
	var b strings.Builder
	for _, p := range parts {
		if p.name == "" {
			b.WriteString(p.text)
		} else {
			b.WriteString(value(p.name))
		}
	}
	return b.String()
}

// subjectOf is the subject of r.
func subjectOf(parts []part, r *report.Report) string {
	return fill(parts, func(name string) string { return token(valueOf(name, r)) })
}

func valueOf(name string, r *report.Report) string {
	switch name {
	case "kind":
		return string(r.Kind)
	case "severity":
		return string(r.Severity)
	case "verdict":
		return string(r.Verdict)
	case "confidence":
		return string(r.Confidence)
	case "technique":
		return string(r.Technique)
	}
	if r.Event == nil {
		return ""
	}
	if name == "host" {
		return r.Event.Hostname
	}
	value, _ := r.Event.Field(name)
	return value
}

// token is what can stand for raw in a subject: two values are never the same token, unless they begin
// with the same bytes and are too long. What is not known is a dash.
func token(raw string) string {
	const hex = "0123456789ABCDEF"
	if raw == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(raw) {
		c := raw[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' ||
			c == '-' && raw != "-" // which would be taken for what is not known
		size := 3
		if plain {
			size = 1
		}
		if b.Len()+size > longestValue {
			break
		}
		if plain {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
