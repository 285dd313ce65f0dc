package sink

import (
	"fmt"
	"slices"
	"strings"
)

// Formats lists the formats that Env.Render knows.
func Formats() []string { return []string{"html", "json", "markdown", "text"} }

// CheckFormat returns an error that begins with key if format is none of Formats.
func CheckFormat(key, format string) error {
	if slices.Contains(Formats(), format) {
		return nil
	}
	return fmt.Errorf("%s: unknown format %q; known are %s", key, format, strings.Join(Formats(), ", "))
}
