package syslog

import (
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// shortCEF is line with as much of its extension as fits. The header stays whole but for the name,
// which is the only text of it that an alert has a part in; the summary (msg) gives way to the note.
func (w writer) shortCEF(r *report.Report, line string, limit int) string {
	header, extension := splitCEF(line)
	name := beginning(unescapeCEF(header[5]), longestName, escapeCEFName)
	first := strings.Join([]string{header[0], header[1], header[2], header[3], header[4], name, header[6]}, "|") + "|"
	var pieces []sink.Piece
	for _, p := range extension {
		if p.key == "msg" {
			continue
		}
		pieces = append(pieces, sink.Piece{
			Name: p.name, Before: p.before + p.key + "=", After: " ", Text: unescapeCEF(p.value),
			Required: slices.Contains(requiredCEF, p.name), Whole: p.name == "externalId",
		})
	}
	return first + w.fit(r, limit-len(first), escapeCEF, "msg=shortened, without the summary; ", "").Text(pieces)
}

// longestName is how much the name may take of a short line.
const longestName = 160

// requiredCEF are the keys, and the labels of custom ones, that Fit gives room first.
var requiredCEF = []string{"externalId", "verdict", "score", "dvchost", "container.id", "proc.cmdline", "action"}

// extensionPair is a pair of an extension. A custom one has its label before it, and goes by that.
type extensionPair struct{ name, before, key, value string }

// splitCEF takes a line apart that Env.Render wrote: seven parts of a header, and pairs.
func splitCEF(line string) (header [7]string, extension []extensionPair) {
	for i := range header {
		end := 0
		for end < len(line) && line[end] != '|' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(line))
		header[i], line = line[:end], strings.TrimPrefix(line[end:], "|")
	}
	label, before := "", ""
	keys := cefKey.FindAllStringSubmatchIndex(line, -1)
	for i, at := range keys {
		end := len(line)
		if i+1 < len(keys) {
			end = keys[i+1][0]
		}
		key, value := line[at[2]:at[3]], line[at[1]:end]
		if strings.HasSuffix(key, "Label") {
			label, before = value, key+"="+value+" "
			continue
		}
		p := extensionPair{name: key, before: before, key: key, value: value}
		if label != "" {
			p.name = label
		}
		extension = append(extension, p)
		label, before = "", ""
	}
	return header, extension
}

// cefKey finds where a pair begins: an equals sign of a value has a backslash before it, so that none
// of a value looks like this.
var cefKey = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)

var (
	cefUnescapes   = strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\|`, `|`)
	cefEscapes     = strings.NewReplacer(`\`, `\\`, `=`, `\=`)
	cefNameEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
)

func unescapeCEF(s string) string     { return cefUnescapes.Replace(s) }
func escapeCEF(raw string) string     { return cefEscapes.Replace(report.Visible(raw)) }
func escapeCEFName(raw string) string { return cefNameEscapes.Replace(report.Visible(raw)) }
