package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

const (
	longestValue  = 300  // characters of a value inside a line or a cell
	longestOutput = 4000 // characters of the output line, which has a block of its own
)

// words is prose: our own words, or text of the report that quotes values.
func words(s string) span { return span{prose, report.Visible(s)} }

// loud is prose that must not be missed.
func loud(s string) span { return span{strong, report.Visible(s)} }

// data is a value of the alert. If it is cut, the line that it is in ends in a note.
func data(s string) line { return marked(value, s) }

// label is the name of a field or a file, which a rule's author can have chosen.
func label(s string) line { return marked(fieldName, s) }

func marked(kind spanKind, s string) line {
	if s == "" {
		return line{words("(empty)")}
	}
	text, note := shown(s, longestValue)
	if note == "" {
		return line{{kind, text}}
	}
	return line{{kind, text}, words(" " + note)}
}

// shown returns s in its visible form, cut at limit characters, and a note of what was cut, empty
// if nothing was. The note tells the length and a hash of the whole, by which it can be compared
// with another and found again.
func shown(s string, limit int) (text, note string) {
	// A character is at least one byte, at most four, and grows when it is made visible. So a prefix
	// of 4*limit bytes has at least limit characters.
	text = report.Visible(s[:min(len(s), 4*limit)])
	if len(s) <= 4*limit && utf8.RuneCountInString(text) <= limit {
		return text, ""
	}
	sum := sha256.Sum256([]byte(s))
	note = fmt.Sprintf("(cut: %d bytes in all, SHA-256 %s)", len(s), hex.EncodeToString(sum[:8]))
	return cut(text, limit) + "…", note
}

// cut returns the first limit characters of visible text, less an escape that the cut would break.
func cut(text string, limit int) string {
	for i := range text {
		if limit == 0 {
			text = text[:i]
			break
		}
		limit--
	}
	if i := strings.LastIndexByte(text, '\\'); i >= 0 && i+escapeLength(text[i+1:]) > len(text) {
		text = text[:i]
	}
	return text
}

// escapeLength is the length of an escape of report.Visible with what follows its backslash.
func escapeLength(rest string) int {
	switch {
	case rest == "":
		return len(`\n`)
	case rest[0] == 'x':
		return len(`\xff`)
	case rest[0] == 'u':
		return len(`\uffff`)
	case rest[0] == 'U':
		return len(`\U0010ffff`)
	default:
		return 0
	}
}

// lookup returns what the name of a piece of evidence stands for.
func lookup(e *event.Event, name string) (string, bool) {
	if e == nil {
		return "", false
	}
	switch name {
	case "rule":
		return e.Rule, e.Rule != ""
	case "hostname":
		return e.Hostname, e.Hostname != ""
	case "output":
		return e.Output, e.Output != ""
	default:
		return e.Field(name)
	}
}

// named is a line that tells a value and what it is the value of.
func named(name, val string) line {
	return append(append(label(name), words(" = ")), data(val)...)
}

// evidence has a line for each name, with its value. A report without an event has only the names.
func evidence(e *event.Event, names []string) cell {
	c := make(cell, 0, len(names))
	for _, name := range names {
		switch val, ok := lookup(e, name); {
		case ok:
			c = append(c, named(name, val))
		case e == nil:
			c = append(c, label(name))
		default:
			c = append(c, append(label(name), words(" (not in the alert)")))
		}
	}
	return c
}

// known has a line for each of names that e has.
func known(e *event.Event, names ...string) cell {
	var c cell
	for _, name := range names {
		if val, ok := lookup(e, name); ok {
			c = append(c, named(name, val))
		}
	}
	return c
}

// instant is how a time is written in a sentence.
func instant(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05.000000000") + " UTC"
}

// text is a cell of one line of prose, empty for an empty string.
func text(s string) cell {
	if s == "" {
		return nil
	}
	return cell{{words(s)}}
}

// listed is a cell with the first values of a list, which can be long.
func listed(values []string) cell {
	const most = 20
	var c cell
	for i, v := range values {
		if i == most {
			return append(c, line{words(fmt.Sprintf("and %d more", len(values)-most))})
		}
		c = append(c, data(v))
	}
	return c
}
