package analyze

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// quote makes a value of the alert safe inside plain text: a simple word stands for itself,
// anything else is quoted.
func quote(value string) string {
	if isWord(value) {
		return value
	}
	return quoted(value)
}

// quoted puts a value in quotes that it can not leave: its own quotes are escaped, what can not be
// seen is shown, and a long one is cut.
func quoted(value string) string {
	const most = 120 // characters, before what can not be seen is written out
	whole, rest := value, ""
	n := 0
	for i := range value {
		if n++; n > most {
			whole, rest = value[:i], fmt.Sprintf("… (%d bytes)", len(value))
			break
		}
	}
	return `"` + report.Visible(escapeQuotes.Replace(whole)) + `"` + rest
}

var escapeQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// isWord reports whether s reads as a word. Full stops at its ends, or two in a row, would read as the end
// of a sentence or as a gap in it.
func isWord(s string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return len(s) <= 64 && strings.Trim(s, plain) == "" && strings.Trim(s, "._-") != "" &&
		strings.Trim(s, ".") == s && !strings.Contains(s, "..")
}
