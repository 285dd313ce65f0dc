package playbook

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// situation is a target with what its actions depend on, beyond the place. What is quoted for the
// shell is empty if it is unknown or holds what can not be seen.
type situation struct {
	*target
	failed bool // the system call failed: the process of the alert is its caller

	link   string // quoted: what readlink of /proc/PID/exe shows
	file   string // quoted: an absolute path in a RAM-backed directory
	search string // quoted: the arguments, to be searched for in logs
	victim string // the process that was reached into, as the host counts
	holder string // the process whose descriptor was preloaded, as the host counts
	login  string // the login UID of a person
	uid    string // of the process, if it is not root

	when  time.Time // of the event, or of its receipt
	exact bool      // when is the event's own time
	out   string    // the name of the directory for evidence
}

func situationOf(t *target) *situation {
	s := &situation{target: t, when: t.event.Time, exact: true, out: "ir-alert"}
	if s.when.IsZero() {
		s.when, s.exact = t.report.CreatedAt, false
	}
	if id := t.report.ID; len(id) >= 12 && only(id, 64, digits+"abcdef") {
		s.out = "ir-" + id[:12]
	}
	res := s.field("evt.res")
	s.failed = res != "" && res != "SUCCESS" && res != "0"
	exe := s.field("proc.exepath")
	s.link, _ = shellQuote(linkOf(exe))
	s.file, _ = shellQuote(s.memoryFile(exe))
	s.search, _ = shellQuote(s.arguments())
	if t.place == onHost {
		s.victim = processOf(s.field("fd.name"), "/mem")
		s.holder = processOf(preloaded(s.field("proc.env")+" "+s.field("proc.cmdline"), func(p string) bool {
			return processOf(p, "/fd/") != ""
		}), "/fd/")
	}
	if id := s.field("user.loginuid"); id != "4294967295" && only(id, 10, digits) {
		s.login = id
	}
	if id := s.field("user.uid"); id != "0" && isPID(id) {
		s.uid = id
	}
	return s
}

func (s *situation) field(name string) string {
	v, _ := s.event.Field(name)
	return v
}

// reexec reports whether the score holds a container runtime that runs a copy of itself for the
// likely cause.
func (s *situation) reexec() bool {
	return s.report.Verdict == report.BenignLikely && (s.hasFactor("L4") || s.hasFactor("L5"))
}

// contained reports whether the alert is from a container.
func (s *situation) contained() bool { return s.place != onHost && s.place != unknownPlace }

// linkOf returns what readlink shows for an executable that Falco calls exe: of a memory file the
// modern eBPF driver leaves out the slash and the mark that /proc shows.
func linkOf(exe string) string {
	if strings.HasPrefix(exe, "memfd:") {
		return "/" + exe + " (deleted)"
	}
	return exe
}

// arguments are what the process was told, without its name, which may be a number. Short ones say
// nothing.
func (s *situation) arguments() string {
	args := s.field("proc.args")
	if args == "" {
		_, args, _ = strings.Cut(s.field("proc.cmdline"), " ")
	}
	if len(args) < 8 || len(args) > 200 {
		return ""
	}
	return args
}

// memoryFile is the path in a RAM-backed directory that the alert is about: the image, the script,
// or the library that was preloaded.
func (s *situation) memoryFile(exe string) string {
	if !s.has("volatile_path_exec", "preload_from_fd") {
		return ""
	}
	for _, p := range [...]string{exe, s.field("proc.exe")} {
		if inMemory(p) {
			return p
		}
	}
	if name, ok := strings.CutPrefix(s.field("proc.exe"), "./"); ok && inMemory(s.field("proc.cwd")+"/"+name) {
		return s.field("proc.cwd") + "/" + name
	}
	cmdline := s.field("proc.cmdline")
	for word := range strings.FieldsSeq(cmdline) {
		if inMemory(word) {
			return word
		}
	}
	return preloaded(s.field("proc.env")+" "+cmdline, inMemory)
}

// inMemory reports whether p is a file's clean path below a directory that Linux keeps in memory.
func inMemory(p string) bool {
	if len(p) > 4096 || path.Clean(p) != p || strings.HasSuffix(p, " (deleted)") {
		return false
	}
	return slices.ContainsFunc([]string{"/dev/shm/", "/run/shm/", "/run/user/", "/dev/mqueue/"}, func(dir string) bool {
		return strings.HasPrefix(p, dir)
	})
}

// preloaded returns the first library of LD_PRELOAD or LD_AUDIT in text that is wanted.
func preloaded(text string, wanted func(string) bool) string {
	for _, variable := range [...]string{"LD_PRELOAD=", "LD_AUDIT="} {
		_, value, _ := strings.Cut(text, variable)
		value, _, _ = strings.Cut(strings.TrimLeft(value, `"'`), " ")
		for library := range strings.SplitSeq(strings.TrimRight(value, `"'`), ":") {
			if wanted(library) {
				return library
			}
		}
	}
	return ""
}

// processOf returns N of a path /proc/N that goes on with rest; empty for any other path.
func processOf(p, rest string) string {
	p, ok := strings.CutPrefix(p, "/proc/")
	if !ok {
		return ""
	}
	n, after, _ := strings.Cut(p, "/")
	if !isPID(n) || !strings.HasPrefix("/"+after, rest) {
		return ""
	}
	return n
}
