package sink

import (
	"fmt"
	"slices"
	"strings"
)

// Formats lists the formats that Env.Render knows.
func Formats() []string { return []string{"cef", "ecs", "html", "json", "markdown", "ocsf", "text"} }

// OneLine reports whether a report in that format is one line without a newline, so that a file of such
// lines can be read line by line: JSON, or CEF.
func OneLine(format string) bool {
	return format == "json" || format == "ecs" || format == "ocsf" || format == "cef"
}

// CheckFormat returns an error that begins with key if format is none of Formats.
func CheckFormat(key, format string) error { return checkFormat(key, format, Formats()) }

func checkFormat(key, format string, known []string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return fmt.Errorf("%s: unknown format %q; known are %s", key, format, strings.Join(known, ", "))
}
