package analyze

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/report"
)

// describe writes title and summary: plain text in which every value of the alert is quoted.
func (a *Analyzer) describe(s *subject) {
	s.report.Title = sentence(s.what() + s.where())
	var b strings.Builder
	b.WriteString(s.report.Title + s.moment() + s.who() + ".")
	if s.Cmdline != "" {
		fmt.Fprintf(&b, " Command line: %s.", quoted(s.Cmdline))
	}
	b.WriteString(" " + a.conclusion(s))
	if n := len(s.report.Unknowns); n > 0 && s.report.Confidence != report.HighConfidence {
		fmt.Fprintf(&b, " The alert leaves %s open; the unknowns say how to learn it.", count(n, "thing"))
	}
	s.report.Summary = b.String()
}

func (s *subject) what() string {
	if s.Failed() {
		return "failed attempt of " + s.hits[0].Name
	}
	return s.hits[0].Name
}

func (s *subject) where() string {
	var b strings.Builder
	switch {
	case s.Pod != "" && s.Namespace != "":
		fmt.Fprintf(&b, " in pod %s/%s", quote(s.Namespace), quote(s.Pod))
	case s.Pod != "":
		fmt.Fprintf(&b, " in pod %s", quote(s.Pod))
	case s.InContainer() && s.ContainerName != "":
		fmt.Fprintf(&b, " in container %s (%s)", quote(s.ContainerName), quote(s.ContainerID))
	case s.InContainer():
		fmt.Fprintf(&b, " in container %s", quote(s.ContainerID))
	}
	if s.Hostname != "" {
		fmt.Fprintf(&b, " on %s", quote(s.Hostname))
	}
	return b.String()
}

func (s *subject) moment() string {
	if s.event.Time.IsZero() {
		return ", at a time that the alert does not tell"
	}
	return ", at " + s.event.Time.Format("2006-01-02 15:04:05.000000000") + " UTC"
}

func (s *subject) who() string {
	var b strings.Builder
	switch {
	case s.User != "":
		fmt.Fprintf(&b, ", as user %s", quote(s.User))
	case s.UID != "":
		fmt.Fprintf(&b, ", as user ID %s", quote(s.UID))
	}
	switch {
	case s.Parent != "":
		fmt.Fprintf(&b, ", started by %s", quote(s.Parent))
	case s.ParentPath != "":
		fmt.Fprintf(&b, ", started by %s", quote(match.Base(s.ParentPath)))
	}
	return b.String()
}

// conclusion is what the verdict rests on, in a sentence or two.
func (a *Analyzer) conclusion(s *subject) string {
	switch s.report.Verdict {
	case report.Test:
		return s.testConclusion()
	case report.BenignLikely:
		if f, ok := s.extreme(-1); ok {
			return fmt.Sprintf("Probably harmless (score %d of 100), which %s carries: %s.", s.report.Score, f.ID, f.Reason)
		}
		f := s.report.Factors[0]
		return fmt.Sprintf("Probably harmless (score %d of 100): the evidence is weak, %s: %s.", s.report.Score, f.ID, f.Reason)
	case report.MaliciousLikely:
		return fmt.Sprintf("Probably malicious (score %d of 100): %s.", s.report.Score, s.raising())
	default:
		return fmt.Sprintf("Suspicious (score %d of 100): %s.", s.report.Score, s.raising())
	}
}

func (s *subject) testConclusion() string {
	switch {
	case s.report.Confidence == report.HighConfidence && s.has("L3"):
		return "Probably a test of the sensor: arguments, parent and image are those of Falco's event-generator. Its owner should confirm it."
	case s.report.Confidence == report.HighConfidence:
		return "Probably a test of the sensor: arguments and parent are those of Falco's event-generator. Its owner should confirm it."
	default:
		return "Perhaps a test of the sensor: the arguments are those of Falco's event-generator, but anyone can copy them, and parent and image do not both confirm it. Do not close it before somebody has."
	}
}

// extreme returns the factor with the largest weight of that sign.
func (s *subject) extreme(sign int) (best report.Factor, ok bool) {
	for _, f := range s.report.Factors {
		if f.Weight*sign > 0 && (!ok || f.Weight*sign > best.Weight*sign) {
			best, ok = f, true
		}
	}
	return best, ok
}

// raising joins the reasons of what raised the score.
func (s *subject) raising() string {
	var reasons []string
	for _, f := range s.report.Factors {
		if f.Weight > 0 {
			reasons = append(reasons, f.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// sentence begins s with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func count(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

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

func isWord(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}
