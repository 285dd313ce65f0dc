package render

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// TextStyle is how text is written for the terminal at hand.
type TextStyle struct {
	Width int  // columns of the page; 0 for those of Text
	Color bool // whether the terminal understands SGR sequences (ECMA-48)
}

// Text writes r as the function Text does, in the style. Without the sequences it is the same text: they
// stand around what was made visible before, so that none but ours can be among them.
func (s TextStyle) Text(r *report.Report) []byte {
	return s.blocks(written(withoutFiles(page(r))), toneOf(r.Verdict, r.Severity))
}

func (s TextStyle) blocks(all []block, strong tone) []byte {
	t := textWriter{style: s, tone: strong, out: make([]byte, 0, 16<<10)}
	for _, b := range all {
		t.block(b)
	}
	return t.out
}

// look is the parameters of an SGR sequence, empty for text as it is.
type look string

const (
	plainLook look = ""
	bold      look = "1"
	dim       look = "2"
)

// loudLook is how what must not be missed looks. Colours are of the terminal's own palette, which its
// reader has chosen so that they can be read.
var loudLook = [toneCount]look{neutral: bold, tested: "1;36", calm: "1;32", wary: "1;33", alarmed: "1;31"}

// look is how a line of a cell looks.
func (t *textWriter) look(l line, as look) look {
	for _, s := range l {
		if s.kind == strong {
			return loudLook[t.tone]
		}
	}
	return as
}

// paint puts the sequences around s, within its spaces.
func (t *textWriter) paint(s string, as look) string {
	text := strings.Trim(s, " ")
	if !t.style.Color || as == plainLook || text == "" {
		return s
	}
	before := s[:strings.Index(s, text)]
	return before + "\x1b[" + string(as) + "m" + text + "\x1b[0m" + s[len(before)+len(text):]
}

// withoutFiles leaves files out of a page: on a terminal they would bury the rest. It says where they
// are.
func withoutFiles(page []block) []block {
	kept := make([]block, 0, len(page))
	left := 0
	for _, b := range page {
		if f, ok := b.(fold); !ok || !f.file {
			kept = append(kept, b)
			continue
		}
		if left++; left == 1 {
			kept = append(kept, paragraph{line{words("The files that the mitigations name stand in the Markdown, HTML and JSON forms of this report.")}})
		}
	}
	return kept
}
