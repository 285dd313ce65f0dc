package smtp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// maxSubject is in characters; what mail programs show is shorter still.
const maxSubject = 180

// maxAttachment is in bytes, before base64. Most servers take mails of 10 MB.
const maxAttachment = 3 << 20

// message returns the mail about r as it goes over the wire.
func (m *mailer) message(r *report.Report, thread string) ([]byte, error) {
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	msg.ToMailAddress(m.to...)
	msg.SetDateWithValue(m.now())
	m.headers(msg, r, thread)

	left, err := m.attach(msg, r)
	if err != nil {
		return nil, err
	}
	var whole string
	if m.config.Report {
		if whole, err = m.whole(r); err != nil {
			return nil, err
		}
	}
	b := newBody(r, m.config.Link, whole, left)
	msg.SetBodyString(gomail.TypeTextPlain, b.text())
	msg.AddAlternativeString(gomail.TypeTextHTML, b.html())
	var out bytes.Buffer
	if _, err := msg.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write the mail: %w", err)
	}
	return out.Bytes(), nil
}

// headers sets all but the addresses. Of a report only the subject has text; all else are words of ours
// and numbers.
func (m *mailer) headers(msg *gomail.Msg, r *report.Report, thread string) {
	msg.SetMessageIDWithValue(m.messageID(r.ID))
	if thread != r.ID {
		// The head of a thread need not exist: mail programs put together what refers to the same.
		root := "<" + m.messageID(thread) + ">"
		msg.SetGenHeader(gomail.HeaderInReplyTo, root)
		msg.SetGenHeader(gomail.HeaderReferences, root)
	}
	msg.Subject(m.subject(r))
	agent := "filelessd"
	if m.env.Version != "" {
		agent += "/" + m.env.Version
	}
	msg.SetUserAgent(agent)
	if r.Severity == report.Critical || r.Severity == report.High {
		msg.SetImportance(gomail.ImportanceHigh)
	}
	// So that nobody's absence is answered.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	// For filters of the recipients.
	msg.SetGenHeader("X-Filelessd-Report", word(r.ID))
	msg.SetGenHeader("X-Filelessd-Kind", word(string(r.Kind)))
	if r.Severity != "" {
		msg.SetGenHeader("X-Filelessd-Severity", word(string(r.Severity)))
	}
	if r.Verdict != "" {
		msg.SetGenHeader("X-Filelessd-Verdict", word(string(r.Verdict)))
		msg.SetGenHeader("X-Filelessd-Score", strconv.Itoa(r.Score))
	}
}

// messageID is the same for each delivery of a report, and so is that of a thread.
func (m *mailer) messageID(key string) string {
	_, domain, _ := strings.Cut(m.from.Address, "@")
	return word(key) + "@" + domain
}

// word is text that can stand in a header without quotes. IDs and keys are such words anyhow.
func word(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, text)
	return clean[:min(len(clean), 200)]
}

// subject is one line. A mail program decodes what has the form of an encoded word (=?utf-8?…?=) even
// if it was text, and so would show what is hidden in there; its beginning is broken up. Runs of blanks
// become one: headers are folded at blanks, and a line of nothing else, which RFC 5322 forbids, is the end of
// the header to some readers.
func (m *mailer) subject(r *report.Report) string {
	text := sink.NewBrief(r).Headline
	if r.Severity != "" {
		text = strings.ToUpper(string(r.Severity)) + " " + text
	}
	text = fit(strings.TrimSpace(m.config.SubjectPrefix+" "+text), maxSubject, func(s string) string {
		return strings.ReplaceAll(report.Visible(s), "=?", `=\x3f`)
	})
	return strings.Join(strings.Fields(text), " ")
}

// fit is text that is escaped, cut to that many characters without a note.
func fit(text string, limit int, escape func(string) string) string {
	const note = "\x00" // which text that shows does not have
	text, _, _ = strings.Cut(sink.Fit{Limit: limit, Measure: sink.Runes, Escape: escape, NoteBefore: note}.
		Text([]sink.Piece{{Text: text, Required: true}}), note)
	return text
}

// attach adds the attachments, and returns what it left out.
func (m *mailer) attach(msg *gomail.Msg, r *report.Report) (left []string, err error) {
	for _, format := range m.config.Attach {
		data, err := m.env.Render(format, r)
		if err != nil {
			return nil, err
		}
		if len(data) > maxAttachment {
			left = append(left, fmt.Sprintf("%s (%d KB)", format, len(data)>>10))
			continue
		}
		kind := fileKinds[format]
		id := word(r.ID)
		name := "report-" + id[:min(12, len(id))] + kind.suffix
		if err := msg.AttachReader(name, bytes.NewReader(data), gomail.WithFileContentType(kind.media)); err != nil {
			return nil, fmt.Errorf("attach %s: %w", format, err)
		}
	}
	return left, nil
}

// fileKinds is what attachments are called; by the suffix people's programs open them.
var fileKinds = map[string]struct {
	suffix string
	media  gomail.ContentType
}{
	"json": {".json", "application/json"}, "ecs": {".ecs.json", "application/json"}, "ocsf": {".ocsf.json", "application/json"},
	"html": {".html", "text/html"}, "markdown": {".md", "text/markdown"}, "text": {".txt", "text/plain"}, "cef": {".cef", "text/plain"},
}
