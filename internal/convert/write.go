package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// field is a key of the new configuration with its value: text, reference, int, bool, []any, or fields.
type field struct {
	key     string
	value   any
	comment string // above it
}

// fields are the keys of a mapping, in the order in which they are written.
type fields []field

func (f *fields) add(key string, value any) { *f = append(*f, field{key: key, value: value}) }

// addSet adds a text if there is one.
func (f *fields) addSet(key, value string) {
	if value != "" {
		f.add(key, value)
	}
}

// reference is a value in which ${...} stands for something else. A text is what it is: its dollars are doubled.
type reference string

// write writes f as YAML.
func (f fields) write(b *strings.Builder, indent int) {
	before := strings.Repeat("  ", indent)
	for _, e := range f {
		for _, line := range wrap(e.comment, 100-len(before)) {
			b.WriteString(before + "# " + line + "\n")
		}
		b.WriteString(before + quote(e.key) + ":")
		switch v := e.value.(type) {
		case fields:
			b.WriteString("\n")
			v.write(b, indent+1)
		case []any:
			var items []string
			for _, item := range v {
				items = append(items, scalarText(item))
			}
			b.WriteString(" [" + strings.Join(items, ", ") + "]\n")
		default:
			b.WriteString(" " + scalarText(v) + "\n")
		}
	}
}

func scalarText(v any) string {
	switch v := v.(type) {
	case reference:
		return quote(string(v))
	case string:
		return quote(strings.ReplaceAll(v, "$", "$$"))
	default:
		return fmt.Sprint(v) // an int or a bool
	}
}

var (
	bare    = regexp.MustCompile(`^[A-Za-z/]([A-Za-z0-9/_.:@-]*[A-Za-z0-9/_.@-])?$`)
	counted = regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+:[0-9]+|[0-9]+(ms|s|m|h))$`) // an address, a duration
	// words are what YAML, of one version or another, takes for something else than a text.
	words = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
)

// quote writes a text so that YAML reads it as that text.
func quote(text string) string {
	if (bare.MatchString(text) || counted.MatchString(text)) && !slices.Contains(words, strings.ToLower(text)) {
		return text
	}
	if strings.Contains(text, `"`) && !strings.ContainsAny(text, `'\`) && report.Visible(text) == text {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}

// wrap breaks a text into lines of at most width characters, where there are blanks. What it holds of the input
// can be seen and stays on its line.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(report.Visible(text)) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
