package slack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// What Slack takes: characters of a header and of a text, and blocks of a message. What all blocks together
// may have is not published; it is a little more than 13,000, of which each block takes some.
const (
	maxHeader  = 150
	maxText    = 3000
	maxBlocks  = 50
	maxAll     = 12_500
	blockCosts = 150 // of the above, beside its texts
	maxNotice  = 300 // of a notification
	maxSummary = 2500
)

// message is what is posted. With blocks, the text is that of notifications.
type message struct {
	Channel   string  `json:"channel,omitempty"`
	Thread    string  `json:"thread_ts,omitempty"`
	Broadcast bool    `json:"reply_broadcast,omitempty"`
	Text      string  `json:"text"`
	Blocks    []block `json:"blocks"`
	// Nothing that a message names is fetched and shown, and names of channels and people in it are text.
	UnfurlLinks bool   `json:"unfurl_links"`
	UnfurlMedia bool   `json:"unfurl_media"`
	LinkNames   bool   `json:"link_names"`
	Parse       string `json:"parse"`
	Mrkdwn      bool   `json:"mrkdwn"` // of the text
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

// text is plain, in which names between colons stay text; or with markup, in which addresses and names that
// nobody marked stay text.
type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitempty"`
	Verbatim bool   `json:"verbatim,omitempty"`
}

func plain(s string) *text  { return &text{Type: "plain_text", Text: s, Emoji: new(bool)} }
func marked(s string) *text { return &text{Type: "mrkdwn", Text: s, Verbatim: true} }

// layout is how reports become messages.
type layout struct {
	mentions []string
	from     report.Severity // from which on they are made
	link     string
}

func (l layout) message(r *report.Report) message {
	b := sink.NewBrief(r)
	header := cut(b.Headline, maxHeader)
	m := message{Text: cut(b.Headline, maxNotice), Parse: "none"}
	add := func(kind string, t *text) {
		if t.Text != "" {
			m.Blocks = append(m.Blocks, block{Type: kind, Text: t})
		}
	}
	add("header", plain(header))
	if r.Severity.Rank() >= l.from.Rank() {
		add("section", marked(mention(l.mentions)))
	}
	if strings.HasSuffix(header, cutMark) {
		add("section", plain(cut(b.Headline, maxText/3)))
	}
	add("section", marked(facts(b)))
	if b.Action != "" {
		add("section", marked("*"+sink.LabelAction+":* `"+codeCut(b.Action, maxText/6)+"`"))
	}
	summary := cut(b.Summary, maxSummary)
	add("section", plain(summary))
	end := l.end(r, b)
	if titles := next(b); titles != "" {
		end = append([]block{{Type: "section", Text: plain(titles)}}, end...)
	}
	commands, left := commandBlocks(b.Commands, maxAll-size(m.Blocks)-size(end)-maxText/10, maxBlocks-len(m.Blocks)-len(end)-1)
	m.Blocks = append(m.Blocks, commands...)
	var notes []string
	if left > 0 {
		notes = append(notes, fmt.Sprintf("left out: %d of the %d commands of the first action", left, len(b.Commands)))
	}
	if strings.HasSuffix(summary, cutMark) && !strings.HasSuffix(b.Summary, cutMark) {
		notes = append(notes, "cut: summary")
	}
	if len(notes) > 0 {
		m.Blocks = append(m.Blocks, block{Type: "context", Elements: []text{*marked("_" + strings.Join(notes, "; ") + "_")}})
	}
	m.Blocks = append(m.Blocks, end...)
	return m
}

// size is what blocks take of maxAll.
func size(blocks []block) int {
	n := blockCosts * len(blocks)
	for _, b := range blocks {
		if b.Text != nil {
			n += sink.UTF16(b.Text.Text)
		}
		for _, e := range b.Elements {
			n += sink.UTF16(e.Text)
		}
	}
	return n
}

// notFacts are the pieces of a brief that have blocks of their own.
var notFacts = []string{
	sink.LabelHeadline, sink.LabelAction, sink.LabelRun, sink.LabelSummary, sink.LabelNext, sink.LabelUnknown,
	sink.LabelAttack, sink.LabelID,
}

// facts is one text. Values stand in code, where Slack reads no markup, so that all it takes to keep a
// value there is that it has no backtick.
func facts(b sink.Brief) string {
	pieces := b.Pieces(func(label string) (string, string) {
		after := "`\n"
		switch label {
		case sink.LabelVerdict, sink.LabelScore, sink.LabelConfidence: // on one line with what follows
			after = "`   "
		}
		return "*" + strings.ReplaceAll(label, "&", "&amp;") + ":* `", after
	})
	pieces = slices.DeleteFunc(pieces, func(p sink.Piece) bool {
		return slices.ContainsFunc(notFacts, func(label string) bool { return strings.ToLower(label) == p.Name })
	})
	return strings.TrimSpace(sink.Fit{Limit: maxText, Measure: sink.UTF16, Escape: code, NoteBefore: "_", NoteAfter: "_"}.Text(pieces))
}

// runLabel stands before each command.
const runLabel = "*" + sink.LabelRun + ":*\n"

// commandBlocks are the commands that there is room for, whole; left counts the others.
func commandBlocks(commands []string, room, most int) (blocks []block, left int) {
	for _, c := range commands {
		if strings.TrimSpace(c) == "" {
			continue
		}
		t := runLabel + "```\n" + codeLines(c) + "\n```"
		n := sink.UTF16(t)
		if n > maxText || n+blockCosts > room || len(blocks) >= most {
			left++
			continue
		}
		room -= n + blockCosts
		blocks = append(blocks, block{Type: "section", Text: marked(t)})
	}
	return blocks, left
}

// next lists the titles of the other actions.
func next(b sink.Brief) string {
	if len(b.Next) == 0 {
		return ""
	}
	var pieces []sink.Piece
	for i, title := range b.Next {
		pieces = append(pieces, sink.Piece{Name: "actions", Before: fmt.Sprintf("%d. ", i+2), After: "\n", Text: title})
	}
	return strings.TrimSpace(sink.Fit{Limit: maxText / 3, Measure: sink.UTF16, Escape: escape}.Text(pieces))
}

// end is what stands below, small: where the whole report is, and under which id.
func (l layout) end(r *report.Report, b sink.Brief) []block {
	var about []string
	if len(b.Attack) > 0 {
		about = append(about, "MITRE ATT&amp;CK `"+codeCut(strings.Join(b.Attack, ", "), maxText/6)+"`")
	}
	if b.Unknown > 0 {
		about = append(about, fmt.Sprintf("not known: %d", b.Unknown))
	}
	about = append(about, "ID `"+code(b.ID)+"`")
	where := escape(sink.Where(r, ""))
	if l.link != "" {
		where = "<" + address.Replace(sink.LinkTo(r, l.link)) + "|Whole report>"
	}
	return []block{{Type: "context", Elements: []text{*marked(strings.Join(about, " · ")), *marked(where)}}}
}

// mention writes the operator's mentions.
func mention(ids []string) string {
	var all []string
	for _, id := range ids {
		switch {
		case id == "channel" || id == "here" || id == "everyone":
			all = append(all, "<!"+id+">")
		case strings.HasPrefix(id, "S"):
			all = append(all, "<!subteam^"+id+">")
		default:
			all = append(all, "<@"+id+">")
		}
	}
	return strings.Join(all, " ")
}
