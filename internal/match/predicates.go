package match

import (
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/event"
)

// predicate returns the names of the fields that show it, nil if they do not.
type predicate func(k *knowledge.Base, f *Facts) (evidence []string)

// predicates has the function of every predicate of the taxonomy.
func predicates() map[string]predicate {
	return map[string]predicate{
		"memfd_image":               memfdImage,
		"memfd_rule":                memfdRule,
		"interpreter_of_descriptor": interpreterOfDescriptor,
		"descriptor_path":           descriptorPath,
		"deleted_image":             deletedImage,
		"volatile_image":            volatileImage,
		"volatile_script":           volatileScript,
		"volatile_rule":             volatileRule,
		"proc_mem_write":            procMemWrite,
		"vm_write":                  vmWrite,
		"ptrace_write":              ptraceWrite,
		"ptrace_attach":             ptraceAttach,
		"preload_path":              preloadPath,
		"loader_code":               loaderCode,
	}
}

// Names of stock rules whose mere firing shows a technique.
const (
	stockShmRule    = "Execution from /dev/shm"
	stockPtraceRule = "PTRACE attached to process"
)

// isExec reports whether the event is the start of a program. Falco reports a successful execveat
// as execve too.
func isExec(k *knowledge.Base, f *Facts) bool {
	switch f.Type {
	case "execve", "execveat":
		return true
	case "":
		return k.Lists.ExecRules.Has(f.Rule) || strings.Contains("|"+f.Flags, "|EXE_")
	}
	return false
}

func memfdImage(k *knowledge.Base, f *Facts) (evidence []string) {
	_, path := f.MemfdName()
	if !path && f.FromMemfd != "true" && f.Flags == "" || !isExec(k, f) {
		return nil
	}
	if f.FromMemfd == "true" {
		evidence = append(evidence, "proc.is_exe_from_memfd")
	}
	if f.HasFlag("EXE_FROM_MEMFD") {
		evidence = append(evidence, "evt.arg.flags")
	}
	if path {
		evidence = append(evidence, "proc.exepath")
	}
	return evidence
}

func memfdRule(k *knowledge.Base, f *Facts) []string {
	if f.Rule != event.StockMemfdRule || f.FromMemfd == "false" || !isExec(k, f) {
		return nil
	}
	return []string{"rule"}
}

// interpreterOfDescriptor is a script that was executed through its descriptor: the kernel starts
// the interpreter, named after the descriptor or the memory file, with the descriptor's path as
// its first argument. A shell that reads /dev/fd/63 for itself keeps its own name.
func interpreterOfDescriptor(k *knowledge.Base, f *Facts) []string {
	if !isNumber(f.Name) && !strings.HasPrefix(f.Name, "memfd:") {
		return nil
	}
	if !isInterpreter(k, Base(f.ExePath)) || !isExec(k, f) {
		return nil
	}
	args, field := f.Arguments()
	first, _, _ := strings.Cut(args, " ")
	if !isDescriptorPath(first) {
		return nil
	}
	return []string{"proc.name", "proc.exepath", field}
}

func descriptorPath(k *knowledge.Base, f *Facts) (evidence []string) {
	if !isExec(k, f) {
		return nil
	}
	if isOrdinaryFile(f.ExePath) && !f.Failed() {
		return nil
	}
	for _, c := range [...]struct{ name, value string }{
		{"evt.arg.filename", f.Filename}, {"evt.arg.pathname", f.Pathname},
		{"proc.exe", f.Exe}, {"proc.exepath", f.ExePath},
	} {
		if isDescriptorPath(c.value) {
			evidence = append(evidence, c.name)
		}
	}
	return evidence
}

func deletedImage(k *knowledge.Base, f *Facts) []string {
	if !strings.HasSuffix(f.ExePath, deletedSuffix) || !isExec(k, f) {
		return nil
	}
	if _, ok := f.MemfdName(); ok {
		return nil
	}
	return []string{"proc.exepath"}
}

func volatileImage(k *knowledge.Base, f *Facts) (evidence []string) {
	if !isExec(k, f) {
		return nil
	}
	if isVolatile(k, f.ExePath) {
		evidence = append(evidence, "proc.exepath")
	}
	if isVolatile(k, f.Exe) {
		evidence = append(evidence, "proc.exe")
	}
	if isVolatile(k, f.Cwd+"/") && strings.HasPrefix(f.Exe, "./") {
		evidence = append(evidence, "proc.cwd", "proc.exe")
	}
	return unique(evidence)
}

func volatileScript(k *knowledge.Base, f *Facts) []string {
	if !k.Lists.Shells.HasName(f.Name) && !k.Lists.Shells.HasName(Base(f.ExePath)) || !isExec(k, f) {
		return nil
	}
	args, field := f.Arguments()
	script := firstOperand(args)
	switch {
	case isVolatile(k, script):
		return []string{field}
	case strings.HasPrefix(script, "./") && isVolatile(k, f.Cwd+"/"):
		return []string{"proc.cwd", field}
	}
	return nil
}

func volatileRule(k *knowledge.Base, f *Facts) []string {
	if f.Rule != stockShmRule || !isExec(k, f) {
		return nil
	}
	return []string{"rule"}
}

func procMemWrite(_ *knowledge.Base, f *Facts) []string {
	switch f.Type {
	case "open", "openat", "openat2", "creat":
	default:
		return nil
	}
	if !isProcessMemory(f.FDName) {
		return nil
	}
	if f.OpenWrite == "true" {
		return []string{"fd.name", "evt.is_open_write"}
	}
	if f.HasFlag("O_WRONLY") || f.HasFlag("O_RDWR") {
		return []string{"fd.name", "evt.arg.flags"}
	}
	return nil
}

func vmWrite(_ *knowledge.Base, f *Facts) []string {
	if f.Type != "process_vm_writev" {
		return nil
	}
	return []string{"evt.type"}
}

func ptraceWrite(_ *knowledge.Base, f *Facts) []string {
	if f.Type != "ptrace" && f.Type != "" {
		return nil
	}
	for _, request := range [...]string{"POKETEXT", "POKEDATA", "SETREGS"} {
		if strings.Contains(f.Request, request) {
			return []string{"evt.arg.request"}
		}
	}
	return nil
}

func ptraceAttach(_ *knowledge.Base, f *Facts) []string {
	if f.Type != "ptrace" && f.Type != "" {
		return nil
	}
	if strings.Contains(f.Request, "ATTACH") || strings.Contains(f.Request, "SEIZE") {
		return []string{"evt.arg.request"}
	}
	if f.Rule == stockPtraceRule {
		return []string{"rule"}
	}
	return nil
}

func preloadPath(k *knowledge.Base, f *Facts) (evidence []string) {
	if !isExec(k, f) {
		return nil
	}
	if preloads(f.Env, func(string) bool { return true }) {
		evidence = append(evidence, "proc.env")
	}
	if strings.Contains(f.Cmdline, "LD_") && preloads(f.Cmdline, assignsEnvironment(k)) {
		evidence = append(evidence, "proc.cmdline")
	}
	return evidence
}

func loaderCode(k *knowledge.Base, f *Facts) []string {
	if !isExec(k, f) {
		return nil
	}
	args, field := f.Arguments()
	if field == "" || !holdsLoaderCode(k, f, args) {
		return nil
	}
	return []string{field}
}
