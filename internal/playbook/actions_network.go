package playbook

import "github.com/filelessd/filelessd/pkg/report"

// containNetwork cuts the network off and leaves the process alone.
func containNetwork(s *situation) report.Action {
	a := report.Action{
		ID: idContainNetwork, Title: "Cut the container off the network",
		Why:   s.onlyIf() + "Without a network there is no control from outside, and nothing leaves.",
		Needs: "root, or a user who may use " + s.toolName() + ", on the host of the alert.",
		Risk:  "The service is unreachable. The intruder notices.",
	}
	switch t := s.tool(); {
	case s.place == inPod:
		s.quarantinePod(&a)
	case t == docker || t == podman:
		a.Commands = []string{block(s.setCID(), disconnect(t))}
		a.Changes = "The container leaves its networks; its connections break. The step that keeps the container has saved addresses and aliases in inspect.json."
		a.Undo = t + " network connect, once for each network that was printed; add --ip and --alias as in inspect.json."
		a.Risk += " Not possible with host networking or none: the command says so. Published ports go with the network."
	case s.place == onHost:
		s.quarantineUser(&a)
	default:
		s.quarantineNamespace(&a)
	}
	return a
}

// disconnect leaves each network by its ID. A container on the host's network has none of its own.
func disconnect(tool string) string {
	return `mode=$(` + tool + ` inspect --format '{{.HostConfig.NetworkMode}}' "$CID") || exit 1
case $mode in host|none|container:*|ns:*|slirp4netns*|pasta*) echo "network mode $mode: nothing to leave; freeze it instead" >&2; exit 1;; esac
` + tool + ` inspect --format '{{range .NetworkSettings.Networks}}{{println .NetworkID}}{{end}}' "$CID" | while read -r net; do
  [ -n "$net" ] && ` + tool + ` network disconnect "$net" "$CID" && echo "left $net"
done
`
}

const quarantineChains = `table inet quarantine {
  chain in  { type filter hook input priority -300; policy drop; }
  chain out { type filter hook output priority -300; policy drop; }
}
`

// quarantineNamespace drops all packets of a network namespace, and refuses to do so for the
// host's, which would cut off everybody, the reader first.
func (s *situation) quarantineNamespace(a *report.Action) {
	a.Title = "Cut the network namespace off"
	a.Needs = "root on the host of the process; nsenter and nft there, not in the container."
	a.Changes = "All packets of that network namespace are dropped, loopback too: of every container of the same pod, and of no other. Sockets stay as they are, to be looked at."
	a.Undo = `nsenter -t PID -n nft delete table inet quarantine`
	a.Risk += " Never for processes on the host's network: the command compares the namespaces and stops. In a pod, the kubelet's network probes fail too, and it may restart the container."
	find := s.setPID() + s.stillTheSame() + "same \"$PID\" || exit 1\n"
	if s.contained() {
		find = s.setCID() + memberOfContainer
	}
	a.Commands = []string{block(find, notTheHost, "nsenter -t \"$PID\" -n nft -f - <<'EOF' && echo \"quarantined: $own\"\n", quarantineChains, "EOF\n")}
	if s.place == unknownPlace {
		a.Results = []report.Result{
			{If: "it says that the process shares the network of the host", Then: "nothing was changed. Cut the host off at the switch, the firewall or the hypervisor, and keep a way in"},
		}
	}
}

const notTheHost = `own=$(readlink "/proc/$PID/ns/net") || { echo "process $PID is gone, or this is not root" >&2; exit 1; }
host=$(readlink /proc/1/ns/net) || { echo 'the network of process 1 can not be seen: run this as root of the host itself' >&2; exit 1; }
[ "$own" != "$host" ] || { echo "process $PID shares the network of the host: nothing done, it would cut the host off" >&2; exit 1; }
`

// quarantineUser drops what one user of the host sends. Of root that would cut the host off.
func (s *situation) quarantineUser(a *report.Action) {
	a.Title = "Cut the user, or the host, off the network"
	a.Needs = "whoever runs the switch, the firewall or the hypervisor; root on the host for a command."
	a.Risk = "Everything on the host becomes unreachable, your session too, unless a way in is kept. The intruder notices."
	a.Changes = "The host's connections, outside of the host."
	a.Undo = "Undo it where it was done."
	a.Why += " A process of the host has no network of its own: nothing on the host cuts off that process alone, so isolate the host from outside (switch, firewall, hypervisor), and keep a way in for yourself."
	if s.uid == "" {
		return
	}
	a.Risk = "Everything that this user runs on the host loses its network, replies of its services too. A process that is root, or becomes root, is not held by it."
	a.Why += " Until then: drop what its user sends."
	a.Changes = "All packets sent by processes of that user on the host are dropped; incoming ones still arrive."
	a.Undo = "nft delete table inet quarantine_user"
	a.Commands = []string{block(set("OWNER", s.uid, ""), "nft -f - <<EOF && nft list table inet quarantine_user\n", quarantineUserTable, "EOF\n")}
}

const quarantineUserTable = `table inet quarantine_user {
  chain out { type filter hook output priority -300; policy accept; meta skuid $OWNER counter drop; }
}
`

// quarantinePod labels the pod for a policy that selects the label and allows nothing.
func (s *situation) quarantinePod(a *report.Action) {
	a.Title = "Cut the pod off the network"
	a.Needs = "kubectl with the right to label pods and create NetworkPolicies in the namespace; a network plugin that enforces NetworkPolicy. Root on the node for the last block."
	a.Changes = "A NetworkPolicy named quarantine is created in the namespace, and the pod gets the label quarantine=true. The last block instead drops all packets in the pod's network namespace."
	a.Undo = `The label: kubectl label pod POD -n NS quarantine- and the policy, if no other pod needs it: kubectl delete networkpolicy quarantine -n NS. The last block: nsenter -t PID -n nft delete table inet quarantine`
	a.Risk += " Policies only add up: another one that allows traffic for this pod still allows it. Some plugins leave open connections alone. " +
		"A pod on the host's network is not held by policies, and both commands stop for it."
	a.Results = []report.Result{
		{If: "the pod is on the host's network", Then: "nothing was changed. Isolate the node at the switch or the cloud's firewall, after its evidence is kept"},
		{If: "connections go on after the label was set", Then: "the plugin enforces no policies, or not on open connections: use the last block, on the node"},
		{If: "a Service still sends users to the pod", Then: "remove the label that the Service selects, with the second block: the controller then starts a fresh pod, with the same weakness, and leaves this one alone"},
	}
	a.Commands = []string{
		block(s.setPod(), quarantinePolicy),
		block(s.setPod(), "kubectl get pod \"$POD\" -n \"$NS\" --show-labels\n",
			set("LABEL", "", "the key of the label that the Service selects"), "kubectl label pod \"$POD\" -n \"$NS\" \"$LABEL-\"\n"),
		block(s.setCID(), memberOfContainer, notTheHost,
			"nsenter -t \"$PID\" -n nft -f - <<'EOF' && echo \"quarantined: $own\"\n", quarantineChains, "EOF\n"),
	}
}

const quarantinePolicy = `host=$(kubectl get pod "$POD" -n "$NS" -o jsonpath='{.spec.hostNetwork}') || exit 1
[ "$host" != true ] || { echo 'the pod is on the network of its node: policies do not hold it; nothing done' >&2; exit 1; }
kubectl apply -n "$NS" -f - <<'EOF' || exit 1
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: quarantine
spec:
  podSelector:
    matchLabels:
      quarantine: "true"
  policyTypes: [Ingress, Egress]
EOF
kubectl label pod "$POD" -n "$NS" quarantine=true --overwrite
`

// containNode keeps new pods off a node that the container could reach.
func containNode(s *situation) report.Action {
	return report.Action{
		ID: idContainNode, Title: "Keep new pods off the node",
		Why:     s.onlyIf() + "The container had far-reaching rights, so the node is in scope. Do not drain it: draining deletes the pods, and the evidence with them.",
		Needs:   "kubectl with the right to change nodes.",
		Risk:    "Less room in the cluster. It stops nothing that already runs there.",
		Changes: "The node is marked unschedulable.",
		Undo:    "kubectl uncordon NODE",
		Commands: []string{block(s.setPod(), `NODE=$(kubectl get pod "$POD" -n "$NS" -o jsonpath='{.spec.nodeName}') || exit 1
kubectl cordon "${NODE:?the pod is on no node}"
`)},
	}
}
