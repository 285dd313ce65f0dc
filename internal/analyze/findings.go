package analyze

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// find lists what the alert shows. A statement holds no value of the alert: the fields that it
// names have them.
func (a *Analyzer) find(s *subject) {
	for _, h := range s.hits {
		s.found(h.Predicate, h.Statement, h.Evidence...)
	}
	s.findExecution()
	s.findPlace()
	s.findUser()
	if s.has("L1") {
		s.found("test_arguments", "its arguments are those of Falco's event-generator, which anyone can copy", s.evidenceOf("L1")...)
	}
	if s.has("R12") {
		s.found("imitation", "it bears the mark of a harmless program, but not that program's parent", s.evidenceOf("R12")...)
	}
	if bad := s.event.InvalidUTF8(); len(bad) > 0 {
		s.found("invalid_utf8", "there are bytes that are not UTF-8; invalid_utf8 of the event has them exactly", bad...)
	}
}

func (s *subject) found(id, statement string, evidence ...string) {
	s.report.Findings = append(s.report.Findings, report.Finding{ID: id, Statement: statement, Evidence: evidence})
}

func (s *subject) evidenceOf(factor string) []string {
	for _, f := range s.report.Factors {
		if f.ID == factor {
			return f.Evidence
		}
	}
	return nil
}

func (s *subject) findExecution() {
	isExec := s.Type == "execve" || s.Type == "execveat"
	switch {
	case s.Failed():
		s.found("failed", "the system call failed: what is said of the process describes its caller", "evt.res")
	case isExec:
		s.found("started", "a program was started; no file was changed by it (a successful execveat is reported as execve too)", "evt.type")
	}
	switch {
	case strings.HasPrefix(s.Name, "memfd:"):
		s.found("named_after_memfd", "the kernel named the process after the memory file, as it does for fexecve and execveat", "proc.name")
	case s.Name != "" && strings.Trim(s.Name, "0123456789") == "":
		s.found("named_after_descriptor", "the process name is a number: it is that of a file descriptor if the program was executed through one, and no program of that name need exist", "proc.name")
	case s.Name == "" && startsWithNumber(s.Cmdline):
		s.found("named_after_descriptor", "the command line begins with a number, which is the process name: a program executed through a file descriptor is named after it", "proc.cmdline")
	}
	if name, ok := s.MemfdName(); ok && name != "" {
		s.found("memfd_name", "whoever made the memory file chose its name; it proves nothing", "proc.exepath")
	}
}

func startsWithNumber(cmdline string) bool {
	first, _, _ := strings.Cut(cmdline, " ")
	return first != "" && strings.Trim(first, "0123456789") == ""
}

func (s *subject) findPlace() {
	switch {
	case s.Pod != "":
		s.found("in_pod", "it happened in a container of a Kubernetes pod", known(s, "k8s.pod.name", "k8s.ns.name", "container.id")...)
	case s.InContainer():
		s.found("in_container", "it happened in a container", known(s, "container.id", "container.name")...)
	case s.OnHost():
		s.found("on_host", "it happened on the host, outside of any container", "container.id")
	}
}

func (s *subject) findUser() {
	root := s.UID == "0" || s.UID == "" && s.User == "root"
	switch {
	case root && s.InContainer():
		s.found("root_in_container", "it ran as root inside the container, which can do what the container may do; by itself this says nothing about the host", known(s, "user.uid", "user.name")...)
	case root && s.OnHost():
		s.found("root_on_host", "it ran as root on the host", known(s, "user.uid", "user.name")...)
	case s.UID != "" && !root:
		s.found("not_root", "it did not run as root", "user.uid")
	}
	switch s.LoginUID {
	case "":
	case "-1", "4294967295":
		s.found("no_login", "no login session stands behind it, as is normal for services and containers: neutral", "user.loginuid")
	default:
		s.found("login", "a login session stands behind it: ask that person", known(s, "user.loginuid", "user.loginname")...)
	}
	if s.TTY != "" && s.TTY != "0" {
		s.found("terminal", "it had a controlling terminal", "proc.tty")
	}
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

// askUnknowns lists what the alert does not say, and how to learn it.
func (a *Analyzer) askUnknowns(s *subject) {
	for _, u := range a.base.Unknowns {
		if u.Scope == "container" && !s.InContainer() || !s.concerns(u.Techniques) {
			continue
		}
		if len(known(s, u.Fields...)) > 0 || len(known(s, u.OnlyIf...)) < len(u.OnlyIf) {
			continue
		}
		s.report.Unknowns = append(s.report.Unknowns, report.Unknown{
			ID: u.ID, Field: u.Fields[0], Why: u.Why, How: u.How,
		})
	}
	if s.event.Time.IsZero() {
		s.report.Unknowns = append(s.report.Unknowns, report.Unknown{
			ID: "time", Field: "time", Why: "the alert has no usable time; the time of receipt stands for it, and repeats of the alert can not be told from new ones",
			How: "send Falco's JSON as it is, with its time in RFC 3339",
		})
	}
}

func (s *subject) concerns(techniques []report.Technique) bool {
	if len(techniques) == 0 {
		return true
	}
	for _, t := range techniques {
		if _, ok := s.hit(t); ok {
			return true
		}
	}
	return false
}
