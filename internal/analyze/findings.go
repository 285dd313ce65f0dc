package analyze

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/report"
)

// find lists what the alert shows. A statement holds no value of the alert: the fields that it
// names have them.
func (a *Analyzer) find(s *subject) {
	s.report.Findings = make([]report.Finding, 0, 16)
	for _, h := range s.hits {
		statement := h.Statement
		if s.onlyTried(h) {
			statement = "an attempt to " + a.deedOf(h).ToDo + ", which failed"
		}
		s.report.Findings = append(s.report.Findings, report.Finding{ID: h.Predicate, Statement: statement, Evidence: h.Evidence})
	}
	a.findCall(s)
	a.findNames(s)
	a.findMarks(s)
	a.findFlags(s)
	a.findOrders(s)
	a.findStarter(s)
	a.findRights(s)
	a.findPlace(s)
	a.findResemblance(s)
	if t, ok := a.base.Technique(s.report.Technique); ok && t.Blind != "" {
		s.report.Findings = append(s.report.Findings, report.Finding{
			ID: knowledge.BlindPrefix + string(t.ID), Statement: t.Blind, Evidence: s.hits[0].Evidence,
		})
	}
}

// found adds a finding of the knowledge, if evidence names the fields that show it, and what it
// supports of ATT&CK.
func (a *Analyzer) found(s *subject, id string, evidence ...string) {
	if len(evidence) == 0 {
		return
	}
	f := a.base.Findings[id]
	s.report.Findings = append(s.report.Findings, report.Finding{ID: id, Statement: f.Statement, Evidence: evidence})
	for _, id := range f.Attack {
		if !slices.ContainsFunc(s.report.Attack, func(have report.Attack) bool { return have.ID == id }) {
			s.report.Attack = append(s.report.Attack, a.base.Attack[id])
		}
	}
}

func (s *subject) evidenceOf(factor string) []string {
	for _, f := range s.report.Factors {
		if f.ID == factor {
			return f.Evidence
		}
	}
	return nil
}

// executes reports whether the event is the start of a program.
func (s *subject) executes() bool {
	_, injection := s.hit("process_injection")
	return !injection || len(s.hits) > 1
}

// onlyTried reports whether h is about a call that failed, rather than about the process that made it:
// of such a call Falco tells the arguments, and every field of the process is its caller's.
func (s *subject) onlyTried(h match.Hit) bool {
	if !s.Failed() {
		return false
	}
	return h.Technique == "process_injection" ||
		h.Technique == "fd_exec" && (slices.Contains(h.Evidence, "evt.arg.filename") || slices.Contains(h.Evidence, "evt.arg.pathname"))
}

func (a *Analyzer) findCall(s *subject) {
	switch {
	case s.Failed():
		a.found(s, "failed", "evt.res")
	case s.Type == "execve" || s.Type == "execveat":
		a.found(s, "started", "evt.type")
	}
	a.found(s, "invalid_utf8", s.event.InvalidUTF8()...)
}

func (a *Analyzer) findNames(s *subject) {
	if s.executes() {
		switch {
		case strings.HasPrefix(s.Name, "memfd:"):
			a.found(s, "named_after_memfd", "proc.name")
		case isNumber(s.Name):
			a.found(s, "named_after_descriptor", "proc.name")
		case s.Name == "" && startsWithNumber(s.Cmdline):
			a.found(s, "command_of_descriptor", "proc.cmdline")
		}
	}
	if name, ok := s.MemfdName(); ok && name != "" && !a.base.Lists.RuntimeMemfds.Has(name) {
		a.found(s, "memfd_name", "proc.exepath")
	}
	a.found(s, "clone_name_excepted", exceptedByStockRule(a, s)...)
	switch {
	case s.has("R6"):
		a.found(s, "poses_as_kernel_thread", s.evidenceOf("R6")...)
	case s.has("R7") && s.has("L8"):
		a.found(s, "daemon_deleted", append(slices.Clone(s.evidenceOf("R7")), "proc.exepath")...)
	case s.has("R7"):
		a.found(s, "poses_as_daemon", s.evidenceOf("R7")...)
	default:
		a.found(s, "argv0_differs", argv0Differs(a, s)...)
	}
	a.found(s, "hidden_name", s.evidenceOf("R10")...)
}

func isNumber(name string) bool { return name != "" && strings.Trim(name, "0123456789") == "" }

func startsWithNumber(cmdline string) bool {
	first, _, _ := strings.Cut(cmdline, " ")
	return isNumber(first)
}

// exceptedByStockRule names what silences Falco's stock rule since rules 4.0.0, which compares these
// two fields with exactly this text.
func exceptedByStockRule(_ *Analyzer, s *subject) (evidence []string) {
	const excepted = "memfd:runc_cloned:/proc/self/exe"
	if s.ExePath == excepted {
		evidence = append(evidence, "proc.exepath")
	}
	if s.Exe == excepted {
		evidence = append(evidence, "proc.exe")
	}
	return evidence
}

// argv0Differs compares the title with the image where the image is one that should not be there:
// ordinary programs have links and shells of many names.
func argv0Differs(_ *Analyzer, s *subject) []string {
	if s.Exe == "" || s.ExePath == "" || !s.imageInMemory() || s.has("L1", "L4", "L5") {
		return nil
	}
	image := match.Base(s.ExePath)
	if name, ok := s.MemfdName(); ok {
		image = name
	}
	title := strings.TrimPrefix(match.Base(s.Exe), "-")
	if title == image || title == s.Name || isNumber(title) {
		return nil
	}
	return []string{"proc.exe", "proc.exepath"}
}

// findMarks is about signatures of known harmless programs, true or not.
func (a *Analyzer) findMarks(s *subject) {
	if field, script := s.testSigned(); field != "" {
		id := "test_arguments"
		if script {
			id = "test_script"
		}
		a.found(s, id, field)
	}
	a.found(s, "imitation", s.evidenceOf("R12")...)
	a.found(s, "runtime_clone", s.evidenceOf("L4")...)
	if !s.has("L4", "R12") {
		a.found(s, "runtime_clone_unproven", cloneName(a, s)...)
	}
}

// findFlags reads out what the kernel said of the executed file. Of other calls the field has other
// flags.
func (a *Analyzer) findFlags(s *subject) {
	const field = "evt.arg.flags"
	switch {
	case s.HasFlag("EXE_FROM_MEMFD") && s.HasFlag("EXE_WRITABLE"):
		a.found(s, "flags_memfd_writable", field)
	case s.HasFlag("EXE_UPPER_LAYER") && s.InContainer():
		a.found(s, "flags_upper_layer", field)
	case s.HasFlag("EXE_LOWER_LAYER") && s.InContainer():
		a.found(s, "flags_lower_layer", field)
	case s.HasFlag("EXE_WRITABLE"):
		a.found(s, "flags_writable", field)
	}
}

// findOrders is about what the program was told to do.
func (a *Analyzer) findOrders(s *subject) {
	a.found(s, "miner_arguments", minerArguments(a, s)...)
	a.found(s, "shell_arguments", shellArguments(a, s)...)
	a.found(s, "socket_stream", s.evidenceOf("R9")...)
	a.found(s, "code_pipe", s.evidenceOf("R5")...)
}

// findResemblance compares with published descriptions of malware, each by the values that its
// source gives. A name alone proves nothing, and is never attribution.
func (a *Analyzer) findResemblance(s *subject) {
	for _, f := range [...]struct{ name, value string }{{"proc.exe", s.Exe}, {"proc.name", s.Name}} {
		switch f.value {
		case "[kworker:0/1]":
			a.found(s, "resembles_cyclops_blink", f.name)
		case "[kworker/0:1]":
			a.found(s, "resembles_kv_botnet", f.name)
		}
	}
	_, memfd := s.hit("memfd_exec")
	if python := pythonParent(a, s); memfd && len(python) > 0 {
		if miner := minerArguments(a, s); len(miner) > 0 {
			a.found(s, "resembles_pyloose", append(python, miner...)...)
		}
	}
	a.found(s, "resembles_bpfdoor", s.evidenceOf("R16")...)
}

// known keeps the names of fields that the event has.
func known(s *subject, names ...string) []string {
	var kept []string
	for _, name := range names {
		if _, ok := s.event.Field(name); ok {
			kept = append(kept, name)
		}
	}
	return kept
}
