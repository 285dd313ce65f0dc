package smtp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	nethtml "golang.org/x/net/html"

	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// parsed is a mail as a mail program takes it apart.
type parsed struct {
	header      mail.Header
	subject     string
	text, html  string
	attachments map[string][]byte
}

func parse(t testing.TB, raw []byte) parsed {
	t.Helper()
	p, err := parseMail(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parseMail(raw []byte) (p parsed, err error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return p, err
	}
	p.header, p.attachments = m.Header, map[string][]byte{}
	for name, values := range m.Header {
		if len(values) != 1 {
			return p, fmt.Errorf("%d headers %s", len(values), name)
		}
	}
	if p.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return p, err
	}
	return p, p.part(textproto.MIMEHeader(m.Header), m.Body)
}

func (p *parsed) part(header textproto.MIMEHeader, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := p.part(part.Header, part); err != nil {
				return err
			}
		}
	}
	switch header.Get("Content-Transfer-Encoding") {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	default:
		return fmt.Errorf("encoding %q", header.Get("Content-Transfer-Encoding"))
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	disposition, names, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	switch {
	case disposition == "attachment":
		p.attachments[names["filename"]] = data
	case kind == "text/plain" && p.text == "":
		p.text = strings.ReplaceAll(string(data), "\r\n", "\n")
	case kind == "text/html" && p.html == "" && p.text != "":
		p.html = strings.ReplaceAll(string(data), "\r\n", "\n")
	default:
		return fmt.Errorf("another part of %s", kind)
	}
	return nil
}

// headerNames are all that a mail may have.
var headerNames = []string{
	"Auto-Submitted", "Content-Type", "Date", "From", "Importance", "In-Reply-To", "Message-Id", "Mime-Version", "Priority",
	"References", "Subject", "To", "User-Agent", "X-Auto-Response-Suppress", "X-Filelessd-Kind", "X-Filelessd-Report",
	"X-Filelessd-Score", "X-Filelessd-Severity", "X-Filelessd-Verdict", "X-Mailer", "X-Msmail-Priority", "X-Priority",
}

// elements are all that the HTML may have.
var elements = []string{"html", "head", "meta", "title", "body", "p", "table", "tbody", "tr", "td", "span", "b", "a", "hr", "pre"}

// texts checks a mail, and returns what a person is shown.
func texts(raw []byte) ([]string, error) {
	p, err := parseMail(raw)
	if err != nil {
		return nil, err
	}
	header, _, _ := strings.Cut(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n\n")
	for line := range strings.Lines(header) {
		if strings.TrimSpace(line) == "" {
			return nil, errors.New("a line of blanks in the header")
		}
	}
	for line := range strings.Lines(string(raw)) {
		if len(line) > 1000 {
			return nil, fmt.Errorf("a line of %d bytes", len(line))
		}
	}
	for name := range p.header {
		if !slices.Contains(headerNames, name) {
			return nil, fmt.Errorf("the header %s", name)
		}
	}
	to, err := mail.ParseAddressList(p.header.Get("To"))
	if err != nil || len(to) > maxRecipients {
		return nil, fmt.Errorf("to %v: %w", to, err)
	}
	if strings.Contains(p.subject, "\n") || utf8.RuneCountInString(p.subject) > maxSubject {
		return nil, fmt.Errorf("the subject %q", p.subject)
	}
	shown, err := textsOfHTML(p.html)
	if err != nil {
		return nil, err
	}
	for name, data := range p.attachments {
		if !strings.HasPrefix(name, "report-") || len(data) == 0 {
			return nil, fmt.Errorf("the attachment %q of %d bytes", name, len(data))
		}
	}
	return append(shown, p.subject, p.text), nil
}

// textsOfHTML reads the page as a browser does.
func textsOfHTML(page string) ([]string, error) {
	root, err := nethtml.Parse(strings.NewReader(page))
	if err != nil {
		return nil, err
	}
	var shown []string
	for n := range root.Descendants() {
		switch n.Type {
		case nethtml.TextNode:
			shown = append(shown, n.Data)
		case nethtml.ElementNode:
			if !slices.Contains(elements, n.Data) {
				return nil, fmt.Errorf("the element %s", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.Contains(a.Val, "url(") || a.Key == "src" ||
					a.Key == "href" && !strings.HasPrefix(a.Val, "https://filelessd.example/") {
					return nil, fmt.Errorf("the attribute %s=%q", a.Key, a.Val)
				}
			}
		case nethtml.CommentNode:
			return nil, errors.New("a comment")
		}
	}
	return shown, nil
}

var medium = sinktest.Medium{Texts: texts, Lines: true, Size: 10 << 20}
