package analyze

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
)

// factors has the function of every factor of the ledger that is no base factor. A function returns
// the names of the fields that the factor rests on, nil if it does not apply.
func factors() map[string]func(*Analyzer, *subject) []string {
	return map[string]func(*Analyzer, *subject) []string{
		"R1":  inContainer,
		"R2":  asRoot,
		"R3":  farReachingRights,
		"R4":  belowService,
		"R5":  downloadPipe,
		"R6":  kernelThreadName,
		"R7":  daemonName,
		"R8":  hostileArguments,
		"R9":  socketAsStream,
		"R10": hiddenFile,
		"R11": emptyMemfdName,
		"R12": imitation,
		"R13": writableLayer,
		"R16": publishedIndicator,
		"L1":  testSignature,
		"L2":  testParent,
		"L3":  testImage,
		"L4":  runtimeClone,
		"L5":  runtimeCloneUnknownParent,
		"L6":  operatorEntry,
		"L7":  knownDebugger,
		"L8":  packagedFile,
		"L9":  failed,
		"L10": labHost,
	}
}

func inContainer(_ *Analyzer, s *subject) []string {
	return named(s.InContainer(), "container.id")
}

func asRoot(_ *Analyzer, s *subject) []string {
	if s.UID != "" {
		return named(s.UID == "0", "user.uid")
	}
	return named(s.User == "root", "user.name")
}

func farReachingRights(_ *Analyzer, s *subject) (evidence []string) {
	for _, f := range [...]struct{ name, value string }{
		{"container.privileged", s.Privileged}, {"container.host_network", s.HostNetwork},
		{"container.host_pid", s.HostPID}, {"container.host_ipc", s.HostIPC},
	} {
		if f.value == "true" {
			evidence = append(evidence, f.name)
		}
	}
	if slices.Contains(strings.Fields(s.Caps), "CAP_SYS_ADMIN") {
		evidence = append(evidence, "thread.cap_effective")
	}
	return evidence
}

// belowService looks at names and at the parent's path: a service can be a script, whose path is
// the interpreter's, and a name can be cut short or changed.
func belowService(a *Analyzer, s *subject) (evidence []string) {
	own := knowledge.List{Values: a.config.NetworkServices}
	for _, f := range [...]struct{ name, value string }{
		{"proc.pname", s.Parent}, {"proc.pexepath", match.Base(s.ParentPath)},
		{"proc.aname[2]", s.Ancestor2}, {"proc.aname[3]", s.Ancestor3},
	} {
		if a.base.Lists.NetworkServices.HasName(f.value) || own.HasName(f.value) {
			evidence = append(evidence, f.name)
		}
	}
	return evidence
}

func downloadPipe(a *Analyzer, s *subject) (evidence []string) {
	if pipesCode(a.base, s.Cmdline) {
		evidence = append(evidence, "proc.cmdline")
	}
	if pipesCode(a.base, s.ParentCmdline) {
		evidence = append(evidence, "proc.pcmdline")
	}
	return evidence
}

func kernelThreadName(_ *Analyzer, s *subject) (evidence []string) {
	if s.ExePath == "" {
		return nil
	}
	if isBracketed(s.Exe) {
		evidence = append(evidence, "proc.exe")
	}
	// The kernel cuts a name at 15 bytes, which can cost the closing bracket.
	if isBracketed(s.Name) || len(s.Name) == 15 && s.Name[0] == '[' {
		evidence = append(evidence, "proc.name")
	}
	if len(evidence) > 0 {
		evidence = append(evidence, "proc.exepath")
	}
	return evidence
}

func daemonName(a *Analyzer, s *subject) (evidence []string) {
	if !s.imageInMemory() || len(kernelThreadName(a, s)) > 0 {
		return nil
	}
	if a.base.Lists.Daemons.Has(match.Base(s.Exe)) {
		evidence = append(evidence, "proc.exe")
	}
	if a.base.Lists.Daemons.Has(s.Name) {
		evidence = append(evidence, "proc.name")
	}
	return evidence
}

// imageInMemory reports whether the program runs from memory, or from a file without a name. A
// shell that was started on a script in memory is itself an ordinary file.
func (s *subject) imageInMemory() bool {
	if _, ok := s.hit("memfd_exec"); ok {
		return true
	}
	if _, ok := s.hit("deleted_exec"); ok {
		return true
	}
	volatile, ok := s.hit("volatile_path_exec")
	return ok && volatile.Predicate == "volatile_image"
}

func hostileArguments(a *Analyzer, s *subject) []string {
	hostile := func(text string) bool {
		return a.base.Lists.MinerArguments.FoundIn(text) || a.base.Lists.ReverseShellArguments.FoundIn(text)
	}
	if hostile(s.Cmdline) {
		return []string{"proc.cmdline"}
	}
	return named(hostile(s.Args), "proc.args")
}

func socketAsStream(_ *Analyzer, s *subject) (evidence []string) {
	for _, f := range [...]struct{ name, value string }{
		{"proc.stdin.type", s.Stdin}, {"proc.stdout.type", s.Stdout}, {"proc.stderr.type", s.Stderr},
	} {
		if f.value == "ipv4" || f.value == "ipv6" {
			evidence = append(evidence, f.name)
		}
	}
	return evidence
}

// pathBased reports whether the technique is about a path on a file system.
func (s *subject) pathBased() bool {
	_, deleted := s.hit("deleted_exec")
	_, volatile := s.hit("volatile_path_exec")
	return deleted || volatile
}

func hiddenFile(_ *Analyzer, s *subject) []string {
	return named(s.pathBased() && strings.HasPrefix(match.Base(s.ExePath), "."), "proc.exepath")
}

func emptyMemfdName(_ *Analyzer, s *subject) []string {
	name, ok := s.MemfdName()
	return named(ok && name == "", "proc.exepath")
}

func writableLayer(_ *Analyzer, s *subject) []string {
	if !s.pathBased() {
		return nil
	}
	if s.HasFlag("EXE_UPPER_LAYER") {
		return []string{"evt.arg.flags"}
	}
	return named(s.Upper == "true", "proc.is_exe_upper_layer")
}

func publishedIndicator(a *Analyzer, s *subject) []string {
	listed := a.base.Lists.FileIndicators.Has
	if listed(strings.TrimSuffix(s.ExePath, " (deleted)")) {
		return []string{"proc.exepath"}
	}
	return named(listed(s.Exe), "proc.exe")
}

func operatorEntry(a *Analyzer, s *subject) []string {
	_, evidence, _ := match.Allowed(a.config.Allow, &s.Facts, s.when())
	return evidence
}

// knownDebugger goes by the path if it is known: a name can be chosen.
func knownDebugger(a *Analyzer, s *subject) []string {
	if _, ok := s.hit("process_injection"); !ok {
		return nil
	}
	if s.ExePath != "" {
		return named(a.base.Lists.Debuggers.HasName(match.Base(s.ExePath)), "proc.exepath")
	}
	return named(a.base.Lists.Debuggers.HasName(s.Name), "proc.name")
}

func packagedFile(a *Analyzer, s *subject) []string {
	_, ok := s.hit("deleted_exec")
	return named(ok && a.base.Lists.PackagedDirectories.HasPrefixOf(s.ExePath), "proc.exepath")
}

func failed(_ *Analyzer, s *subject) []string {
	_, injection := s.hit("process_injection")
	return named(s.Failed() && (!injection || len(s.hits) > 1), "evt.res")
}

func labHost(a *Analyzer, s *subject) []string {
	return named(s.Hostname != "" && slices.Contains(a.config.Lab, s.Hostname), "hostname")
}

// named returns name as the evidence if it holds.
func named(holds bool, name string) []string {
	if !holds {
		return nil
	}
	return []string{name}
}

func isBracketed(name string) bool {
	return len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']'
}
