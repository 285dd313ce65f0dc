package playbook

import "github.com/filelessd/filelessd/pkg/report"

// preserve keeps what exists in memory only. It copies and hashes, and stops nothing.
func preserve(s *situation) report.Action {
	a := report.Action{
		ID:    idPreserve,
		Title: "Keep the process, while it lives",
		Why: s.onlyIf() + "What runs from memory, and the state of the process, are gone when the last process that holds them ends: " +
			"killing it destroys the only copy. This comes before everything that stops or restarts something.",
		Needs: "root on the host of the process; readlink, stat, sha256sum; ss for the sockets. OUT can be set to a directory on another file system with room.",
		Risk: "The copies may be live malware or hold secrets (environment, arguments): the directory is for root only, and the copied image is not executable. " +
			"A short-lived program will be gone: then go on with the next step.",
		Changes: "Writes to the evidence directory only; the process does not notice, except the last block, which stops it for some seconds. A second run writes a new directory and replaces nothing.",
		Undo:    "Delete the evidence directory, once nobody needs it.",
	}
	if s.failed {
		a.Title = "Keep the caller, while it lives"
		a.Why = s.onlyIf() + "The attempt failed, so nothing new was started: the process of the alert is the caller. It may still hold the file that it tried to run, " +
			"open as a descriptor, and loses it when it ends."
	}
	if s.has("process_injection") {
		a.Title = "Keep the process and its victim, while they live"
		a.Why = s.onlyIf() + "If something was injected, it exists in the memory of the victim only, and ends with it. The process of the alert is the one that reached into it."
	}
	a.Commands = append(a.Commands, s.keepProcess())
	if f := s.keepFile(); f != "" {
		a.Commands = append(a.Commands, f)
	}
	a.Commands = append(a.Commands, s.keepMemory())
	a.Results = []report.Result{
		{If: "the first block says that the process is gone", Then: "its memory can not be had any more; go on with the next step, which keeps what it left"},
		{If: "the first block says that another process has its number", Then: "leave that process alone: it is not the one of the alert"},
		{If: "gcore is missing, or is refused", Then: "the image and the state are kept all the same; note that the memory is not, and go on"},
	}
	return a
}

// keepProcess copies the image and every file in memory that the process holds open or has mapped.
func (s *situation) keepProcess() string {
	if s.has("process_injection") {
		return block(s.setOut(), s.stillTheSame(), keepText, s.setPID(), keepOne,
			set("VICTIM", s.victim, "the process ID, on the host, of the process that was reached into; step 1 helps to find it"), keepVictim)
	}
	if s.pid == "" {
		if pattern := s.imagePattern(); pattern != "" {
			values, member := "", ""
			if s.contained() {
				values, member = s.setCID(), findOfContainer
			}
			if pattern == `"$EXE"` {
				values += "EXE=" + s.link + "\n"
			}
			return block(values, s.setOut(), keepText, findHead, member, keepAllHead, pattern, keepAllTail)
		}
	}
	keep := keepOne
	if s.holder != "" {
		keep += set("HOLDER", s.holder, "") + keepHolder
	}
	return block(s.setOut(), s.setPID(), s.stillTheSame(), keepText, keep)
}

// imagePattern is what the shell compares the link of a process's image with to know the process
// without its number; empty if the image is an ordinary file.
func (s *situation) imagePattern() string {
	switch {
	case s.failed:
		return ""
	case s.has("memfd_exec"):
		return `/memfd:*`
	case s.has("fd_exec"):
		return `/memfd:*|*' (deleted)'`
	case s.has("deleted_exec") && s.link != "":
		return `"$EXE"`
	case s.has("deleted_exec"):
		return `*' (deleted)'`
	case s.has("volatile_path_exec") && s.file != "" && s.file == s.link:
		return `"$EXE"`
	}
	return ""
}

const (
	// Reading a pipe or a socket would take its data away, so only regular files are copied. Shared
	// memory of databases and the like is no file that was put there, and can be very large.
	keepText = `keep() {
  exe=$(readlink "/proc/$1/exe") || { echo "process $1 is gone, or this is not root" >&2; return 1; }
  d="$OUT/$1-$(date -u +%Y%m%dT%H%M%SZ)"
  mkdir -p -- "$OUT"
  mkdir -- "$d" || return 1
  printf '%s\n' "$exe" >"$d/exe.path"
  cat "/proc/$1/exe" >"$d/exe"
  seen=$(stat -Lc %d:%i "/proc/$1/exe")
  for f in "/proc/$1/fd/"* "/proc/$1/map_files/"*; do   # other files in memory that it holds
    case $(readlink "$f") in
    /SYSV*|/dev/zero*|/anon_hugepage*) continue;;
    /memfd:*|/dev/shm/*|/run/shm/*|*' (deleted)') ;;
    *) continue;;
    esac
    [ -f "$f" ] || continue
    i=$(stat -Lc %d:%i "$f")
    case " $seen " in *" $i "*) continue;; esac
    seen="$seen $i"
    n=${f#/proc/*/}
    cat "$f" >"$d/${n%%/*}.${n##*/}"
  done
  for f in cmdline environ status maps smaps limits cgroup mountinfo loginuid net/tcp net/tcp6 net/udp net/udp6 net/unix; do
    cat "/proc/$1/$f" >"$d/${f##*/}"
  done
  ls -l "/proc/$1/fd" "/proc/$1/ns" "/proc/$1/cwd" "/proc/$1/root" >"$d/links.txt"
  ps -ww -o pid,ppid,user,lstart,tty,stat,args -p "$1" >"$d/ps.txt"
  nsenter -t "$1" -n ss -tuanpo >"$d/ss.txt"
  ( cd "$d" && sha256sum -- * ) >"$d.sha256"
  echo "kept process $1 in $d"
}
`
	keepOne = `same "$PID" && keep "$PID"
`
	keepHolder = `same "$HOLDER" && keep "$HOLDER"   # its descriptor is the library
`
	keepVictim = `same "$VICTIM" && keep "$VICTIM"
`
	keepAllHead = `  case $(readlink "$p/exe" 2>/dev/null) in
  `
	keepAllTail = `) keep "${p#/proc/}";;
  esac
done
`
)

// keepFile copies the file itself, if the alert names one in a RAM-backed directory: it is gone with
// the next boot, or with the container. docker cp can not reach such a directory.
func (s *situation) keepFile() string {
	if s.file == "" {
		return ""
	}
	root, member := "root=\n", ""
	if s.contained() {
		root, member = "root=\"/proc/$PID/root\"\n", s.setCID()+memberOfContainer
	}
	return block(s.setOut(), "FILE="+s.file+"\n", member, root, keepFileText)
}

const keepFileText = `f="$root$FILE"
if [ -L "$f" ] || [ ! -f "$f" ]; then ls -ld -- "$f"; echo 'not there, or not an ordinary file: not copied' >&2; exit 1; fi
d="$OUT/file-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p -- "$OUT"
mkdir -- "$d" || exit 1
stat -- "$f" >"$d/stat.txt"   # its times, before it is read
cat -- "$f" >"$d/file"
( cd "$d" && sha256sum -- * ) >"$d.sha256"
echo "kept the file in $d"
`

// keepMemory dumps all memory of a process. It is the one step of preserving that the process can
// notice, so it comes last.
func (s *situation) keepMemory() string {
	if s.has("process_injection") {
		return block(s.setOut(), set("VICTIM", s.victim, "the process ID, on the host, of the process that was reached into"),
			s.stillTheSame(), `same "$VICTIM" || exit 1
`, memoryDump, `memory "$VICTIM"
`)
	}
	return block(s.setOut(), s.setPID(), s.stillTheSame(), `same "$PID" || exit 1
`, memoryDump, `memory "$PID"
`)
}

const memoryDump = `# optional, needs gdb: all of its memory. It is stopped with ptrace meanwhile, which it can notice
memory() {
  d="$OUT/memory-$1-$(date -u +%Y%m%dT%H%M%SZ)"
  mkdir -p -- "$OUT"
  mkdir -- "$d" && gcore -o "$d/core" "$1" && ( cd "$d" && sha256sum -- * ) >"$d.sha256"
}
`
