package smtp

import (
	"fmt"
	"html"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// The room of the parts of a body, in characters and bytes. Some mail programs cut at 100 KB what they
// show, so the short form stands first.
const (
	maxBrief = 8000
	maxWhole = 128 << 10
)

// whole is the report as text, which is plain in any mail program. The page with its drawings is for a
// browser: mail programs take its style away.
func (m *mailer) whole(r *report.Report) (string, error) {
	text, err := m.env.Render("text", r)
	if err != nil {
		return "", err
	}
	if len(text) <= maxWhole {
		return string(text), nil
	}
	end := strings.LastIndexByte(string(text[:maxWhole]), '\n') + 1
	return fmt.Sprintf("%s\n… cut: %d KB more; %s\n", text[:end], (len(text)-end)>>10+1, sink.Where(r, m.config.Link)), nil
}

// body is what a mail shows, once as text and once as HTML.
type body struct {
	brief  sink.Brief
	where  string // a note for the end, raw; empty where the link says it
	link   string
	whole  string   // the report, empty for none
	left   []string // attachments that are too large
	script bool     // the first action has commands that are in the whole report only
}

func newBody(r *report.Report, link, whole string, left []string) body {
	b := body{brief: sink.NewBrief(r), link: sink.LinkTo(r, link), whole: whole, left: left}
	var short []string
	for _, c := range b.brief.Commands {
		if len(c) <= 200 && !strings.Contains(c, "\n") {
			short = append(short, c)
		} else {
			b.script = true // of many lines; on one it is of no use
		}
	}
	b.brief.Commands = short
	b.brief.Summary = clip(b.brief.Summary)
	for i := range b.brief.Facts {
		b.brief.Facts[i].Value = clip(b.brief.Facts[i].Value)
	}
	var notes []string
	if len(left) > 0 {
		notes = append(notes, "attachments left out, too large: "+strings.Join(left, ", "))
	}
	if link == "" { // else it stands below, where nothing is escaped and people can follow it
		notes = append(notes, sink.Where(r, ""))
	}
	b.where = strings.Join(notes, "; ")
	return b
}

// clip keeps a single long value from pushing all else off the screen; it returns raw text.
func clip(text string) string {
	const most = 1000
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i] + "…"
		}
	}
	return text
}

// pieces are those of the brief without the headline, with what to do first behind what happened where.
func (b body) pieces(around func(label string) (before, after string), below string) []sink.Piece {
	pieces := b.brief.Pieces(func(label string) (string, string) {
		before, after := around(label)
		if label == sink.LabelAction && b.script && b.whole != "" {
			after = below + after
		}
		return before, after
	})
	return pieces[1:]
}

const labelWidth = 13 // of the longest label, and a colon

// text is the part for programs that show no HTML.
func (b body) text() string {
	around := func(label string) (string, string) { return fmt.Sprintf("%-*s ", labelWidth, label+":"), "\n" }
	text := fit(b.brief.Headline, 500, visible) + "\n\n" + sink.Fit{
		Limit: maxBrief, Measure: sink.Runes, Escape: visible, Where: b.where, NoteBefore: "\n", NoteAfter: "\n",
	}.Text(b.pieces(around, " (commands: below)"))
	if b.link != "" {
		text += "\nWhole report: " + b.link + "\n"
	}
	if b.whole != "" {
		text += "\n" + strings.Repeat("-", 72) + "\n\n" + b.whole
	}
	return text
}

// visible is text for both parts. Mail programs make a link of what looks like an address, and filters
// fetch it, which tells the attacker.
func visible(text string) string { return defang(report.Visible(text)) }

func defang(text string) string { return strings.ReplaceAll(text, "://", "[://]") }

// escape is text of the alert in HTML.
func escape(text string) string { return html.EscapeString(visible(text)) }

// tones colour the edge of the headline.
var tones = map[report.Severity]string{
	report.Critical: "#c5352b", report.High: "#c5352b", report.Medium: "#c98a00", report.Low: "#2f8a47",
}

const (
	fontText = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
	fontCode = "font-family:Consolas,Menlo,monospace;"
	cell     = "padding:4px 12px 4px 0;vertical-align:top;"
)

// html is the part that most people see. Its styles stand in attributes, and it is a table, because that
// is what all mail programs show alike. It loads nothing.
func (b body) html() string {
	tone := tones[b.brief.Severity]
	if tone == "" {
		tone = "#7d8896"
	}
	headline := fit(b.brief.Headline, 500, visible)
	var w strings.Builder
	w.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>" + html.EscapeString(headline) + "</title></head>\n" +
		"<body style=\"margin:0;padding:16px;background:#ffffff;color:#1b242e;font-size:15px;line-height:1.45;" + fontText + "\">\n" +
		"<p style=\"margin:0 0 14px;padding:10px 14px;border-left:6px solid " + tone + ";background:#f4f6f8;font-size:18px;font-weight:bold;overflow-wrap:anywhere\">" +
		html.EscapeString(headline) + "</p>\n<table role=\"presentation\" style=\"border-collapse:collapse;max-width:860px\">\n")
	w.WriteString(sink.Fit{
		Limit: 3 * maxBrief, Measure: sink.Runes, Escape: escape, Where: b.where,
		NoteBefore: "<tr><td colspan=\"2\" style=\"padding:12px 0 4px;color:#55616e\">", NoteAfter: "</td></tr>\n",
	}.Text(b.pieces(row, " <span style=\"color:#55616e\">(commands: below)</span>")))
	w.WriteString("</table>\n")
	if b.link != "" {
		w.WriteString("<p style=\"margin:14px 0\"><a href=\"" + html.EscapeString(b.link) + "\">Open the whole report</a></p>\n")
	}
	if b.whole != "" {
		// The empty elements keep programs from making links; what is copied is as it was.
		whole := strings.ReplaceAll(html.EscapeString(b.whole), "://", ":<span>//</span>")
		w.WriteString("<hr style=\"border:0;border-top:1px solid #dde2e8;margin:20px 0\">\n<pre style=\"white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px;" +
			fontCode + "\">" + whole + "</pre>\n")
	}
	w.WriteString("</body></html>\n")
	return w.String()
}

// row is a line of the table. What a program chose is set in a font that shows it exactly.
func row(label string) (before, after string) {
	style := cell + "overflow-wrap:anywhere;"
	switch label {
	case sink.LabelCommand, sink.LabelProgram, sink.LabelParent, sink.LabelUser, sink.LabelHost, sink.LabelContainer,
		sink.LabelImage, sink.LabelPod, sink.LabelRun, sink.LabelID:
		style += fontCode
	case sink.LabelAction:
		style += "font-weight:bold;"
	}
	return "<tr><td style=\"" + cell + "color:#55616e;white-space:nowrap\">" + label + "</td><td style=\"" + style + "\">", "</td></tr>\n"
}
