package match

import (
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/event"
)

// condition is a part of a predicate: what it asks for, and how to look whether that is so. look also
// names the fields that it looked at.
type condition struct {
	text   string
	sign   bool // it holds for few alerts, so that one for which nothing else is missing is worth a look
	always bool // it holds for nearly all, so that it is worth a word only where it does not
	look   lookFunc
}

type lookFunc = func(k *knowledge.Base, f *Facts) (State, []string)

var fromSystemCalls = condition{text: "the alert is of system calls", always: true, look: func(_ *knowledge.Base, f *Facts) (State, []string) {
	return is(f.Source == event.DefaultSource || f.Source == ""), []string{"source"}
}}

var startsProgram = condition{text: "the event is the start of a program", look: func(k *knowledge.Base, f *Facts) (State, []string) {
	switch {
	case f.Type != "":
		return is(isExec(k, f)), []string{"evt.type"}
	case !isExec(k, f):
		return Unknown, []string{"evt.type"}
	case k.Lists.ExecRules.Has(f.Rule):
		return Holds, []string{"rule"}
	}
	return Holds, []string{"evt.arg.flags"}
}}

// is turns what is known into a state.
func is(ok bool) State {
	if ok {
		return Holds
	}
	return Fails
}

// isKnown is like is, and Unknown if what does not hold rests on values that are not all there.
func isKnown(ok bool, values ...string) State {
	if ok {
		return Holds
	}
	for _, v := range values {
		if v == "" {
			return Unknown
		}
	}
	return Fails
}

// ofRule is the condition that an alert is of the stock rule of that name.
func ofRule(name string) condition {
	return condition{text: "the rule is Falco's stock rule " + name, sign: true, look: func(_ *knowledge.Base, f *Facts) (State, []string) {
		return is(f.Rule == name), []string{"rule"}
	}}
}

// sign is a condition that few alerts meet.
func sign(text string, look lookFunc) condition {
	return condition{text: text, sign: true, look: look}
}

// also is a condition that many alerts meet.
func also(text string, look lookFunc) condition { return condition{text: text, look: look} }

// conditions has what each predicate of the taxonomy asks for, beside fromSystemCalls.
func conditions() map[string][]condition {
	return map[string][]condition{
		"memfd_image": {startsProgram, sign("the executable is a memory file", looksMemfd)},
		"memfd_rule": {
			startsProgram,
			ofRule(event.StockMemfdRule),
			also("no field says that it is none", looksNoContradiction),
		},
		"interpreter_of_descriptor": {
			startsProgram,
			sign("the process is named after a descriptor or a memory file", looksDescriptorName),
			also("the executable is an interpreter", looksInterpreter),
			sign("its first argument is the path of a descriptor", looksDescriptorArgument),
		},
		"descriptor_path": {
			startsProgram,
			sign("it was started by the path of a descriptor", looksDescriptorPath),
			also("the executable is no ordinary file, or the start failed", looksNotOrdinary),
		},
		"deleted_image": {
			startsProgram,
			sign("the executable was deleted", looksDeleted),
			also("the executable is no memory file", looksNoMemfd),
		},
		"volatile_image": {
			startsProgram,
			sign("the executable lies in a directory in memory", looksVolatile),
		},
		"volatile_script": {
			startsProgram,
			also("the program is a shell", looksShell),
			sign("its script lies in a directory in memory", looksVolatileScript),
		},
		"volatile_rule": {startsProgram, ofRule(stockShmRule)},
		"proc_mem_write": {
			also("a file is opened", looksOpen),
			sign("it is the memory of another process", looksProcessMemory),
			also("it is opened for writing", looksWrite),
		},
		"vm_write": {
			sign("memory of another process is written by process_vm_writev", looksVMWrite),
		},
		"ptrace_write": {
			also("the call is ptrace", looksPtrace),
			sign("it writes memory or registers", looksPtraceWrite),
		},
		"ptrace_attach": {
			also("the call is ptrace", looksPtrace),
			sign("it attaches to a process", looksPtraceAttach),
		},
		"preload_path": {
			startsProgram,
			sign("LD_PRELOAD or LD_AUDIT names a library in memory or a descriptor", looksPreload),
		},
		"loader_code": {
			startsProgram,
			sign("the arguments mention memory to run programs from", looksLoaderCode),
			also("an interpreter or dd is told to do that", looksLoader),
		},
	}
}

func looksMemfd(_ *knowledge.Base, f *Facts) (State, []string) {
	_, path := f.MemfdName()
	names := []string{"proc.is_exe_from_memfd", "evt.arg.flags", "proc.exepath"}
	if f.FromMemfd == "" && f.ExePath == "" && f.Flags == "" {
		return Unknown, names
	}
	return is(path || f.FromMemfd == "true" || f.HasFlag("EXE_FROM_MEMFD")), names
}

func looksNoContradiction(_ *knowledge.Base, f *Facts) (State, []string) {
	return is(f.FromMemfd != "false"), []string{"proc.is_exe_from_memfd"}
}

func looksDescriptorName(_ *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(isNumber(f.Name) || strings.HasPrefix(f.Name, "memfd:"), f.Name), []string{"proc.name"}
}

func looksInterpreter(k *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(isInterpreter(k, Base(f.ExePath)), f.ExePath), []string{"proc.exepath"}
}

func looksDescriptorArgument(_ *knowledge.Base, f *Facts) (State, []string) {
	args, field := f.Arguments()
	first, _, _ := strings.Cut(args, " ")
	return isKnown(isDescriptorPath(first), field), argumentField(field)
}

func looksDescriptorPath(_ *knowledge.Base, f *Facts) (State, []string) {
	yes := isDescriptorPath(f.Filename) || isDescriptorPath(f.Pathname) || isDescriptorPath(f.Exe) || isDescriptorPath(f.ExePath)
	names := []string{"evt.arg.filename", "evt.arg.pathname", "proc.exe", "proc.exepath"}
	// execve has a filename, execveat a pathname: one of them says it all.
	return isKnown(yes, f.Filename+f.Pathname), names
}

func looksNotOrdinary(_ *knowledge.Base, f *Facts) (State, []string) {
	return is(!isOrdinaryFile(f.ExePath) || f.Failed()), []string{"proc.exepath", "evt.res"}
}

func looksDeleted(_ *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(strings.HasSuffix(f.ExePath, deletedSuffix), f.ExePath), []string{"proc.exepath"}
}

func looksNoMemfd(_ *knowledge.Base, f *Facts) (State, []string) {
	_, ok := f.MemfdName()
	return is(!ok), []string{"proc.exepath"}
}

func looksVolatile(k *knowledge.Base, f *Facts) (State, []string) {
	relative := strings.HasPrefix(f.Exe, "./")
	yes := isVolatile(k, f.ExePath) || isVolatile(k, f.Exe) || relative && isVolatile(k, f.Cwd+"/")
	names := []string{"proc.exepath", "proc.exe"}
	if relative {
		names = append(names, "proc.cwd")
	}
	return isKnown(yes, f.ExePath), names
}

func looksShell(k *knowledge.Base, f *Facts) (State, []string) {
	yes := k.Lists.Shells.HasName(f.Name) || k.Lists.Shells.HasName(Base(f.ExePath))
	return isKnown(yes, f.Name+f.ExePath), []string{"proc.name", "proc.exepath"}
}

func looksVolatileScript(k *knowledge.Base, f *Facts) (State, []string) {
	args, field := f.Arguments()
	script := firstOperand(args)
	if strings.HasPrefix(script, "./") {
		return isKnown(isVolatile(k, f.Cwd+"/"), f.Cwd), append(argumentField(field), "proc.cwd")
	}
	return isKnown(isVolatile(k, script), field), argumentField(field)
}

func looksOpen(_ *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(isOpen(f.Type), f.Type), []string{"evt.type"}
}

func isOpen(call string) bool {
	return call == "open" || call == "openat" || call == "openat2" || call == "creat"
}

func looksProcessMemory(_ *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(isProcessMemory(f.FDName), f.FDName), []string{"fd.name"}
}

func looksWrite(_ *knowledge.Base, f *Facts) (State, []string) {
	yes := f.OpenWrite == "true" || f.HasFlag("O_WRONLY") || f.HasFlag("O_RDWR")
	return isKnown(yes, f.OpenWrite+f.Flags), []string{"evt.is_open_write", "evt.arg.flags"}
}

func looksVMWrite(_ *knowledge.Base, f *Facts) (State, []string) {
	return isKnown(f.Type == "process_vm_writev", f.Type), []string{"evt.type"}
}

// looksPtrace takes an unknown call for ptrace, as the predicates do: no other has a request.
func looksPtrace(_ *knowledge.Base, f *Facts) (State, []string) {
	return is(f.Type == "ptrace" || f.Type == ""), []string{"evt.type"}
}

func looksPtraceWrite(_ *knowledge.Base, f *Facts) (State, []string) {
	yes := strings.Contains(f.Request, "POKETEXT") || strings.Contains(f.Request, "POKEDATA") || strings.Contains(f.Request, "SETREGS")
	return isKnown(yes, f.Request), []string{"evt.arg.request"}
}

func looksPtraceAttach(_ *knowledge.Base, f *Facts) (State, []string) {
	if f.Rule == stockPtraceRule {
		return Holds, []string{"rule", "evt.arg.request"}
	}
	yes := strings.Contains(f.Request, "ATTACH") || strings.Contains(f.Request, "SEIZE")
	return isKnown(yes, f.Request), []string{"evt.arg.request"}
}

func looksPreload(k *knowledge.Base, f *Facts) (State, []string) {
	yes := preloads(f.Env, func(string) bool { return true }) ||
		strings.Contains(f.Cmdline, "LD_") && preloads(f.Cmdline, assignsEnvironment(k))
	return isKnown(yes, f.Env, f.Cmdline), []string{"proc.env", "proc.cmdline"}
}

func looksLoaderCode(_ *knowledge.Base, f *Facts) (State, []string) {
	args, field := f.Arguments()
	return isKnown(makesMemfd(args) || writesMemory(args), field), argumentField(field)
}

func looksLoader(k *knowledge.Base, f *Facts) (State, []string) {
	args, field := f.Arguments()
	if f.Name == "" && f.ExePath == "" {
		return Unknown, []string{"proc.name", "proc.exepath"}
	}
	return isKnown(holdsLoaderCode(k, f, args), field), append([]string{"proc.name", "proc.exepath"}, argumentField(field)...)
}

// argumentField is where the arguments are from, or would be.
func argumentField(field string) []string {
	if field == "" {
		field = "proc.cmdline"
	}
	return []string{field}
}
