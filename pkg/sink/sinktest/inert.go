package sinktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// CheckJSON says in which way received is not r as one line of JSON, for Harness.Inert.
func CheckJSON(r *report.Report, received []byte) error {
	want, err := report.Marshal(r)
	if err != nil {
		return err
	}
	if got := bytes.TrimSuffix(received, []byte("\n")); !bytes.Equal(got, want) {
		return fmt.Errorf("want the %d bytes of report.Marshal and a newline at most, got %d bytes: %.300q",
			len(want), len(got), got)
	}
	return nil
}

// CheckText says in which way received, text of several lines, shows more than plain printable
// text or has a line that begins with Injected, for Harness.Inert.
func CheckText(_ *report.Report, received []byte) error {
	if !utf8.Valid(received) {
		return errors.New("not UTF-8")
	}
	for line := range strings.Lines(string(received)) {
		line = strings.TrimSuffix(line, "\n")
		if report.Visible(line) != line {
			return fmt.Errorf("a line has characters that do not show: %.300q", line)
		}
		if strings.HasPrefix(strings.TrimLeft(line, " \t#>*-|"), Injected) {
			return fmt.Errorf("text of the alert begins a line: %.300q", line)
		}
	}
	return nil
}

// Env returns an environment for sinks under test. Its Render knows all formats, but writes little
// more than the ID in those for people. Stdout goes nowhere, State is new.
func Env() sink.Env {
	return sink.Env{Name: "test", Version: "1.2.3", Render: render, Stdout: io.Discard, State: new(State)}
}

func render(format string, r *report.Report) ([]byte, error) {
	switch format {
	case "json":
		return report.Marshal(r)
	case "cef":
		return fmt.Appendf(nil, "CEF:0|filelessd|filelessd|1|x|%s|5|externalId=%s",
			strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(report.Visible(r.Title)), r.ID), nil
	case "ecs", "ocsf":
		line, err := json.Marshal(map[string]string{"id": r.ID, "title": r.Title})
		return report.EscapeInvisible(line), err
	case "markdown":
		return fmt.Appendf(nil, "# `%s`\n\n%s\n\nID `%s`\n", report.Visible(r.Title), report.Visible(r.Summary), r.ID), nil
	case "html":
		return fmt.Appendf(nil, "<!DOCTYPE html>\n<h1>%s</h1>\n<p>%s</p>\n<p>ID %s</p>\n",
			html.EscapeString(report.Visible(r.Title)), html.EscapeString(report.Visible(r.Summary)), r.ID), nil
	case "text":
		return fmt.Appendf(nil, "%s\n%s\nid %s\n", report.Visible(r.Title), report.Visible(r.Summary), r.ID), nil
	default:
		return nil, sink.CheckFormat("format", format)
	}
}
