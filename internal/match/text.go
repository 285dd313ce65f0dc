package match

import (
	"strings"

	"github.com/filelessd/filelessd/internal/knowledge"
)

// The functions here compare text and never interpret it: what a program calls itself, or is
// told, is chosen by whoever runs it.

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isDescriptorPath reports whether p is /dev/fd/N, or /proc/PID/fd/N with a process or task or self
// as PID.
func isDescriptorPath(p string) bool {
	if n, ok := strings.CutPrefix(p, "/dev/fd/"); ok {
		return isNumber(n)
	}
	rest, ok := cutProcess(p)
	if !ok {
		return false
	}
	n, ok := strings.CutPrefix(rest, "fd/")
	return ok && isNumber(n)
}

// isProcessMemory reports whether p is the memory file of another process: /proc/N/mem.
func isProcessMemory(p string) bool {
	rest, ok := cutProcess(p)
	return ok && rest == "mem" && !strings.HasPrefix(p, "/proc/self/") &&
		!strings.HasPrefix(p, "/proc/thread-self/")
}

// cutProcess returns what follows /proc/PID/ or /proc/PID/task/N/.
func cutProcess(p string) (string, bool) {
	rest, ok := strings.CutPrefix(p, "/proc/")
	if !ok {
		return "", false
	}
	who, rest, ok := strings.Cut(rest, "/")
	if !ok || who != "self" && who != "thread-self" && !isNumber(who) {
		return "", false
	}
	if task, ok := strings.CutPrefix(rest, "task/"); ok {
		if who, rest, ok = strings.Cut(task, "/"); !ok || !isNumber(who) {
			return "", false
		}
	}
	return rest, true
}

// isOrdinaryFile reports whether an executable's path names a file on a file system: not a memory
// file, not a deleted one, not a descriptor.
func isOrdinaryFile(p string) bool {
	_, memfd := memfdName(p)
	return strings.HasPrefix(p, "/") && !memfd && !strings.HasSuffix(p, deletedSuffix) &&
		!isDescriptorPath(p)
}

// isVolatile reports whether p lies in a directory that exists in memory only.
func isVolatile(k *knowledge.Base, p string) bool {
	if k.Lists.VolatileDirectories.HasPrefixOf(p) {
		return true
	}
	rest, ok := strings.CutPrefix(p, "/run/user/")
	if !ok {
		return false
	}
	uid, _, ok := strings.Cut(rest, "/")
	return ok && isNumber(uid)
}

// isInterpreter reports whether a program of that name runs scripts.
func isInterpreter(k *knowledge.Base, name string) bool {
	return k.Lists.Shells.HasName(name) || k.Lists.Languages.HasName(name)
}

// firstOperand returns the first word of args that is no option: what a shell runs, be it a
// script's name or the first word after -c.
func firstOperand(args string) string {
	for args != "" {
		var word string
		word, args, _ = strings.Cut(args, " ")
		if word != "" && word[0] != '-' && word[0] != '+' {
			return word
		}
	}
	return ""
}

// preloads reports whether text sets LD_PRELOAD or LD_AUDIT to a descriptor's path or below
// /dev/shm, at a place that assigns accepts, which is told what stands before.
func preloads(text string, assigns func(before string) bool) bool {
	for _, variable := range [...]string{"LD_PRELOAD=", "LD_AUDIT="} {
		for at := 0; ; {
			i := strings.Index(text[at:], variable)
			if i < 0 {
				break
			}
			at += i
			before := text[:at]
			at += len(variable)
			value := text[at:]
			if endsWord(before) && assigns(before) && hasMemoryPath(value) {
				return true
			}
		}
	}
	return false
}

func endsWord(before string) bool {
	return before == "" || strings.IndexByte(" \t\n;&|(\"'\x00", before[len(before)-1]) >= 0
}

// hasMemoryPath reports whether a list of libraries, parted by colons and ended by space, has one
// that lies in memory.
func hasMemoryPath(value string) bool {
	value = strings.TrimLeft(value, `"'`)
	if end := strings.IndexAny(value, " \t\n;&|\"'\x00"); end >= 0 {
		value = value[:end]
	}
	for library := range strings.SplitSeq(value, ":") {
		if isDescriptorPath(library) || strings.HasPrefix(library, "/dev/shm/") {
			return true
		}
	}
	return false
}

// assignsEnvironment returns a test for the text before an assignment on a command line: does the
// assignment take effect there, or does the text merely mention it? It takes effect behind env,
// sudo and the like, and as the first words of a shell's command.
func assignsEnvironment(k *knowledge.Base) func(before string) bool {
	// As much as Falco takes of a command line. Text may hold an assignment in every other word, and
	// looking through all of it for each takes minutes for the longest that is accepted.
	const look = 4096
	return func(before string) bool {
		words := strings.Fields(before[max(0, len(before)-look):])
		first := ""
		if start := strings.Fields(before[:min(look, len(before))]); len(start) > 0 {
			first = start[0]
		}
		for i := len(words) - 1; i >= 0; i-- {
			word := strings.TrimLeft(words[i], `"'(`)
			switch word {
			case "env", "sudo", "doas", "export", "exec", "nohup", "setsid":
				return true
			}
			if ends := strings.HasSuffix(word, ";") || word == "&&" || word == "||" || word == "|"; ends || word == "" {
				return k.Lists.Shells.HasName(first)
			}
			if strings.HasPrefix(word, "-") {
				if strings.HasSuffix(word, "c") && k.Lists.Shells.HasName(first) {
					return true
				}
				continue
			}
			if !strings.Contains(word, "=") {
				return false
			}
		}
		return false
	}
}

// holdsLoaderCode reports whether the arguments of an interpreter, or of dd, are code that writes
// or makes memory to run programs from.
func holdsLoaderCode(k *knowledge.Base, f *Facts, args string) bool {
	image, name := Base(f.ExePath), f.Name
	is := func(l knowledge.List) bool { return l.HasName(image) || l.HasName(name) }
	switch {
	case image == "dd" || name == "dd":
		return writesMemory(args)
	case is(k.Lists.Languages):
		return inlineCode(args) && (makesMemfd(args) || writesMemory(args))
	case is(k.Lists.Shells):
		if writesMemory(args) && strings.Contains(" "+args, " dd ") {
			return true
		}
		return makesMemfd(args) && callsLanguage(k, args)
	}
	return false
}

// inlineCode reports whether one of the options makes an argument the program: -c, -e, -r and
// their combinations such as -Ic and -lne.
func inlineCode(args string) bool {
	for word := range strings.FieldsSeq(args) {
		if word == "--eval" || word == "--print" {
			return true
		}
		if len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.IndexByte("cerEp", word[len(word)-1]) >= 0 {
			return true
		}
	}
	return false
}

// callsLanguage reports whether a shell's command runs an interpreter with code of its own.
func callsLanguage(k *knowledge.Base, args string) bool {
	for word := range strings.FieldsSeq(args) {
		if k.Lists.Languages.HasName(Base(strings.Trim(word, `"'(;|&`))) && inlineCode(args) {
			return true
		}
	}
	return false
}

// makesMemfd reports whether code calls memfd_create, by name or by its number: 319 on x86_64, 279
// on arm64.
func makesMemfd(code string) bool {
	if strings.Contains(code, "memfd_create(") {
		return true
	}
	for rest := code; ; {
		_, after, ok := strings.Cut(rest, "syscall")
		if !ok {
			return false
		}
		number := strings.TrimLeft(after, " (")
		for _, n := range [...]string{"319", "279"} {
			if tail, ok := strings.CutPrefix(number, n); ok && (tail == "" || !isNumber(tail[:1])) {
				return true
			}
		}
		rest = after
	}
}

// writesMemory reports whether dd is told to write to the memory file of a process.
func writesMemory(args string) bool {
	for rest := args; ; {
		_, after, ok := strings.Cut(rest, "of=")
		if !ok {
			return false
		}
		target := strings.TrimLeft(after, `"'`)
		if end := strings.IndexAny(target, " \t\n;&|\"'"); end >= 0 {
			target = target[:end]
		}
		if who, ok := strings.CutPrefix(target, "/proc/"); ok {
			if who, ok = strings.CutSuffix(who, "/mem"); ok && isWriter(who) {
				return true
			}
		}
		rest = after
	}
}

// isWriter reports whether who names a process: a number, self, or a shell's variable for one.
func isWriter(who string) bool {
	switch who {
	case "self", "thread-self", "$$", "$PPID", "$BASHPID", "${BASHPID}", "$!":
		return true
	}
	return isNumber(who)
}

func unique(names []string) []string {
	kept := names[:0]
	for i, name := range names {
		seen := false
		for _, before := range names[:i] {
			seen = seen || before == name
		}
		if !seen {
			kept = append(kept, name)
		}
	}
	return kept
}
