package playbook

import (
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// decide is the first step: it only reads, and what it shows says which of the others are needed.
func decide(s *situation) report.Action {
	a := report.Action{
		ID: idDecide, Title: "Decide: find the process, and what started it",
		Why: "The alert says what ran; whether it is expected is known by its parent, its image and its owner. Look before you touch anything.",
		Risk: "None: it only reads. Arguments and logs can hold secrets. Names and arguments were chosen by whoever ran the program: " +
			"believe paths, IDs and times, not names.",
		Changes: onlyReads, Undo: nothingToUndo,
		Needs: s.decideNeeds(),
	}
	switch {
	case s.report.Verdict == report.Test:
		a.Title = "Decide: test or incident"
		a.Why = "The arguments are those of falcosecurity/event-generator, Falco's test tool. Anyone can copy arguments; image, log and owner settle it."
		a.Commands = s.findLast(append(s.placeFacts(testLog), s.testTrace()...))
		a.Results = s.testResults()
		return a
	case s.reexec():
		a.Title = "Decide: container start or imitation"
		a.Why = "Container runtimes run a sealed copy of themselves from memory when they start a container. Then the runtime on this host is one that does so, " +
			"and a container was started at that moment."
		a.Commands = s.findLast([]string{block(runtimeText), block(s.journalWindow(time.Minute), runtimeJournal)})
		a.Results = reexecResults()
		return a
	case s.failed:
		a.Title = "Decide: who tried, and why"
		a.Why = "The system call failed, so the program did not start. The process of the alert is the caller: find it, and what started it."
	case s.has("process_injection"):
		a.Title = "Decide: who reached into which process"
		a.Why = "The process of the alert wrote to another one, attached to it or opened its memory. A debugger with a person behind it is expected; anything else is not."
	}
	a.Commands = s.look()
	a.Results = s.incidentResults()
	return a
}

// look has the commands that show the process and where it runs. Of a pod the node comes first: it
// is where the others are to be run.
// findLast adds the list of processes where the alert has no process ID: later steps ask for it.
func (s *situation) findLast(all []string) []string {
	if s.pid != "" {
		return all
	}
	return append(all, s.find())
}

func (s *situation) look() []string {
	all := make([]string, 0, 4)
	if s.place == inPod {
		all = append(all, s.placeFacts("")...)
	}
	if s.pid != "" {
		all = append(all, s.ancestry())
	} else {
		all = append(all, s.find())
	}
	if s.has("process_injection") {
		all = append(all, s.findVictim())
	}
	if s.place != inPod {
		all = append(all, s.placeFacts("")...)
	}
	path := strings.TrimSuffix(s.field("proc.exepath"), " (deleted)")
	if file, ok := shellQuote(path); ok && path[0] == '/' && !s.contained() && s.has("deleted_exec") {
		all = append(all, block("FILE="+file+"\n", ownerText))
	}
	return all
}

// ownerText says whether a path is a package's, and what stands there now.
const ownerText = `dpkg -S -- "$FILE" || rpm -qf -- "$FILE"
ls -l --time-style=full-iso -- "$FILE"
grep -h ' upgrade ' /var/log/dpkg.log | tail -n 20
rpm -qa --last | head -n 20
`

func (s *situation) decideNeeds() string {
	switch s.place {
	case inPod:
		return "kubectl with the right to read pods and logs for the first block, which prints the node; root on that node for the others."
	case onHost:
		return "root on the host of the alert, to see the processes of other users."
	case unknownPlace:
		return "root on the host of the alert. The alert does not say whether it came from a container: a line that begins with container says so."
	case inSomeContainer:
		if s.tool() == podman {
			break
		}
		needs := "root on the host of the alert, and docker, podman or crictl, whichever knows the container: the alert does not name the runtime."
		if generatedName(s.containerName) {
			needs += " The container's name has the form that Docker gives when none is chosen: a hint, no more."
		}
		return needs
	}
	if s.report.Verdict == report.Test {
		return "a user who may use " + s.toolName() + " on the host of the alert; root for a list of processes."
	}
	return "root on the host of the alert, or a user who may use " + s.toolName() + " for the last block."
}

// findVictim shows which processes are traced now and, if the alert has the number that the victim
// has inside of a container, whose number that is on the host.
func (s *situation) findVictim() string {
	parts := []string{asRoot, tracedText}
	if n := processOf(s.field("fd.name"), "/mem"); n != "" && s.victim == "" {
		parts = append(parts, "N='"+n+"'   # as the process of the alert counts: in a container, not the number on the host\n", numberText)
	}
	if s.victim != "" {
		parts = append(parts, set("VICTIM", s.victim, ""))
	} else {
		parts = append(parts, set("VICTIM", "", "the process ID, on the host, of the process that was reached into"))
	}
	return block(append(parts, changedText)...)
}

const (
	tracedText = `grep -H '^TracerPid:[[:space:]]*[1-9]' /proc/[0-9]*/status 2>/dev/null   # who is traced now, by whom
`
	numberText = `grep -H "^NSpid:.*[[:space:]]$N\$" /proc/[0-9]*/status 2>/dev/null   # whose number that is on the host
`
	// A page that was written to is no longer the file's: it counts as anonymous, like memory that
	// never had a file.
	changedText = `awk '/^[0-9a-f]+-[0-9a-f]+ / { where = $1 " " $2 " " $6; x = $2 ~ /x/ }
  x && /^Anonymous:/ && $2 > 0 { print $2 " kB of " where }' "/proc/$VICTIM/smaps" | LC_ALL=C tr -cd '[:print:]\n'   # code that is not, or no longer, a file's
`
)

func (s *situation) incidentResults() []report.Result {
	results := make([]report.Result, 0, 8)
	add := func(cond, then string) { results = append(results, report.Result{If: cond, Then: then}) }
	if s.pid != "" {
		add("the process is gone, or another one has its number", "it was short-lived: nothing of its memory is left. Skip the step that keeps the process; the logs, the parent and other hosts are what remains")
	} else {
		add("nothing is listed that fits", "it was short-lived, or hides: nothing of its memory is left to keep. The logs, the parent and other hosts are what remains")
	}
	switch {
	case s.failed:
		add("the caller is a program that nobody can name, or a shell below a network service", "an intrusion that met a limit once: incident, it will try otherwise. Go on with every step")
		add("the caller is known software and its owner explains the attempt", "note name, version and ticket, and close")
	case s.has("process_injection"):
		add("the process of the alert is a debugger or tracer, with a terminal and a person behind it", "ask that person; then note it, and close")
		add("the last lines show code of the victim that is not a file's, and the victim compiles nothing at run time", "injected or patched code: incident. Keep the victim first, it is the only place where that code exists")
		add("the same in java, node, .NET, a browser or a database", "such programs make code at run time: no sign by itself")
	default:
		add("it lives, and nobody can say which program it is", "incident: keep it now (next step), before anything else")
		add("a parent is a web, application or database server", "the service was exploited: incident. Its logs just before the alert say how")
		add("its owner names the program, the version and the change that brought it", "note that, and close; then except it narrowly: image, parent and arguments together")
	}
	if s.has("deleted_exec") {
		add("a package was upgraded at that time and the path belongs to it", "the old program ran on after the upgrade: restart it when convenient, and close")
	}
	if s.contained() {
		add(s.notFound())
		add("privileged is true, a namespace of the host is shared, or the runtime's socket, / or /proc is mounted", "the host is in scope: treat it as the container")
	}
	if s.place == unknownPlace {
		add("a line begins with container", "it is in that container: do the same as root there, and look it up with docker inspect, podman inspect or crictl inspect")
	}
	return results
}

// notFound is what it means that the container is not there any more.
func (s *situation) notFound() (cond, then string) {
	if s.place == inPod {
		return "the pod is not found, or has another container ID than the alert", "it was replaced or deleted. Its events, its log files on the node for a while, and the owner's template remain: keep them soon (step 3)"
	}
	if s.tool() == crictl {
		return "crictl does not find the container", "it was removed, or this is another node. What the journal recorded remains: keep it soon (step 3)"
	}
	return "no such object, or no runtime knows the container", "it was removed, for example because of --rm, this is another host, or it belongs to a user who runs Podman without root. " +
		"What the daemon and the journal recorded, and the list of images, remain: keep them soon (step 3)"
}

// generatedName reports whether a name is two lower-case words joined by an underscore, as Docker
// makes them up.
func generatedName(name string) bool {
	first, second, ok := strings.Cut(name, "_")
	return ok && only(first, 40, lower) && only(strings.TrimRight(second, digits), 40, lower)
}

func (s *situation) testResults() []report.Result {
	results := []report.Result{{
		If:   "the image is falcosecurity/event-generator, run with its own entry, and it logged the action at this time",
		Then: "a test. Ask who ran it, note name and ticket, and close. A full run sets off other rules within seconds: check that they belong to it",
	}}
	if !s.contained() {
		return append(results, report.Result{
			If:   "event-generator is installed here, and the journal or a person's session shows that it ran at this time",
			Then: "a test. Ask who ran it, note name and ticket, and close",
		}, report.Result{
			If:   "no trace of the test tool, or nobody ran it",
			Then: "imitation: incident. Go on with every step",
		})
	}
	cond, then := s.notFound()
	return append(results, report.Result{If: cond, Then: then + ". It stays an unconfirmed test until an owner is found"}, report.Result{
		If:   "any other image, or a service as its entry",
		Then: "incident, dressed up as the test: go on with every step",
	}, report.Result{
		If:   "privileged is true, a namespace of the host is shared, or the runtime's socket, / or /proc is mounted, and it is no test",
		Then: "the host is in scope: treat it as the container",
	})
}

func reexecResults() []report.Result {
	return []report.Result{
		{If: "runc 1.1.15 or a later 1.1, crun, or LXC is installed from its package, and the journal has a container start at this second", Then: "a container start: close. Rules 4.0.0 or later (Falco 0.41) except runc; for crun and LXC an exception on image path and parent together is needed"},
		{If: "runc is 1.2 or later", Then: "it needs a copy in memory only where an overlay can not be mounted: look for the container start at this second; without one, incident"},
		{If: "no package owns the runtime's file, no runtime is installed, or nothing was started at this second", Then: "imitation: incident. Go on with every step, and treat the host as in scope"},
	}
}

const (
	runtimeText = `for tool in runc crun conmon containerd containerd-shim-runc-v2 dockerd crio podman lxc-start; do
  f=$(command -v "$tool") || continue
  printf '%s: %s\n' "$f" "$("$f" --version 2>/dev/null | head -n 1)"
  dpkg -S "$f" 2>/dev/null || rpm -qf "$f" 2>/dev/null || echo '  no package owns it'
done
`
	runtimeJournal = `journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" | grep -E 'containerd|dockerd|kubelet|crio|podman|conmon|lxc'
`
)
