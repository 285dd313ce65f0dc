package slack

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// entities are what Slack asks to be written for the three characters that begin and end what acts:
// mentions, links, dates.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// address is for what stands between < and | as a link.
var address = strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C")

// escape makes raw text plain text on one line.
func escape(raw string) string { return entities.Replace(report.Visible(raw)) }

// backtick is what is shown for one, since Slack has no escape for it in code.
const backtick = "\u02cb"

// code makes raw text what can stand between backticks.
func code(raw string) string { return strings.ReplaceAll(escape(raw), "`", backtick) }

// codeLines is code with its ends of lines, between three backticks.
func codeLines(raw string) string {
	lines := strings.Split(strings.TrimSpace(raw), "\n")
	for i, line := range lines {
		lines[i] = code(strings.ReplaceAll(line, "\t", "  "))
	}
	return strings.Join(lines, "\n")
}

const cutMark = "…"

// cut is escape of as much of raw as has room, with a mark if that is not all.
func cut(raw string, limit int) string { return cutBy(escape, raw, limit) }

func codeCut(raw string, limit int) string { return cutBy(code, raw, limit) }

func cutBy(escape func(string) string, raw string, limit int) string {
	if len(raw) <= utf8.UTFMax*limit { // or it has more characters than that
		if text := escape(raw); sink.UTF16(text) <= limit {
			return text
		}
	}
	ends := []int{0}
	for end := 0; end < len(raw) && len(ends) <= limit; {
		_, size := utf8.DecodeRuneInString(raw[end:])
		end += size
		ends = append(ends, end)
	}
	tooLong := func(i int) bool { return sink.UTF16(escape(raw[:ends[i]]))+1 > limit }
	return escape(raw[:ends[max(sort.Search(len(ends), tooLong)-1, 0)]]) + cutMark
}
