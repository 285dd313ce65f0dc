// Package manual writes the manual pages, from what the program itself knows: its commands and the keys of
// its configuration. It serves go generate and the tests that find a page stale, and is no part of the
// program.
//
// Rejected: mango-kong, whose last release is of 2022, writes no section but those of flags; go-md2man would
// have us write Markdown first, with escaping of its own.
package manual

import (
	"fmt"
	"strings"
)

// Page is a manual page in the language man(7).
type Page struct{ text strings.Builder }

// New begins a page. Its date and version are empty, since a page that is checked in has neither;
// make dist fills them in.
func New(title string, section int, book string) *Page {
	p := new(Page)
	p.line(`.\" Generated from the code by go generate; do not edit.`)
	p.line(".TH %s %d \"\" \"filelessd\" \"%s\"", strings.ToUpper(title), section, book)
	return p
}

// String returns the page.
func (p *Page) String() string { return p.text.String() }

func (p *Page) line(format string, args ...any) {
	fmt.Fprintf(&p.text, format+"\n", args...)
}

// Section begins a section.
func (p *Page) Section(title string) { p.line(".SH %s", escape(title)) }

// Subsection begins a part of a section.
func (p *Page) Subsection(title string) { p.line(".SS %s", escape(title)) }

// Paragraph begins a paragraph of text.
func (p *Page) Paragraph(text string) {
	p.line(".PP")
	p.Text(text)
}

// Item is a term, in bold, and what it means. Words of the term in <> are placeholders, in italics.
func (p *Page) Item(term, text string) {
	p.line(".TP")
	p.line("%s", Bold(term))
	p.Text(text)
}

// See refers to another page.
func (p *Page) See(name string, section int) { p.line(".BR %s (%d)", escape(name), section) }

// Literal is text that keeps its lines and spaces.
func (p *Page) Literal(text string) {
	p.line(".PP")
	p.line(".RS 4")
	p.line(".nf")
	for line := range strings.Lines(text) {
		p.line("%s", guard(escape(strings.TrimRight(line, "\n"))))
	}
	p.line(".fi")
	p.line(".RE")
}

// Text is plain text; lines end where sentences and words do.
func (p *Page) Text(text string) {
	line := ""
	flush := func() {
		if line != "" {
			p.line("%s", guard(escape(line)))
		}
		line = ""
	}
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 78 {
			flush()
		}
		line = strings.TrimPrefix(line+" "+word, " ")
		if strings.HasSuffix(word, ".") {
			flush()
		}
	}
	flush()
}

// Bold is a term: bold, with its placeholders, the words in <>, in italics.
func Bold(term string) string {
	var out strings.Builder
	for i, part := range strings.Split(term, "<") {
		name, rest, isPlace := strings.Cut(part, ">")
		if i == 0 || !isPlace {
			rest = part
		} else {
			out.WriteString(`\fI` + escape(name) + `\fR`)
		}
		if rest != "" {
			out.WriteString(`\fB` + escape(rest) + `\fR`)
		}
	}
	return out.String()
}

// escape makes text mean itself. A hyphen stays one that can be copied into a shell, and so do the quotes
// and the like, which roff prints as typographers do.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`).Replace(text)
}

// guard keeps a line from being a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, `\(aq`) {
		return `\&` + line
	}
	return line
}
