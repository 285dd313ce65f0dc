package playbook

import "github.com/filelessd/filelessd/pkg/report"

// scope looks for the same elsewhere.
func scope(s *situation) report.Action {
	a := report.Action{
		ID: idScope, Title: "Scope: where else, and how it came",
		Why: "One alert is one sight of it. The same image, arguments or parent elsewhere, and other alerts of the hour before, tell how far it went. " +
			"That nothing more is reported proves nothing: code that is put into a running process starts no program, and Falco can have dropped events.",
		Needs:   "root on the hosts that are looked at.",
		Risk:    "None: it only reads. On a host with many processes the list takes some seconds.",
		Changes: onlyReads, Undo: nothingToUndo,
		Results: []report.Result{
			{If: "the same image digest, memory file or arguments are found on other hosts", Then: "a roll-out, a test campaign or a worm: compare the image digests, and treat each host as this one"},
			{If: "other alerts of the same container or parent precede this one", Then: "they show the way in: download, shell, exploited service. Start the timeline there"},
			{If: "only (deleted) images of packaged paths are listed", Then: "upgraded programs that were not restarted: common, no sign by itself"},
			{If: "a Falco internal: syscall event drop lies in that time", Then: "coverage was incomplete: absence of alerts means less"},
		},
	}
	if !s.contained() {
		a.Results[0] = report.Result{If: "the same image, memory file or arguments are found on other hosts",
			Then: "a roll-out, a test campaign or a worm: compare the hashes of the programs, and treat each host as this one"}
	}
	if s.reexec() || s.report.Verdict == report.Test {
		a.Why = s.onlyIf() + a.Why
	}
	if s.place == inPod {
		a.Needs = "kubectl with the right to list pods in all namespaces and to read Falco's logs; root on the nodes for the last block."
	} else {
		a.Commands = append(a.Commands, block(s.journalWindow(around), s.setSearch(), falcoJournal))
	}
	a.Commands = append(a.Commands, s.sameImage()...)
	if s.pid != "" || s.contained() {
		a.Commands = append(a.Commands, "# on other hosts: whatever runs from memory\n"+hunt("", ""))
	} else {
		a.Results = append(a.Results, report.Result{If: "other hosts have to be looked at", Then: "run the list of step 1 there as it is"})
	}
	return a
}

// setSearch sets TEXT to what to look for in Falco's log: the container, or what the process was
// told, quoted, as it is only compared.
func (s *situation) setSearch() string {
	switch {
	case s.containerID != "":
		return "TEXT='" + s.containerID + "'\n"
	case s.search != "":
		return "TEXT=" + s.search + "\n"
	default:
		return "TEXT='fileless'   # or whatever the alert's command line has of its own\n"
	}
}

// The journal's units of Falco are falco-modern-bpf, falco-bpf, falco-kmod and falco-custom, by the
// driver. In a cluster Falco's log is that of its pods, which the chart of the Falco project puts
// into namespace falco and labels so. With a selector kubectl would show ten lines only.
const (
	falcoJournal = `journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" -u 'falco*' | grep -i -F -e "$TEXT" -e 'syscall event drop'
`
	falcoPods = `kubectl logs -n falco -l app.kubernetes.io/name=falco -c falco --tail=-1 --since-time="$SINCE" | grep -i -F -e "$TEXT" -e 'syscall event drop'
`
)

func (s *situation) sameImage() []string {
	switch t := s.tool(); {
	case s.place == inPod:
		return []string{block(s.setDigest(), podsOfDigest), block(s.setSearch(), s.setSince("SINCE", rfc3339, around), falcoPods)}
	case (t == docker || t == podman) && s.imageRef() != "":
		return []string{block("IMAGE='"+s.imageRef()+"'\n", t, ` ps --all --no-trunc --filter "ancestor=$IMAGE"
`)}
	case t == anyTool && s.imageRef() != "":
		return []string{block(s.setTool(), "IMAGE='"+s.imageRef()+"'\n", `[ "$TOOL" = crictl ] && crictl ps --all --image "$IMAGE"
[ "$TOOL" = crictl ] || "$TOOL" ps --all --no-trunc --filter "ancestor=$IMAGE"
`)}
	case t == crictl && s.imageRef() != "":
		return []string{block("IMAGE='"+s.imageRef()+"'\n", `crictl ps --all --image "$IMAGE"
`)}
	default:
		return nil
	}
}

// imageRef is the image as a runtime's client takes it, by digest if that is known.
func (s *situation) imageRef() string {
	switch {
	case s.image == "":
		return ""
	case s.digest != "":
		return s.image + "@" + s.digest
	case s.tag != "":
		return s.image + ":" + s.tag
	default:
		return s.image
	}
}

func (s *situation) setDigest() string {
	if s.digest == "" && s.image != "" {
		return "DIGEST='" + s.image + "'   # the repository: the alert has no digest\n"
	}
	return set("DIGEST", s.digest, "the digest of the image, sha256:..., as step 1 shows it")
}

const podsOfDigest = `kubectl get pods --all-namespaces -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {.spec.nodeName} {.status.containerStatuses[*].imageID}{"\n"}{end}' | grep -F -e "$DIGEST"
`

// recovery is the last step, and the first that destroys something: it refuses to without evidence.
func recovery(s *situation) report.Action {
	a := report.Action{
		ID: idRecover, Title: "Recover: end it, and rebuild",
		Why: s.onlyIf() + "End it only when its evidence is kept and hashed. " + s.rebuild() +
			" Fix the way in: the parent tells where to look. Change every credential that it could read: " + s.credentials(),
		Needs:   "root on the host, and the evidence directory of the steps before.",
		Risk:    "Final: the memory and the process are gone. What came in once comes in again if the way in stays open.",
		Changes: "The process ends.",
		Undo:    "None: a process that was ended can not be brought back.",
	}
	if s.hasFactor("R3") || !s.contained() && s.uid == "" {
		a.Why += " With far-reaching rights or root on the host, treat the host as lost: rebuild it."
	}
	if s.has("process_injection") {
		a.Why += " The victim still runs with what may have been injected: end or restart it too, once it is kept."
	}
	switch t := s.tool(); {
	case s.place == inPod:
		a.Needs = "kubectl with the right to delete the pod; the evidence of the steps before, in OUT on this machine and on the node."
		a.Changes = "The pod is deleted; its controller starts a new one, if the label that it selects is still there."
		a.Risk += " The new pod has the same image and the same weakness: roll out a fixed one first. If the pod was frozen, undo that first, or deleting it may hang."
		a.Commands = []string{block(s.setPod(), s.setOut(), evidenceGate,
			set("KEPT", "", "yes, when the evidence on the node is kept too"), "kubectl delete pod \"$POD\" -n \"$NS\"\n")}
	case t == crictl:
		a.Changes = "The container ends; the kubelet starts it again, unless its pod is deleted."
		a.Commands = []string{block(s.setCID(), s.setOut(), evidenceGate, "crictl stop --timeout 0 \"$CID\"\n")}
	case t == anyTool:
		a.Changes = "The container ends and stays, to be looked at, unless it was started with --rm. The kubelet starts its own again."
		a.Commands = []string{block(s.setTool(), s.setOut(), evidenceGate, "if [ \"$TOOL\" = crictl ]; then crictl stop --timeout 0 \"$CID\"; else \"$TOOL\" kill \"$CID\"; fi\n")}
	case t != "":
		a.Changes = "The container ends and stays, to be looked at, unless it was started with --rm: then its files go with it, and the export of step 3 is all there is."
		a.Commands = []string{block(s.setCID(), s.setOut(), evidenceGate, t, " kill \"$CID\"\n")}
	default:
		a.Commands = []string{block(s.setPID(), s.setOut(), evidenceGate, s.stillTheSame(), "same \"$PID\" && kill -KILL \"$PID\"\n")}
	}
	return a
}

// rebuild speaks of images where there is one.
func (s *situation) rebuild() string {
	switch s.place {
	case onHost:
		return "Put back what it changed from packages or backups that are known to be good; never make a new host from a snapshot of this one."
	case unknownPlace:
		return "Rebuild from a known image or packages; never turn this container or host into an image with commit or a snapshot."
	}
	return "Rebuild from a known image digest; never turn this container into an image with commit or a snapshot."
}

func (s *situation) credentials() string {
	switch s.place {
	case onHost:
		return "environment, SSH keys, tokens and files of its user."
	case inPod, inCRI:
		return "environment, mounted secrets, service-account token."
	}
	return "environment, mounted secrets, tokens."
}

const evidenceGate = `set -- "$OUT"/*.sha256
[ -s "$1" ] || { echo "no evidence in $OUT: keep it first" >&2; exit 1; }
`
