package teams

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Teams takes messages of about 28 KB, and counts two bytes a character. The same number of bytes as
// UTF-8 is less than that for what reports are written in.
const (
	maxBytes = 28_000
	maxUnits = maxBytes / 2
	// maxCommands is how many commands there can be buttons for; more are in the whole report.
	maxCommands = 20
)

// message returns the request's body: a message with one card.
//
// A card is built as JSON text, piece by piece, so that Fit can count what Teams counts. All that
// came from the report stands in TextRuns, which are plain text by the format: a TextBlock or a Fact
// would have Markdown read from it, which the clients of Teams read in different ways, and where what
// a backslash does is not the same in all. The card uses nothing beyond version 1.2 of the
// format, which the clients on phones know.
func (t *teams) message(r *report.Report) []byte {
	b := sink.NewBrief(r)
	b.Commands = slices.DeleteFunc(b.Commands, func(c string) bool { return strings.TrimSpace(c) == "" })
	b.Commands = b.Commands[:min(len(b.Commands), maxCommands)]
	people := t.people
	if r.Severity.Rank() < t.from.Rank() {
		people = nil
	}
	head := `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,` +
		`"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2",` +
		`"fallbackText":` + quoted("filelessd wrote a report that this client can not show. "+sink.Where(r, t.link)) +
		`,"msteams":{"width":"Full"` + entities(people) + `},"body":[`
	mention := mentionBlock(people)
	tail := func(body string) string { return `]` + t.actions(r, commandsIn(body, b)) + `}}]}` }
	all := make([]string, len(b.Commands))
	for n := range all {
		all[n] = commandID(n)
	}

	body := sink.Fit{
		Limit: maxUnits - sink.UTF16(head+mention+tail(strings.Join(all, ","))), Measure: units, Escape: escape,
		Where: sink.Where(r, t.link), NoteBefore: block(`"separator":true`, "") + run(`"isSubtle":true,"size":"Small"`), NoteAfter: `"}]}`,
	}.Text(pieces(b))
	return []byte(head + mention + body + tail(body))
}

// commandsIn returns the numbers of the commands that had room. No text of a report looks like an id: a
// quote in it is escaped.
func commandsIn(body string, b sink.Brief) []int {
	var there []int
	for n := range b.Commands {
		if strings.Contains(body, commandID(n)) {
			there = append(there, n)
		}
	}
	return there
}

// units counts like Teams, and never less than half the bytes as UTF-8.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0x7ff { // three bytes, or two units
			n++
		}
	}
	return n
}

// pieces are those of the brief. Commands are hidden until somebody asks for them; they have lines
// of their own, in each of which all is visible.
func pieces(b sink.Brief) []sink.Piece {
	all := b.Pieces(func(label string) (string, string) { return around(label, b.Severity) })
	command := 0
	for i, p := range all {
		if p.Name != strings.ToLower(sink.LabelRun) {
			continue
		}
		all[i].Before = `{"type":"Container","isVisible":false,` + commandID(command) + `,"items":[` +
			block(`"spacing":"Small"`, "") + run(`"fontType":"Monospace","size":"Small"`) + escapeLines(p.Text)
		all[i].After, all[i].Text = `"}]}]},`, ""
		command++
	}
	return all
}

// around is what stands before and after the value of that label.
func around(label string, severity report.Severity) (before, after string) {
	switch label {
	case sink.LabelHeadline:
		return `{"type":"Container","style":"` + style(severity) + `","bleed":true,"items":[` +
			block("", "") + run(`"size":"Large","weight":"Bolder"`), `"}]}]},`
	case sink.LabelCommand:
		return block(`"spacing":"Small"`, label) + run(`"fontType":"Monospace"`), `"}]},`
	case sink.LabelAction:
		return block(`"separator":true,"spacing":"Medium"`, label) + run(`"weight":"Bolder"`), `"}]},`
	case sink.LabelSummary:
		return block(`"spacing":"Medium"`, "") + run(""), `"}]},`
	default:
		return block(`"spacing":"Small"`, label) + run(""), `"}]},`
	}
}

// block begins a paragraph, with the label if there is one.
func block(properties, label string) string {
	text := `{"type":"RichTextBlock",`
	if properties != "" {
		text += properties + `,`
	}
	text += `"inlines":[`
	if label != "" {
		text += run(`"weight":"Bolder"`) + label + `: "},`
	}
	return text
}

// run begins a text, which ends with "} and is JSON.
func run(properties string) string {
	if properties != "" {
		properties += ","
	}
	return `{"type":"TextRun",` + properties + `"text":"`
}

func style(s report.Severity) string {
	switch s {
	case report.Critical, report.High:
		return "attention"
	case report.Medium:
		return "warning"
	default:
		return "emphasis"
	}
}

func commandID(n int) string { return `"id":"command-` + strconv.Itoa(n) + `"` }

// actions are the buttons.
func (t *teams) actions(r *report.Report, commands []int) string {
	var buttons []string
	if len(commands) > 0 {
		var targets []string
		for _, n := range commands {
			targets = append(targets, `"command-`+strconv.Itoa(n)+`"`)
		}
		buttons = append(buttons, `{"type":"Action.ToggleVisibility","title":"Commands","targetElements":[`+strings.Join(targets, ",")+`]}`)
	}
	if t.link != "" {
		buttons = append(buttons, `{"type":"Action.OpenUrl","title":"Whole report","url":`+quoted(sink.LinkTo(r, t.link))+`}`)
	}
	if len(buttons) == 0 {
		return ""
	}
	return `,"actions":[` + strings.Join(buttons, ",") + `]`
}

// mentionBlock is the one TextBlock: it names the people, and nothing of the report.
func mentionBlock(people []person) string {
	if len(people) == 0 {
		return ""
	}
	var names []string
	for _, p := range people {
		names = append(names, "<at>"+p.name+"</at>")
	}
	return `{"type":"TextBlock","wrap":true,"text":` + quoted(strings.Join(names, " ")) + `},`
}

// entities says who the mentions are.
func entities(people []person) string {
	var list []string
	for _, p := range people {
		list = append(list, `{"type":"mention","text":`+quoted("<at>"+p.name+"</at>")+
			`,"mentioned":{"id":`+quoted(p.id)+`,"name":`+quoted(p.name)+`}}`)
	}
	if list == nil {
		return ""
	}
	return `,"entities":[` + strings.Join(slices.Compact(list), ",") + `]`
}

var inJSON = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted is text of ours as JSON.
func quoted(s string) string { return `"` + inJSON.Replace(report.Visible(s)) + `"` }

// active is what Teams or a client acts upon even in plain text: the tags of mentions, and the
// functions that cards have for times.
var active = regexp.MustCompile(`(?i)</?at\b|\{\{(?:DATE|TIME)\b`)

// escape makes raw text a part of a TextRun. What acts gets a blank after its first character, which
// is what a reader can see, and take out.
func escape(raw string) string {
	text := active.ReplaceAllStringFunc(report.Visible(raw), func(s string) string { return s[:1] + " " + s[1:] })
	return inJSON.Replace(text)
}

// escapeLines keeps the ends of lines.
func escapeLines(raw string) string {
	lines := strings.Split(strings.TrimSpace(raw), "\n")
	for i, line := range lines {
		lines[i] = escape(strings.ReplaceAll(line, "\t", "  "))
	}
	return strings.Join(lines, `\n`)
}
