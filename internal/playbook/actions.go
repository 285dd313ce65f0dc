package playbook

import "github.com/filelessd/filelessd/pkg/report"

// The IDs of the actions. A report has those that fit its place, in this order.
const (
	idDecide            = "decide"
	idPreserve          = "preserve"           // the process
	idPreserveContainer = "preserve_container" // or the pod
	idPreserveHost      = "preserve_host"
	idContain           = "contain" // the process, or all of its container
	idContainNetwork    = "contain_network"
	idContainNode       = "contain_node"
	idScope             = "scope"
	idRecover           = "recover"
)

// actions are in the order in which they are to be done: evidence comes before what destroys it,
// and what is gone first is kept first.
func actions(t *target) []report.Action {
	s := situationOf(t)
	all := make([]report.Action, 0, 8)
	all = append(all, decide(s), preserve(s))
	if s.place == onHost || s.place == unknownPlace {
		all = append(all, preserveHost(s))
	} else {
		all = append(all, preserveContainer(s))
	}
	all = append(all, contain(s), containNetwork(s))
	if s.place == inPod && s.hasFactor("R3") {
		all = append(all, containNode(s))
	}
	return append(all, scope(s), recovery(s))
}

// onlyIf is what the first step has to come to before one of the others makes sense.
func (s *situation) onlyIf() string {
	switch {
	case s.report.Verdict == report.Test:
		return "Only if step 1 does not confirm the test. "
	case s.reexec():
		return "Only if step 1 does not confirm a container runtime. "
	default:
		return ""
	}
}

const (
	nothingToUndo = "Nothing to undo: it only reads."
	onlyReads     = "Nothing: it only reads."
)
