package analyze

import (
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
)

// What the event-generator's child is told, and how its script in memory is called: sources are its
// actions syscall.FilelessExecutionViaMemfdCreate and syscall.ExecutionFromDevShm.
const (
	testArguments    = "run helper.DoNothing"
	testScriptPrefix = "/dev/shm/falco-event-generator-syscall-ExecutionFromDevShm-"
	testScriptSuffix = ".sh"
)

// agreement says how a parent relates to what a signature expects of it.
type agreement int

const (
	parentUnknown agreement = iota
	parentAgrees
	parentContradicts
)

// parentIs compares the parent with what is expected of it, by its path where that is known, since
// a process can change its name. fields are what the answer rests on.
func (s *subject) parentIs(expected func(name string) bool) (result agreement, fields []string) {
	name, field := match.Base(s.ParentPath), "proc.pexepath"
	if s.ParentPath == "" {
		name, field = s.Parent, "proc.pname"
	}
	switch {
	case name == "":
		return parentUnknown, nil
	case expected(name):
		return parentAgrees, []string{field}
	default:
		return parentContradicts, []string{field}
	}
}

// testSigned returns the field that bears the test tool's signature, empty for none, and whether
// it is the script in /dev/shm.
func (s *subject) testSigned() (field string, script bool) {
	args, field := s.Arguments()
	if args == testArguments {
		return field, false
	}
	for word := range strings.FieldsSeq(args) {
		if isTestScript(word) {
			return field, true
		}
	}
	if isTestScript(s.ExePath) {
		return "proc.exepath", true
	}
	return "", false
}

func isTestScript(path string) bool {
	random, ok := strings.CutPrefix(path, testScriptPrefix)
	if !ok {
		return false
	}
	random, ok = strings.CutSuffix(random, testScriptSuffix)
	return ok && random != "" && !strings.ContainsFunc(random, func(r rune) bool {
		return r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z'
	})
}

func (a *Analyzer) testParentOf(s *subject) (agreement, []string) {
	return s.parentIs(a.base.Lists.TestTools.Has)
}

func testSignature(a *Analyzer, s *subject) []string {
	field, script := s.testSigned()
	if field == "" {
		return nil
	}
	result, _ := a.testParentOf(s)
	if result != parentContradicts || script && a.shellOfTest(s) {
		return []string{field}
	}
	return nil
}

// shellOfTest reports whether the parent is a shell that the test tool started.
func (a *Analyzer) shellOfTest(s *subject) bool {
	return a.base.Lists.Shells.HasName(s.Parent) && a.base.Lists.TestTools.Has(s.Ancestor2)
}

func testParent(a *Analyzer, s *subject) []string {
	if len(testSignature(a, s)) == 0 {
		return nil
	}
	if result, fields := a.testParentOf(s); result == parentAgrees {
		return fields
	}
	return nil
}

func testImage(a *Analyzer, s *subject) []string {
	if len(testSignature(a, s)) == 0 {
		return nil
	}
	return named(a.isTestImage(s.Image), "container.image.repository")
}

// isTestImage goes by the end of the repository's name: registries mirror the image.
func (a *Analyzer) isTestImage(repository string) bool {
	for _, image := range a.base.Lists.TestImages.Values {
		if repository == image || strings.HasSuffix(repository, "/"+image) {
			return true
		}
	}
	return false
}

// clone says what to make of a memory file that bears a container runtime's name: is it one, and
// does the direct parent agree? The grandparent proves nothing: the children of every container's
// first process have the shim as theirs.
func (a *Analyzer) clone(s *subject) (isClone bool, result agreement, fields []string) {
	name, ok := s.MemfdName()
	if !ok || !a.base.Lists.RuntimeMemfds.Has(name) {
		return false, 0, nil
	}
	isShim := false
	result, fields = s.parentIs(func(name string) bool {
		isShim = a.base.Lists.RuntimeShims.HasPrefixOf(name)
		return isShim || a.base.Lists.RuntimeTools.HasName(name)
	})
	if !isShim {
		return true, result, fields
	}
	// A shim is the parent of a runtime's init, but also of a first process that replaced itself.
	if args, field := s.Arguments(); isInit(args) {
		return true, parentAgrees, append(fields, field)
	}
	return false, 0, nil
}

func runtimeClone(a *Analyzer, s *subject) []string {
	if is, result, fields := a.clone(s); is && result == parentAgrees {
		return append([]string{"proc.exepath"}, fields...)
	}
	return nil
}

func runtimeCloneUnknownParent(a *Analyzer, s *subject) []string {
	is, result, _ := a.clone(s)
	return named(is && result == parentUnknown, "proc.exepath")
}

// imitation is a signature of something harmless below a parent that does not go with it.
func imitation(a *Analyzer, s *subject) []string {
	if is, result, fields := a.clone(s); is && result == parentContradicts {
		return append([]string{"proc.exepath"}, fields...)
	}
	field, script := s.testSigned()
	result, fields := a.testParentOf(s)
	if field == "" || result != parentContradicts || script && a.shellOfTest(s) {
		return nil
	}
	return append([]string{field}, fields...)
}

// pipesCode reports whether a command line pipes what it downloads or decodes into an interpreter.
func pipesCode(k *knowledge.Base, cmdline string) bool {
	stages := strings.Split(cmdline, "|")
	for i := 1; i < len(stages); i++ {
		if bringsCode(stages[i-1]) && runsCode(k, stages[i]) {
			return true
		}
	}
	return false
}

func bringsCode(stage string) bool {
	words := strings.FieldsFunc(stage, func(r rune) bool { return strings.ContainsRune(" \t\n;&(\"'`", r) })
	for i, word := range words {
		rest := strings.Join(words[i+1:], " ") + " "
		switch match.Base(word) {
		case "curl", "wget", "fetch", "aria2c":
			return true
		case "base64", "base32", "openssl":
			if strings.Contains(rest, "-d ") || strings.Contains(rest, "--decode ") || strings.Contains(rest, "-D ") {
				return true
			}
		case "xxd":
			if strings.Contains(rest, "-r ") {
				return true
			}
		}
	}
	return false
}

func runsCode(k *knowledge.Base, stage string) bool {
	for word := range strings.FieldsSeq(stage) {
		name := match.Base(strings.Trim(word, `"'`+"`();&"))
		if name == "sudo" || name == "env" || name == "exec" {
			continue
		}
		return k.Lists.Shells.HasName(name) || k.Lists.Languages.HasName(name)
	}
	return false
}
