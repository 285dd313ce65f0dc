package analyze

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
)

// clues has the functions that explanations weigh beyond the factors of the ledger. A clue returns
// the names of the fields that show it, nil if they do not: an unknown value never is a clue.
func clues() map[string]func(*Analyzer, *subject) []string {
	return map[string]func(*Analyzer, *subject) []string{
		"build_parent":               buildParent,
		"clone_agrees":               cloneAgrees,
		"clone_contradicted":         cloneContradicted,
		"clone_name":                 cloneName,
		"generated_name":             generatedName,
		"init_arguments":             initArguments,
		"interpreter_acts":           interpreterActs,
		"known_other_parent":         knownOtherParent,
		"known_other_runtime_parent": knownOtherRuntimeParent,
		"login":                      login,
		"miner_arguments":            minerArguments,
		"not_debugger":               notDebugger,
		"not_init_arguments":         notInitArguments,
		"other_image":                otherImage,
		"other_memfd_name":           otherMemfdName,
		"other_test_memfd":           otherTestMemfd,
		"other_test_parent":          otherTestParent,
		"parent_in_memory":           parentInMemory,
		"python_parent":              pythonParent,
		"remote_control":             remoteControl,
		"service_above":              serviceAbove,
		"session":                    session,
		"shell_arguments":            shellArguments,
		"ssh_session":                sshSession,
		"supervisor_parent":          supervisorParent,
		"technique":                  ofTechnique,
		"temporary_path":             temporaryPath,
		"terminal":                   terminal,
		"test_descriptor":            testDescriptor,
		"test_memfd_name":            testMemfdName,
		"test_signature":             testField,
		"writes_process":             writesProcess,
	}
}

func ofTechnique(_ *Analyzer, s *subject) []string { return s.hits[0].Evidence }

// --- the test tool

func testField(_ *Analyzer, s *subject) []string {
	field, _ := s.testSigned()
	return named(field != "", field)
}

func otherTestParent(a *Analyzer, s *subject) []string {
	result, fields := a.testParentOf(s)
	if _, script := s.testSigned(); result != parentContradicts || script && a.shellOfTest(s) {
		return nil
	}
	return fields
}

func otherImage(a *Analyzer, s *subject) []string {
	return named(s.Image != "" && !a.isTestImage(s.Image), "container.image.repository")
}

// testDescriptor is the number that the test tool's child is named after: its memory file is the
// first that it opens, next to the three standard streams.
func testDescriptor(_ *Analyzer, s *subject) []string {
	if _, script := s.testSigned(); script {
		return nil
	}
	if s.Name == "" {
		return named(strings.HasPrefix(s.Cmdline, "3 "), "proc.cmdline")
	}
	return named(s.Name == "3", "proc.name")
}

// testMemfd is how the test tool names its memory file.
const testMemfd = "program"

func testMemfdName(_ *Analyzer, s *subject) []string {
	name, ok := s.MemfdName()
	return named(ok && name == testMemfd, "proc.exepath")
}

func otherTestMemfd(_ *Analyzer, s *subject) []string {
	name, ok := s.MemfdName()
	return named(ok && name != testMemfd, "proc.exepath")
}

// generatedName reports whether the name has the form of those that Docker makes up: two words of
// small letters, an underscore between them, at times a digit behind. Pods are named otherwise.
func generatedName(_ *Analyzer, s *subject) []string {
	left, right, ok := strings.Cut(s.ContainerName, "_")
	right = strings.TrimRight(right, "0123456789")
	const letters = "abcdefghijklmnopqrstuvwxyz"
	word := func(w string) bool { return len(w) > 2 && strings.Trim(w, letters) == "" }
	return named(ok && s.Pod == "" && word(left) && word(right), "container.name")
}

// --- container runtimes

func cloneName(a *Analyzer, s *subject) []string {
	name, ok := s.MemfdName()
	return named(ok && a.base.Lists.RuntimeMemfds.Has(name), "proc.exepath")
}

func otherMemfdName(a *Analyzer, s *subject) []string {
	name, ok := s.MemfdName()
	return named(ok && !a.base.Lists.RuntimeMemfds.Has(name), "proc.exepath")
}

func cloneAgrees(a *Analyzer, s *subject) []string {
	if is, result, fields := a.clone(s); is && result == parentAgrees {
		return fields
	}
	return nil
}

func cloneContradicted(a *Analyzer, s *subject) []string {
	if is, result, fields := a.clone(s); is && result == parentContradicts {
		return fields
	}
	return nil
}

// knownOtherRuntimeParent is a parent that is no runtime, where no name of the memory file is there
// to be explained.
func knownOtherRuntimeParent(a *Analyzer, s *subject) []string {
	if s.ExePath != "" {
		return nil
	}
	result, fields := s.parentIs(func(name string) bool {
		return a.base.Lists.RuntimeShims.HasPrefixOf(name) || a.base.Lists.RuntimeTools.HasName(name)
	})
	if result != parentContradicts {
		return nil
	}
	return fields
}

func isInit(args string) bool { return args == "init" || strings.HasPrefix(args, "init ") }

func initArguments(_ *Analyzer, s *subject) []string {
	args, field := s.Arguments()
	return named(isInit(args), field)
}

func notInitArguments(_ *Analyzer, s *subject) []string {
	args, field := s.Arguments()
	return named(field != "" && !isInit(args), field)
}

// --- who started it

// serviceAbove is factor R4 without the processes that hold a session from the network: those are
// about a person, or somebody in that person's place.
func serviceAbove(a *Analyzer, s *subject) (evidence []string) {
	for _, name := range s.evidenceOf("R4") {
		if !a.base.Lists.SessionServices.Has(match.Base(s.value(name))) {
			evidence = append(evidence, name)
		}
	}
	return evidence
}

func sshSession(a *Analyzer, s *subject) (evidence []string) {
	for _, name := range [...]string{"proc.pname", "proc.aname[2]", "proc.aname[3]"} {
		if a.base.Lists.SessionServices.Has(s.value(name)) {
			evidence = append(evidence, name)
		}
	}
	return evidence
}

func (s *subject) value(field string) string {
	v, _ := s.event.Field(field)
	return v
}

// knownOtherParent is a parent that leaves no room for a service above it: it is none itself, and
// either no shell or interpreter, which a service may have started, or what stands above is known too.
func knownOtherParent(a *Analyzer, s *subject) []string {
	parent := known(s, "proc.pname", "proc.pexepath")
	if len(parent) == 0 || len(serviceAbove(a, s)) > 0 {
		return nil
	}
	between := a.base.Lists.Shells.HasName(s.Parent) || a.base.Lists.Languages.HasName(s.Parent)
	if between && s.Ancestor2 == "" && len(login(a, s)) == 0 {
		return nil
	}
	return parent
}

func parentIn(list func(*knowledge.Lists) knowledge.List) func(*Analyzer, *subject) []string {
	return func(a *Analyzer, s *subject) []string {
		if result, fields := s.parentIs(list(&a.base.Lists).HasName); result == parentAgrees {
			return fields
		}
		return nil
	}
}

var (
	buildParent      = parentIn(func(l *knowledge.Lists) knowledge.List { return l.BuildTools })
	supervisorParent = parentIn(func(l *knowledge.Lists) knowledge.List { return l.Supervisors })
)

func pythonParent(_ *Analyzer, s *subject) []string {
	result, fields := s.parentIs(func(name string) bool { return strings.TrimRight(name, "0123456789.") == "python" })
	if result != parentAgrees {
		return nil
	}
	return slices.Clone(fields)
}

func parentInMemory(a *Analyzer, s *subject) []string {
	p := s.ParentPath
	return named(strings.HasPrefix(p, "memfd:") || strings.HasSuffix(p, " (deleted)") ||
		a.base.Lists.VolatileDirectories.HasPrefixOf(p), "proc.pexepath")
}

func login(_ *Analyzer, s *subject) []string {
	switch s.LoginUID {
	case "", "-1", "4294967295":
		return nil
	}
	return known(s, "user.loginuid", "user.loginname")
}

func terminal(_ *Analyzer, s *subject) []string {
	return named(s.TTY != "" && s.TTY != "0", "proc.tty")
}

func session(a *Analyzer, s *subject) []string { return append(login(a, s), terminal(a, s)...) }

// --- what it is and does

func minerArguments(a *Analyzer, s *subject) []string {
	return s.inArguments(a.base.Lists.MinerArguments)
}

func shellArguments(a *Analyzer, s *subject) []string {
	return s.inArguments(a.base.Lists.ReverseShellArguments)
}

func (s *subject) inArguments(list knowledge.List) []string {
	if list.FoundIn(s.Cmdline) {
		return []string{"proc.cmdline"}
	}
	return named(list.FoundIn(s.Args), "proc.args")
}

func remoteControl(a *Analyzer, s *subject) []string {
	return append(shellArguments(a, s), s.evidenceOf("R9")...)
}

func temporaryPath(a *Analyzer, s *subject) []string {
	return named(a.base.Lists.TemporaryDirectories.HasPrefixOf(s.ExePath), "proc.exepath")
}

func notDebugger(_ *Analyzer, s *subject) []string {
	if s.has("L7") {
		return nil
	}
	return known(s, "proc.exepath", "proc.name")
}

func interpreterActs(a *Analyzer, s *subject) []string {
	name := match.Base(s.ExePath)
	return named(a.base.Lists.Languages.HasName(name), "proc.exepath")
}

func writesProcess(_ *Analyzer, s *subject) []string {
	if h, ok := s.hit("process_injection"); ok && h.Base == "E6" {
		return h.Evidence
	}
	return nil
}
