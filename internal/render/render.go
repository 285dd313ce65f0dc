package render

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// Formats lists the formats that Render knows.
func Formats() []string { return []string{"cef", "ecs", "html", "json", "markdown", "ocsf", "text"} }

// Render writes r in one of Formats.
func Render(format string, r *report.Report) ([]byte, error) {
	switch format {
	case "cef":
		return CEF(r), nil
	case "ecs":
		return ECS(r)
	case "html":
		return HTML(r), nil
	case "json":
		return JSON(r)
	case "markdown":
		return Markdown(r), nil
	case "ocsf":
		return OCSF(r)
	case "text":
		return Text(r), nil
	default:
		return nil, fmt.Errorf("render: unknown format %q; known are %s", format, strings.Join(Formats(), ", "))
	}
}

// JSON writes r as one line without a newline.
func JSON(r *report.Report) ([]byte, error) { return report.Marshal(r) }
