package render

import (
	"crypto/sha256"
	_ "embed" // for the style
	"encoding/base64"

	"github.com/filelessd/filelessd/pkg/report"
)

//go:embed style.css
var style string

// policy lets the page's own style apply and nothing else: no script, no request, no form. Drawings
// use attributes of SVG, which need no permission as style attributes would.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; img-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// HTML writes r as one file that needs no other: it has no script and asks for nothing, so it can be
// opened from a disk and sent by mail.
func HTML(r *report.Report) []byte {
	blocks := page(r)
	h := html{out: make([]byte, 0, 64<<10)}
	h.open(pageTitle(blocks), toneOf(r.Verdict, r.Severity))
	for _, b := range blocks {
		h.block(b)
	}
	h.close()
	return h.out
}

func pageTitle(blocks []block) string {
	for _, b := range blocks {
		if h, ok := b.(heading); ok {
			return plain(h.whole())
		}
	}
	return ""
}

// html writes elements. Text of a report gets in by text, prose and span alone, which escape it;
// what raw writes are constants and numbers.
type html struct {
	out []byte
}

func (h *html) raw(s string) { h.out = append(h.out, s...) }

// text appends s so that it is text inside of an element and of an attribute in quotes.
func (h *html) text(s string) {
	done := 0
	for i := range len(s) {
		var entity string
		switch s[i] {
		case '&':
			entity = "&amp;"
		case '<':
			entity = "&lt;"
		case '>':
			entity = "&gt;"
		case '"':
			entity = "&#34;"
		case '\'':
			entity = "&#39;"
		default:
			continue
		}
		h.raw(s[done:i])
		h.raw(entity)
		done = i + 1
	}
	h.raw(s[done:])
}

var toneClass = [toneCount]string{neutral: "neutral", tested: "tested", calm: "calm", wary: "wary", alarmed: "alarmed"}

func (h *html) open(title string, t tone) {
	h.raw(`<!DOCTYPE html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="`)
	h.raw(policy)
	h.raw(`">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<meta name="robots" content="noindex">
<title>`)
	h.text(title)
	h.raw("</title>\n<style>")
	h.raw(style)
	h.raw("</style>\n</head>\n<body class=\"")
	h.raw(toneClass[t])
	h.raw("\">\n<main>\n")
}

func (h *html) close() { h.raw("</main>\n</body>\n</html>\n") }

func (h *html) block(b block) {
	switch b := b.(type) {
	case banner:
		h.banner(b)
	case heading:
		h.heading(b)
	case paragraph:
		h.raw("<p>")
		h.line(b.text)
		h.raw("</p>\n")
	case table:
		h.table(b)
	case terms:
		h.terms(b)
	case verbatim:
		h.verbatim(b)
	case fold:
		h.raw("<details>\n<summary>")
		h.heading(b.head)
		h.raw("</summary>\n")
		for _, inner := range b.body {
			h.block(inner)
		}
		h.raw("</details>\n")
	case rail:
		h.rail(b)
	case ledger:
		h.ledger(b)
	case divider:
		h.raw("<hr>\n")
	}
}

func (h *html) banner(b banner) {
	h.raw("<div class=\"banner\">\n<p class=\"kind\">")
	h.text(b.kind)
	h.raw("</p>\n<p class=\"verdict\">")
	h.line(b.words)
	h.raw("</p>\n")
	if len(b.notes) > 0 {
		h.raw("<ul>")
		for _, n := range b.notes {
			h.raw("<li>")
			h.line(n)
			h.raw("</li>")
		}
		h.raw("</ul>\n")
	}
	h.raw("</div>\n")
}

// heading leaves the kind of page to the banner.
func (h *html) heading(b heading) {
	tag := "h" + "0123456"[b.level:b.level+1]
	h.raw("<" + tag + ">")
	h.line(b.text)
	h.raw("</" + tag + ">\n")
}

func (h *html) line(l line) {
	for _, s := range l {
		switch s.kind {
		case value:
			h.raw("<code>")
			h.text(s.text)
			h.raw("</code>")
		case fieldName:
			h.raw(`<code class="name">`)
			h.text(s.text)
			h.raw("</code>")
		case strong:
			h.raw("<strong>")
			h.prose(s.text)
			h.raw("</strong>")
		default:
			h.prose(s.text)
		}
	}
}

// prose marks what is quoted in a text, as the analysis quotes values.
func (h *html) prose(s string) {
	for {
		start, end := quotation(s)
		if end < 0 {
			h.text(s)
			return
		}
		h.text(s[:start+1])
		h.raw(`<code class="quoted">`)
		h.text(s[start+1 : end])
		h.raw("</code>&#34;")
		s = s[end+1:]
	}
}

func (h *html) terms(all terms) {
	h.raw("<dl>\n")
	for _, t := range all {
		h.raw("<div><dt>")
		h.text(t.name)
		h.raw("</dt><dd>")
		h.cell(t.text)
		h.raw("</dd></div>\n")
	}
	h.raw("</dl>\n")
}

// verbatim writes lines that can be copied as they are. A box that scrolls can be reached by
// keyboard.
func (h *html) verbatim(v verbatim) {
	switch {
	case v.wrap:
		h.raw(`<pre class="data"><code>`)
	case v.language == "sh":
		h.raw(`<pre class="command"><code>`)
	default:
		h.raw(`<pre class="file" tabindex="0"><code>`)
	}
	for _, l := range v.lines {
		h.text(l)
		h.raw("\n")
	}
	h.raw("</code></pre>\n")
}
