package playbook

import (
	"strconv"
	"strings"
	"time"
)

// Commands are POSIX shell. A block of them is a subshell, for three reasons: pasted into a shell
// that somebody works in, a missing value stops all of the block and not one line of it; what it
// sets does not stay there, where it could be taken for another incident's; and exit leaves the
// block only.
//
// A value of the alert is assigned once, at the top, in single quotes. A value that the alert does
// not have is asked for at the same place by ${NAME:?FILL IN ...}: set NAME in the shell, then
// paste the block again.

// block returns parts, each of which ends its last line, as one block.
func block(parts ...string) string {
	n := len("(\n)")
	for _, p := range parts {
		n += len(p)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString("(\n")
	for _, p := range parts {
		b.WriteString(p)
	}
	b.WriteByte(')')
	return b.String()
}

// set assigns a value that is in its strict form, or stops and says what to fill in.
func set(name, value, ask string) string {
	if value == "" {
		return ": \"${" + name + ":?FILL IN: set " + name + " to " + ask + "}\"\n"
	}
	return name + "='" + value + "'\n"
}

func (s *situation) setPID() string {
	return set("PID", s.pid, "the process ID on the host; step 1 shows it")
}

func (s *situation) setCID() string {
	return set("CID", s.containerID, "the container ID, 12 or 64 hex digits; the alert has none in that form")
}

func (s *situation) setPod() string {
	return set("NS", s.namespace, "the namespace of the pod; the alert has none in that form") +
		set("POD", s.pod, "the name of the pod; the alert has none in that form")
}

// setOut makes the directory for evidence. OUT may name another one beforehand.
func (s *situation) setOut() string {
	return "umask 077\nOUT=\"${OUT:-$HOME/" + s.out + "}\"\n"
}

// around is how much of a log before and after the alert is looked at. Times in commands are UTC and
// say so: Falco's text has the host's local time.
const around = 15 * time.Minute

// setSince and setUntil are what docker and kubectl read; journalctl has a form of its own.
func (s *situation) setSince(name, layout string, before time.Duration) string {
	if s.when.IsZero() {
		return set(name, "", "the start of what to look at, in the form "+layout)
	}
	line := set(name, s.when.UTC().Add(-before).Format(layout), "")
	if !s.exact {
		return strings.TrimSuffix(line, "\n") + "   # by the time of receipt: the alert has none\n"
	}
	return line
}

const (
	rfc3339     = "2006-01-02T15:04:05Z"
	journalTime = "2006-01-02 15:04:05 UTC"
)

// journalWindow sets SINCE and UNTIL around the alert.
func (s *situation) journalWindow(around time.Duration) string {
	since := s.setSince("SINCE", journalTime, around)
	if s.when.IsZero() {
		return since + set("UNTIL", "", "the end of what to look at, in the same form")
	}
	return since + set("UNTIL", s.when.UTC().Add(around).Format(journalTime), "")
}

// stillTheSame defines same, which stops at a process that has only got the number: one that was
// started after the alert. The process of an alert exists before it.
func (s *situation) stillTheSame() string {
	if s.when.IsZero() {
		return sameAlive
	}
	return sameHead + strconv.FormatInt(s.when.Unix()+2, 10) + sameTail
}

const (
	sameAlive = `same() { ps -o pid= -p "$1" >/dev/null || { echo "process $1 is gone" >&2; return 1; }; }
`
	sameHead = `same() {   # a number is used again: what started after the alert is another process
  age=$(ps -o etimes= -p "$1") || { echo "process $1 is gone" >&2; return 1; }
  [ "$(( $(date +%s) - age ))" -le `
	sameTail = ` ] || { echo "process $1 started after the alert: another one has its number" >&2; return 1; }
}
`
	// show makes text of a process printable: a name can hold what a terminal obeys.
	show = `show() { LC_ALL=C tr -c '[:print:]' ' ' | cut -c 1-200; }
`
	asRoot = `[ "$(id -u)" = 0 ] || echo 'not root: processes of other users do not show' >&2
`
)

// findHead walks all processes; findMarks says of one why it is suspected; findPrint prints it.
const (
	findHead = `for p in /proc/[0-9]*; do
`
	findOfContainer = `  grep -q "$CID" "$p/cgroup" 2>/dev/null || continue
`
	findMarks = `  exe=$(readlink "$p/exe" 2>/dev/null) || continue
  why=
  case $exe in
  /memfd:*) why='image is a memory file; ';;
  *' (deleted)') why='image was deleted; ';;
  /dev/shm/*|/run/shm/*|/run/user/*|/dev/mqueue/*) why='image in a RAM-backed directory; ';;
  esac
  tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -Eq '^/(proc/[^/]+|dev)/fd/[0-9]+$|^/(dev|run)/shm/' && why="${why}argument is a descriptor or a file in memory; "
  tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -Eq '^LD_(PRELOAD|AUDIT)=.*(/fd/|/shm/)' && why="${why}preloads a library from memory; "
  grep -q '^TracerPid:[[:space:]]*[1-9]' "$p/status" 2>/dev/null && why="${why}traced by another process; "
`
	findImage = `  [ "$exe" = "$EXE" ] && why="${why}image as in the alert; "
`
	findMarked = `  [ -n "$why" ] || continue
`
	findPrint = `  ps -o pid=,ppid=,user=,lstart=,comm= -p "${p#/proc/}"
  printf '    %s\n    %s\n    %s\n' "${why:-no mark}" "$(printf %s "$exe" | show)" "$(show <"$p/cmdline")"
  sed -n 's/.*\([0-9a-f]\{64\}\).*/    container \1/p' "$p/cgroup" | sort -u
done
`
)

// find lists processes: those of the container, or all that bear a mark.
func (s *situation) find() string {
	var image, setImage string
	if s.link != "" {
		setImage, image = "EXE="+s.link+"\n", findImage
	}
	if s.contained() {
		return block(s.setCID(), setImage, show, asRoot, findHead, findOfContainer, findMarks, image, findPrint)
	}
	return hunt(setImage, image)
}

// hunt lists what bears a mark, on whatever host it is run.
func hunt(setImage, image string) string {
	return block(setImage, show, asRoot, findHead, findMarks, image, findMarked, findPrint)
}

// ancestry shows one process, the process that started it, and so on up to the first.
func (s *situation) ancestry() string {
	return block(s.setPID(), s.stillTheSame(), show, asRoot, ancestryText)
}

const ancestryText = `same "$PID" || exit 1
p=$PID
while [ "${p:-0}" -gt 0 ]; do
  ps -o pid=,ppid=,user=,lstart=,tty=,comm= -p "$p" || break
  printf '    %s\n    %s\n' "$(readlink "/proc/$p/exe" | show)" "$(show <"/proc/$p/cmdline")"
  p=$(ps -o ppid= -p "$p" | tr -d ' ')
done
ps -o pid=,user=,lstart=,comm= --ppid "$PID"   # what it started
sed -n 's/.*\([0-9a-f]\{64\}\).*/container \1/p' "/proc/$PID/cgroup" | sort -u
`

// memberOfContainer sets PID to some process of the container: each has the container's network and
// files. Podman's and CRI-O's monitor has the ID in its cgroup's name too, but is outside.
const memberOfContainer = `PID=
for p in /proc/[0-9]*; do
  grep -v conmon "$p/cgroup" 2>/dev/null | grep -q "$CID" && PID=${p#/proc/} && break
done
: "${PID:?no process of container $CID is here: it ended, or this is another host}"
`
