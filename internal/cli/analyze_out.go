package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

// paper is stdout. On a terminal each result appears at once, without the progress in its way.
type paper struct {
	*bufio.Writer
	terminal bool
	progress *progress
}

func newPaper(p *program, shown *progress) paper {
	return paper{bufio.NewWriterSize(p.Stdout, 64<<10), p.StdoutIsTerminal, shown}
}

func (w paper) put(b []byte) error {
	_, err := w.Write(b)
	if err == nil && w.terminal {
		w.progress.clear()
		err = w.Flush()
	}
	return err
}

func (w paper) close() error { return w.Flush() }

// pages are reports to be read one after the other, with a blank line between them.
type pages struct {
	paper
	format string
	style  render.TextStyle
	some   bool
}

func (p *pages) report(r *report.Report, why []match.Check) error {
	page := p.style.Text(r)
	if p.format == "markdown" {
		page = render.Markdown(r)
	}
	if why != nil {
		page = append(append(page, '\n'), p.explained(&render.Explained{Event: r.Event, Matched: true, Checks: checksOf(why)})...)
	}
	return p.page(page)
}

func (p *pages) miss(m miss) error {
	place := fmt.Sprintf("%s:%d", m.file, m.line)
	return p.page(p.explained(&render.Explained{Event: m.event, Place: place, Checks: checksOf(m.why)}))
}

func (p *pages) bad(string, int, error) (bool, error) { return false, nil }

func (p *pages) explained(x *render.Explained) []byte {
	if p.format == "markdown" {
		return render.MarkdownExplained(x)
	}
	return p.style.Explained(x)
}

func (p *pages) page(body []byte) error {
	if p.some {
		body = append([]byte("\n"), body...)
	}
	p.some = true
	return p.put(body)
}

// lines is one line of JSON for each report; for each line of input if all is set.
type lines struct {
	paper
	format string
	all    bool
}

func (l *lines) report(r *report.Report, why []match.Check) error {
	body, err := render.Render(l.format, r)
	if err != nil {
		return err
	}
	if l.all {
		head := []byte(`{"matched":true,`)
		if why != nil {
			explain, err := json.Marshal(explanationOf(why))
			if err != nil {
				return err
			}
			head = append(append(append(head, `"explain":`...), report.EscapeInvisible(explain)...), ',')
		}
		body = append(head, body[1:]...)
	}
	return l.put(append(bytes.TrimSpace(body), '\n'))
}

func (l *lines) miss(m miss) error {
	return l.record(struct {
		Matched bool           `json:"matched"`
		File    string         `json:"file"`
		Line    int            `json:"line"`
		ID      string         `json:"id"`
		Rule    string         `json:"rule"`
		Explain []explainCheck `json:"explain,omitempty"`
	}{false, m.file, m.line, m.event.ID(), m.event.Rule, explanationOf(m.why)})
}

func (l *lines) bad(file string, line int, err error) (bool, error) {
	if !l.all {
		return false, nil
	}
	return true, l.record(struct {
		Matched bool   `json:"matched"`
		File    string `json:"file"`
		Line    int    `json:"line"`
		Error   string `json:"error"`
	}{false, file, line, report.Visible(err.Error())})
}

func (l *lines) record(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.put(append(report.EscapeInvisible(line), '\n'))
}
