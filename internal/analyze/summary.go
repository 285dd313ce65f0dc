package analyze

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/report"
)

// describe writes title and summary: plain text in which every value of the alert is quoted.
func (a *Analyzer) describe(s *subject) {
	s.report.Title = sentence(s.what() + s.where())
	parts := []string{a.deed(s)}
	if s.Cmdline != "" {
		parts = append(parts, s.command())
	}
	parts = append(parts, a.conclusion(s)...)
	s.report.Summary = strings.Join(parts, " ")
}

func (s *subject) what() string {
	if s.onlyTried(s.hits[0]) {
		return "failed attempt: " + s.hits[0].Name
	}
	return s.hits[0].Name
}

// where begins with a space, or is empty if the alert does not tell.
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
	case s.OnHost() && s.Hostname == "":
		b.WriteString(" outside of any container")
	}
	if s.Hostname != "" {
		fmt.Fprintf(&b, " on %s", quote(s.Hostname))
	}
	return b.String()
}

// deed is the sentence that says who did what, where and when.
func (a *Analyzer) deed(s *subject) string {
	d := a.deedOf(s.hits[0])
	var b strings.Builder
	if s.event.Time.IsZero() {
		b.WriteString("At a time that the alert does not tell")
	} else {
		b.WriteString("At " + s.event.Time.Format("2006-01-02 15:04:05.000000000") + " UTC")
	}
	b.WriteString(s.where() + ", a process" + s.who())
	switch {
	case s.onlyTried(s.hits[0]):
		fmt.Fprintf(&b, " tried to %s and failed (%s); what the alert says of the process describes this caller.", d.ToDo, quote(s.Result))
	case s.Failed():
		fmt.Fprintf(&b, ", which %s, tried to execute another program and failed (%s): %s.", d.Is, quote(s.Result), d.So)
	default:
		fmt.Fprintf(&b, " %s: %s.", d.Did, d.So)
	}
	if s.hits[0].Predicate == "memfd_rule" {
		b.WriteString(" So says Falco's stock rule; the flag that it tests is not in the alert.")
	}
	return b.String()
}

// deedOf has the words of the predicate, and those of its technique where it has none.
func (a *Analyzer) deedOf(h match.Hit) knowledge.Deed {
	t, p, ok := a.base.Predicate(h.Predicate)
	if !ok { // an operator's rule
		t, _ = a.base.Technique(h.Technique)
	}
	d := t.Deed
	for _, w := range [...]struct{ to, from *string }{
		{&d.Did, &p.Deed.Did}, {&d.Is, &p.Deed.Is}, {&d.ToDo, &p.Deed.ToDo}, {&d.So, &p.Deed.So},
	} {
		if *w.from != "" {
			*w.to = *w.from
		}
	}
	return d
}

// who begins with a space, or is empty if the alert does not tell.
func (s *subject) who() string {
	var b strings.Builder
	switch {
	case s.User != "":
		fmt.Fprintf(&b, " of user %s", quote(s.User))
	case s.UID != "":
		fmt.Fprintf(&b, " of user ID %s", quote(s.UID))
	}
	switch {
	case s.Parent != "":
		fmt.Fprintf(&b, " (child of %s)", quote(s.Parent))
	case s.ParentPath != "":
		fmt.Fprintf(&b, " (child of %s)", quote(match.Base(s.ParentPath)))
	}
	return b.String()
}

func (s *subject) command() string {
	text := fmt.Sprintf("The command line is %s", quoted(s.Cmdline))
	_, memfd := s.hit("memfd_exec")
	_, script := s.hit("fd_script")
	if (memfd || script) && startsWithNumber(s.Cmdline) {
		text += ", where the number stands for a file descriptor and not for a program"
	}
	return text + "."
}

// conclusion is the verdict in words, what it rests on, and what settles it.
func (a *Analyzer) conclusion(s *subject) []string {
	r := s.report
	var says []string
	switch r.Verdict {
	case report.Test:
		says = append(says, s.testConclusion())
	case report.BenignLikely:
		says = append(says, s.harmless())
	case report.MaliciousLikely:
		says = append(says, fmt.Sprintf("Probably malicious (score %d of 100): %s.", r.Score, a.raising(s)))
	default:
		says = append(says, fmt.Sprintf("Suspicious (score %d of 100): %s.", r.Score, a.raising(s)))
	}
	if r.Verdict != report.Test && len(r.Explanations) > 1 {
		says = append(says, fmt.Sprintf("Explanations, the likeliest first: %s; or %s.", r.Explanations[0].Statement, r.Explanations[1].Statement))
	}
	if r.Confidence == report.LowConfidence {
		says = append(says, "Confidence is low, because the alert holds little.")
	}
	return append(says, s.next())
}

// next says what to do in general words; the actions have the commands.
func (s *subject) next() string {
	switch {
	case s.report.Verdict == report.Test && s.report.Confidence == report.HighConfidence:
		return "The first action shows whether its owner confirms it; then close it."
	case s.report.Verdict == report.BenignLikely:
		return "The first action confirms it or not."
	case s.report.Verdict == report.MaliciousLikely:
		return "Treat it as an incident: begin with the first action, and until the evidence is taken restart, remove and close nothing."
	default:
		return "Begin with the first action; until the question is settled restart, remove and close nothing."
	}
}

func (s *subject) testConclusion() string {
	switch {
	case s.report.Confidence == report.HighConfidence && s.has("L3"):
		return "Probably a test of the sensor: arguments, parent and image are those of Falco's event-generator."
	case s.report.Confidence == report.HighConfidence:
		return "Probably a test of the sensor: arguments and parent are those of Falco's event-generator."
	}
	text := "Perhaps a test of the sensor, not confirmed: the arguments are those with which Falco's event-generator " +
		"sets off this rule and does nothing further, but anyone can copy them."
	switch open := s.open([]string{"proc.pname|proc.pexepath", "container.image.repository"}); {
	case len(open) == 2:
		text += " The parent and the image, which would settle it, are not in the alert."
	case len(open) == 1 && open[0] == "proc.pname":
		text += " The parent, which would settle it, is not in the alert."
	case len(open) == 1:
		text += " The image, which would settle it, is not in the alert."
	default:
		text += " Parent and image do not both confirm it."
	}
	return text + " If nobody ran a test, treat it as an intrusion."
}

// harmless names what the verdict rests on.
func (s *subject) harmless() string {
	if f, ok := s.lowering(); ok {
		return fmt.Sprintf("Probably harmless (score %d of 100), which factor %s carries: %s.", s.report.Score, f.ID, f.Reason)
	}
	f := s.report.Factors[0]
	return fmt.Sprintf("Probably harmless (score %d of 100), because the evidence is weak, factor %s: %s.", s.report.Score, f.ID, f.Reason)
}

// lowering returns the factor that lowers the score most.
func (s *subject) lowering() (best report.Factor, ok bool) {
	for _, f := range s.report.Factors {
		if f.Weight < 0 && (!ok || f.Weight < best.Weight) {
			best, ok = f, true
		}
	}
	return best, ok
}

// raising joins the reasons of what raised the score beyond the technique, which has been told, and
// beyond what most alerts share.
func (a *Analyzer) raising(s *subject) string {
	const common = 5
	var reasons []string
	for _, f := range s.report.Factors[1:] {
		switch {
		case f.Weight <= common:
		case f.ID == "R4" && len(serviceAbove(a, s)) == 0:
			reasons = append(reasons, "started in a session from the network")
		case f.ID == "R4":
			reasons = append(reasons, "started below a network-facing service")
		default:
			reasons = append(reasons, f.Reason)
		}
	}
	if len(reasons) == 0 {
		return "nothing in the alert shows that it is harmless, and nothing shows its purpose"
	}
	return strings.Join(reasons, "; ")
}

// sentence begins s with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
