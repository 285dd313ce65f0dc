package playbook

import (
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// place is where commands have to be run, by what the fields say.
type place int

const (
	unknownPlace    place = iota // no container.id: host or container, the alert does not say
	onHost                       // container.id is "host"
	inDocker                     // container.type is docker
	inCRI                        // containerd or CRI-O, no pod known
	inPod                        // k8s.pod.name is known
	inSomeContainer              // a container of a runtime that the alert does not name
)

// target is what of a report commands and files may use. Each string has its strict form or is
// empty: unknown, or not to be trusted inside a command.
type target struct {
	report *report.Report
	event  *event.Event
	place  place

	containerID   string // 12 or 64 hex digits
	containerName string // as Docker allows it
	runtime       string // container.type: docker, containerd, cri-o, podman, ...
	pid           string // digits, as the host counts
	ppid          string
	namespace     string // DNS label
	pod           string // DNS subdomain
	image         string // repository, without a tag
	tag           string
	digest        string // sha256: and 64 hex digits
}

func targetOf(r *report.Report) *target {
	e := r.Event
	strict := func(name string, form func(string) bool) string {
		v, _ := e.Field(name)
		if !form(v) {
			return ""
		}
		return v
	}
	t := &target{
		report: r, event: e,
		containerID:   strict("container.id", isContainerID),
		containerName: strict("container.name", isContainerName),
		runtime:       strict("container.type", isDNSLabel),
		pid:           strict("proc.pid", isPID),
		ppid:          strict("proc.ppid", isPID),
		namespace:     strict("k8s.ns.name", isDNSLabel),
		pod:           strict("k8s.pod.name", isDNSSubdomain),
		image:         strict("container.image.repository", isRepository),
		tag:           strict("container.image.tag", isTag),
		digest:        strict("container.image.digest", isDigest),
	}
	t.place = t.findPlace()
	return t
}

func (t *target) findPlace() place {
	id, known := t.event.Field("container.id")
	_, pod := t.event.Field("k8s.pod.name")
	switch {
	case pod:
		return inPod
	case id == "host":
		return onHost
	case !known:
		return unknownPlace
	case t.runtime == "docker":
		return inDocker
	case t.runtime == "containerd", t.runtime == "cri-o", t.runtime == "cri":
		return inCRI
	default:
		return inSomeContainer
	}
}

// has reports whether the report's technique, or one that also holds, is among those.
func (t *target) has(techniques ...report.Technique) bool {
	if slices.Contains(techniques, t.report.Technique) {
		return true
	}
	return slices.ContainsFunc(t.report.Also, func(also report.Technique) bool {
		return slices.Contains(techniques, also)
	})
}

// hasFactor reports whether the score's ledger has that line.
func (t *target) hasFactor(id string) bool {
	return slices.ContainsFunc(t.report.Factors, func(f report.Factor) bool { return f.ID == id })
}

// shellQuote returns s as one word of a POSIX shell, whatever is in it. It holds no newline and
// nothing else that can not be seen: such text is not to be searched for by hand, so it is empty.
func shellQuote(s string) (word string, ok bool) {
	if s == "" || report.Visible(s) != s || strings.ContainsAny(s, "\n\t") {
		return "", false
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", true
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// only reports whether s has 1 to most bytes, all of which are among set.
func only(s string, most int, set string) bool {
	return s != "" && len(s) <= most && strings.Trim(s, set) == ""
}

func isContainerID(s string) bool {
	return (len(s) == 12 || len(s) == 64) && only(s, 64, digits+"abcdef")
}

func isPID(s string) bool { return only(s, 10, digits) && s[0] != '0' }

func isContainerName(s string) bool {
	return only(s, 128, lower+strings.ToUpper(lower)+digits+"_.-") && strings.IndexByte("_.-", s[0]) < 0
}

// isDNSLabel is RFC 1123, as Kubernetes names its namespaces.
func isDNSLabel(s string) bool {
	return only(s, 63, lower+digits+"-") && s[0] != '-' && s[len(s)-1] != '-'
}

func isDNSSubdomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isDNSLabel(label) {
			return false
		}
	}
	return true
}

func isRepository(s string) bool {
	return only(s, 255, lower+digits+"._-/:") && isAlphanumeric(s[0]) && isAlphanumeric(s[len(s)-1])
}

func isTag(s string) bool {
	return only(s, 128, lower+strings.ToUpper(lower)+digits+"_.-") && s[0] != '.' && s[0] != '-'
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && only(hex, 64, digits+"abcdef")
}

func isAlphanumeric(c byte) bool { return strings.IndexByte(lower+digits, c) >= 0 }
