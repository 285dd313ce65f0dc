package event

import (
	"encoding/base64"
	"encoding/json"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"
)

// TimeLayout is how every time in a report is written: UTC with nine decimals.
const TimeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime writes t in TimeLayout.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeLayout) }

const fieldPrefix = "output_fields."

// InvalidUTF8 returns the names of what holds bytes that are not UTF-8: "hostname", "output",
// "rule", "source", and the names of fields, in this order.
func (e *Event) InvalidUTF8() []string {
	var names []string
	for _, f := range e.invalidUTF8() {
		names = append(names, strings.TrimPrefix(f.name, fieldPrefix))
	}
	return names
}

// invalidUTF8 returns what is not UTF-8: by the name of the member, or "output_fields." and the name
// of the field.
func (e *Event) invalidUTF8() (bad []field) {
	for _, f := range [...]field{{"hostname", e.Hostname}, {"output", e.Output}, {"rule", e.Rule}, {"source", e.Source}} {
		if !utf8.ValidString(f.value) {
			bad = append(bad, f)
		}
	}
	for _, f := range normalise(e.fields) {
		if !utf8.ValidString(f.value) {
			bad = append(bad, field{fieldPrefix + f.name, f.value})
		}
	}
	return bad
}

// MarshalJSON writes the form that a report holds: known fields as strings, the time with nine
// decimals or null. Of bytes that are not UTF-8 the exact value stands, in base64, in invalid_utf8.
func (e *Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// AppendJSON appends to b what MarshalJSON returns.
func (e *Event) AppendJSON(b []byte) []byte {
	b = AppendQuoted(append(b, `{"rule":`...), e.Rule)
	b = AppendQuoted(append(b, `,"priority":`...), e.Priority.String())
	b = append(b, `,"time":`...)
	if e.Time.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(e.Time.UTC().AppendFormat(append(b, '"'), TimeLayout), '"')
	}
	b = AppendQuoted(append(b, `,"hostname":`...), e.Hostname)
	b = AppendQuoted(append(b, `,"source":`...), e.Source)
	b = append(b, `,"tags":[`...)
	for i, tag := range e.Tags {
		b = AppendQuoted(comma(b, i), tag)
	}
	b = AppendQuoted(append(b, `],"output":`...), e.Output)
	b = append(b, `,"output_fields":{`...)
	for i, f := range normalise(e.fields) {
		b = AppendQuoted(append(AppendQuoted(comma(b, i), f.name), ':'), f.value)
	}
	b = append(b, `},"invalid_utf8":{`...)
	for i, f := range e.invalidUTF8() {
		b = append(AppendQuoted(comma(b, i), f.name), `:"`...)
		b = append(base64.StdEncoding.AppendEncode(b, []byte(f.value)), '"')
	}
	return append(b, "}}"...)
}

func comma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ',')
}

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := plainFrom(s, 0); i < len(s); i = plainFrom(s, i) {
		c := s[i]
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c < ' ' {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				b = append(b, "\ufffd"...)
			}
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// plainFrom returns the index of the first byte of s, from i on, that is not itself in a JSON string:
// a control character, a quote, a backslash, or not ASCII. It is len(s) if there is none. A report
// has 30 KB of text of which every byte passes here, so it looks at eight at a time: in the sums, the
// lowest byte whose top bit is set is the first that is looked for.
func plainFrom(s string, i int) int {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		found := (v | (v - each*' ') | ((v ^ each*'"') - each) | ((v ^ each*'\\') - each)) & top
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
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
