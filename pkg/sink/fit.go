package sink

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
)

// A Piece is a part of a text that Fit builds: a field, a paragraph.
type Piece struct {
	// Name is what the note calls the piece if it is left out or cut, such as "command line". Pieces
	// of one name are named once.
	Name string
	// Before and After are the sink's own: a label, markup, the end of the line. They are neither
	// escaped nor cut: where they stand, both stand.
	Before, After string
	// Text is raw; it is cut and then escaped.
	Text string
	// Required pieces get their room before all others, in their order, and are cut where others are
	// left out. All pieces keep their place.
	Required bool
	// Whole says that a part of the text is worse than nothing, as of a number or a command that
	// somebody may run. Such a piece is never cut, even if it is required.
	Whole bool
}

// Fit builds a text of pieces within a limit. What does not fit is left out or cut, and a note at the
// end says so and where the whole is.
//
//	text := sink.Fit{Limit: 3000, Measure: sink.UTF16, Escape: mrkdwn, Where: sink.Where(r, "")}.
//		Text(sink.NewBrief(r).Pieces(nil))
//
// The result never measures more than Limit, and is valid UTF-8. A cut never parts a rune, and never
// an escape sequence: the raw text is cut, and then escaped. A single long value does not displace the
// others: if not everything fits, no piece takes more than a quarter until all had their turn.
type Fit struct {
	Limit int
	// Measure is how the medium counts: Bytes, Runes or UTF16. Nil is Bytes. It must count a text as
	// the sum of its parts.
	Measure func(string) int
	// Escape makes raw text harmless for the medium, and leaves nothing to what stands around it. Nil
	// is report.Visible, for media that have no markup.
	Escape func(string) string
	// Where says where the whole report is, as raw text: see Where. Empty says nothing.
	Where string
	// NoteBefore and NoteAfter stand around the note, like a piece's Before and After.
	NoteBefore, NoteAfter string
}

// Bytes is len, for media that count bytes.
func Bytes(s string) int { return len(s) }

// Runes counts code points.
func Runes(s string) int { return utf8.RuneCountInString(s) }

// UTF16 counts as JavaScript, Java and .NET do: two for what is beyond U+FFFF.
func UTF16(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// IDInLink is what stands for the report's ID in a link of the configuration.
const IDInLink = "{id}"

// Where says where the whole of r is: at link, in which IDInLink stands for the ID, or, if that is
// empty, in filelessd's log.
func Where(r *report.Report, link string) string {
	if link == "" {
		return "whole report: filelessd explain " + r.ID + " on the host that runs filelessd"
	}
	return "whole report: " + LinkTo(r, link)
}

// LinkTo is the address of r by a link of the configuration, empty if that is.
func LinkTo(r *report.Report, link string) string {
	return strings.ReplaceAll(link, IDInLink, url.PathEscape(r.ID))
}

// CheckLink returns an error that begins with key unless link is empty, or an address with IDInLink.
func CheckLink(key, link string) error {
	if link == "" {
		return nil
	}
	if _, err := ParseURL(Secret(strings.ReplaceAll(link, IDInLink, "0"))); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if !strings.Contains(link, IDInLink) {
		return fmt.Errorf("%s: want %s in it, for the report's id", key, IDInLink)
	}
	return nil
}

// Pieces are those of the brief, the most important first; verdict, score, host, container, command
// line and the first action are required. around gives what stands before and after the piece of
// that label; nil is "label: " and the end of the line.
func (b Brief) Pieces(around func(label string) (before, after string)) []Piece {
	if around == nil {
		around = func(label string) (string, string) { return label + ": ", "\n" }
	}
	var pieces []Piece
	add := func(label, text string, whole bool) {
		if text == "" {
			return
		}
		before, after := around(label)
		pieces = append(pieces, Piece{
			Name: strings.ToLower(label), Before: before, After: after, Text: text,
			Required: slices.Contains(requiredLabels, label), Whole: whole,
		})
	}
	add(LabelHeadline, b.Headline, false)
	for _, f := range b.Facts {
		add(f.Label, f.Value, false)
	}
	add(LabelAction, b.Action, false)
	for _, c := range b.Commands {
		add(LabelRun, c, true) // half a command may do something else
	}
	add(LabelSummary, b.Summary, false)
	for _, n := range b.Next {
		add(LabelNext, n, false)
	}
	if b.Unknown > 0 {
		add(LabelUnknown, fmt.Sprintf("%d facts that the alert does not tell", b.Unknown), true)
	}
	add(LabelAttack, strings.Join(b.Attack, ", "), false)
	add(LabelID, b.ID, true)
	return pieces
}

var requiredLabels = []string{
	LabelHeadline, LabelVerdict, LabelScore, LabelAlerts, LabelHost, LabelContainer, LabelCommand, LabelAction,
}
