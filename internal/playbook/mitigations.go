package playbook

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// kind is a technique as far as measures against it differ.
type kind int

const (
	memfdKind      kind = iota // a program from a memory file
	descriptorKind             // through a descriptor; what backs it is not known
	deletedKind                // a deleted file
	volatileKind               // a directory in memory
	injectKind                 // writing into another process
	preloadKind                // a library from a descriptor or from /dev/shm
	loaderKind                 // code on a command line that makes a memory file
	selfWriteKind              // dd on a command line that writes the memory of a process
)

// hardening is what the choice of mitigations depends on.
type hardening struct {
	*target
	kind kind
}

// measure makes one mitigation, or says that it does not fit the situation.
type measure func(*hardening) (report.Mitigation, bool)

// plans has the measures for each kind in the order of their effect on it: first what stops it,
// then what limits the code that runs all the same, then what shows it, and at last what does not
// help. Who acts on a harmless alert begins with the tuning instead, see mitigations.
var plans = map[kind][]measure{
	memfdKind: {
		seccompProfile, memfdNoexec, serviceDropIn, composeService, pod, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, auditRules, tetragonPolicy, sigmaRule, noEffect,
	},
	descriptorKind: {
		seccompProfile, memfdNoexec, serviceDropIn, composeService, pod, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, auditRules, tetragonPolicy, sigmaRule, noEffect,
	},
	deletedKind: {
		serviceDropIn, composeService, pod, appArmor, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, auditRules, sigmaRule, noEffect,
	},
	volatileKind: {
		devShmNoexec, serviceDropIn, appArmor, composeService, pod, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, auditRules, sigmaRule, noEffect,
	},
	injectKind: {
		ptraceScope, seccompProfile, serviceDropIn, appArmor, composeService, pod, quarantinePod, quarantineContainer,
		laterFields, falcoRule, auditRules, tetragonPolicy, noEffect,
	},
	preloadKind: {
		seccompProfile, serviceDropIn, devShmNoexec, appArmor, composeService, pod, quarantinePod, quarantineContainer,
		laterFields, falcoRule, auditRules, tetragonPolicy, noEffect,
	},
	loaderKind: {
		seccompProfile, memfdNoexec, serviceDropIn, composeService, pod, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, auditRules, tetragonPolicy, sigmaRule, noEffect,
	},
	selfWriteKind: {
		procMem, appArmor, composeService, pod, quarantinePod, quarantineContainer, dockerSlice,
		laterFields, falcoRule, sigmaRule, noEffect,
	},
}

// mitigations are in the order of their effect on the report's technique. If the alert looks like a
// test or harmless, what makes the next one decidable and keeps this one quiet comes first: there
// may be nothing to prevent.
func mitigations(t *target) []report.Mitigation {
	s := &hardening{t, kindOf(t)}
	all := make([]report.Mitigation, 0, 16)
	add := func(m report.Mitigation, ok bool) {
		if ok {
			all = append(all, m)
		}
	}
	if s.harmless() {
		add(falcoFields(s))
		add(falcoException(s))
	}
	for _, m := range plans[s.kind] {
		add(m(s))
	}
	return all
}

func (s *hardening) harmless() bool {
	return s.report.Verdict == report.Test || s.report.Verdict == report.BenignLikely
}

// laterFields is falcoFields in the place that it has among measures against an attack.
func laterFields(s *hardening) (report.Mitigation, bool) {
	if s.harmless() {
		return report.Mitigation{}, false
	}
	return falcoFields(s)
}

func kindOf(t *target) kind {
	switch t.report.Technique {
	case "fd_script", "fd_exec":
		return descriptorKind
	case "deleted_exec":
		return deletedKind
	case "volatile_path_exec":
		return volatileKind
	case "process_injection":
		return injectKind
	case "preload_from_fd":
		return preloadKind
	case "interpreter_loader":
		if t.says("of=/proc/") || t.says(`of="/proc/`) || t.says("of='/proc/") {
			return selfWriteKind
		}
		return loaderKind
	}
	return memfdKind
}

// preloadsFromShm reports whether the library's path is below /dev/shm; else it is a descriptor's.
func (s *hardening) preloadsFromShm() bool {
	return s.kind == preloadKind && s.says("=/dev/shm")
}

// says reports whether piece stands in the arguments or the environment of the alert.
func (t *target) says(piece string) bool {
	for _, name := range [...]string{"proc.args", "proc.cmdline", "proc.env"} {
		if v, ok := t.event.Field(name); ok && strings.Contains(v, piece) {
			return true
		}
	}
	return false
}

// Where a measure applies. If the alert does not say enough, it is offered with a mark in front.

func (s *hardening) inDocker() bool {
	return s.place == inDocker || s.uncertain()
}

func (s *hardening) inKubernetes() bool {
	return s.place == inPod || s.place == inCRI || s.uncertain()
}

func (s *hardening) onHost() bool { return s.place == onHost || s.place == unknownPlace }

func (s *hardening) uncertain() bool {
	return s.place == unknownPlace || s.place == inSomeContainer
}

// docker, kubernetes and service put the mark in front of a title.

func (s *hardening) docker(title string) string {
	return mark(s.uncertain(), "If it is Docker: ", title)
}

func (s *hardening) kubernetes(title string) string {
	return mark(s.place != inPod, "If it is Kubernetes: ", title)
}

func (s *hardening) service(title string) string {
	return mark(true, "If a systemd service started it: ", title)
}

func mark(uncertain bool, condition, title string) string {
	if !uncertain {
		return title
	}
	return condition + strings.ToLower(title[:1]) + title[1:]
}

// oneFile is the common case of a mitigation's files.
func oneFile(path, mediaType, content string) []report.File {
	return []report.File{{Path: path, MediaType: mediaType, Content: content}}
}
