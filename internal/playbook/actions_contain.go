package playbook

import "github.com/filelessd/filelessd/pkg/report"

// contain freezes: nothing of the process runs on, and its memory stays.
func contain(s *situation) report.Action {
	a := report.Action{
		ID:    idContain,
		Title: "Freeze the container",
		Why: s.onlyIf() + "A frozen process does nothing more, and keeps its memory. " +
			"Do it before the step that keeps the process only if it does harm while you read.",
		Needs:   "root, or a user who may use " + s.toolName() + ", on the host of the alert.",
		Changes: "All processes of the container stop; memory, files and connections stay.",
		Risk: "The service stops answering. A health check of a supervisor (Swarm, Nomad, systemd) may restart it, which destroys the memory: " +
			"keep the process first.",
	}
	switch t := s.tool(); {
	case !s.contained():
		s.stopProcess(&a)
	case s.place == inPod, t == crictl:
		s.freezeCRI(&a)
	case t == anyTool:
		a.Commands = []string{block(s.setTool(), "if [ \"$TOOL\" = crictl ]; then\n", cgroupOfContainer, freeze, "else\n  ", t, " pause \"$CID\"\nfi\n")}
		a.Undo = `docker unpause, or podman unpause, of the container; if crictl knows it: write 0 to the same cgroup.freeze.`
	default:
		a.Commands = []string{block(s.setCID(), t, " pause \"$CID\"\n")}
		a.Undo = t + ` unpause of the container.`
	}
	return a
}

func (s *situation) stopProcess(a *report.Action) {
	a.Title = "Stop the process without ending it"
	a.Needs = "root on the host of the alert."
	a.Changes = "The process stops where it is; its memory, files and connections stay."
	a.Undo = `kill -CONT of the same process.`
	a.Risk = "Its parent is told, and a watchdog may start another one or end it. Stopping a process that the host needs (a shell of yours, sshd, systemd) stops that. " +
		"For a service, systemctl freeze UNIT stops all of it without its notice (systemd 246 or later, cgroup v2)."
	if s.has("process_injection") {
		a.Why += " Stop the process of the alert; the victim runs on with what may have been injected, so keep it first, and then stop it in the same way."
	}
	check := ""
	if !s.failed && s.has("memfd_exec") {
		check = stopIfMemory
	}
	a.Commands = []string{block(s.setPID(), s.stillTheSame(), "same \"$PID\" || exit 1\n", check, stop)}
}

const (
	stopIfMemory = `case $(readlink "/proc/$PID/exe") in
/memfd:*) ;;
*) echo "process $PID does not run from memory: not the one of the alert, or it has started another program" >&2; exit 1;;
esac
`
	stop = `kill -STOP "$PID" && ps -o pid,ppid,user,lstart,stat,comm -p "$PID"   # T in STAT: stopped
`
)

// freezeCRI is for what the kubelet started. It must not be frozen while a liveness probe watches:
// the kubelet kills a container that does not answer, and the memory with it. The probes of a pod
// can not be changed while it runs.
func (s *situation) freezeCRI(a *report.Action) {
	a.Needs = "root on the node."
	a.Risk = "The service stops answering. A liveness probe then makes the kubelet kill the container within seconds to minutes, and its memory is lost; " +
		"a probe can not be changed in a pod that runs. Keep the process first; if there is a liveness probe, cut the network (next step) and do not freeze."
	a.Results = []report.Result{
		{If: "a container of the pod has a livenessProbe", Then: "do not freeze it: the kubelet would kill it. Cut its network instead (next step)"},
		{If: "there is none", Then: "freeze it with the last block; a readiness probe only takes the pod out of its Service"},
	}
	if s.place == inPod {
		a.Needs = "kubectl with the right to read the pod for the first block; root on the node for the second."
		a.Commands = append(a.Commands, block(s.setPod(), showProbes))
	} else {
		a.Commands = append(a.Commands, block(s.setCID(), showProbesCRI))
	}
	if s.runtime == "containerd" {
		a.Commands = append(a.Commands, block(s.setCID(), pauseContainerd))
		a.Undo = "On the node: ctr tasks resume, as the block prints it."
		return
	}
	a.Commands = append(a.Commands, block(s.setCID(), cgroupOfContainer, freeze))
	a.Undo = "On the node: write 0 to the same cgroup.freeze."
}

const (
	showProbes = `kubectl get pod "$POD" -n "$NS" -o jsonpath='{range .spec.containers[*]}{.name}: livenessProbe={.livenessProbe} startupProbe={.startupProbe}{"\n"}{end}'
`
	showProbesCRI = `crictl inspect "$CID" | grep -E '"io\.kubernetes\.(pod|container)\.(name|namespace)":'   # the pod, whose livenessProbe its manifest shows
`
	// ctr wants the whole ID and the namespace: k8s.io is the kubelet's, default is nerdctl's.
	pauseContainerd = `for ns in $(ctr namespaces list --quiet); do
  full=$(ctr --namespace "$ns" containers list --quiet | grep "^$CID") || continue
  ctr --namespace "$ns" tasks pause "$full" && echo "paused; undo: ctr --namespace $ns tasks resume $full"
done
`
	cgroupOfContainer = `cg=
for p in /proc/[0-9]*; do
  c=$(sed -n 's/^0:://p' "$p/cgroup" 2>/dev/null)
  case $c in *conmon*) ;; *"$CID"*) cg=$c; break;; esac
done
: "${cg:?no process of container $CID is here, or this host has no cgroup v2}"
rest=${cg#*"$CID"}
cg=${cg%"$rest"}${rest%%/*}   # the container itself, not a group inside of it
`
	freeze = `f="/sys/fs/cgroup$cg/cgroup.freeze"
[ -w "$f" ] || { echo "no $f: cgroup v1 is in use, or this is not root" >&2; exit 1; }
echo 1 >"$f" && cat "/sys/fs/cgroup$cg/cgroup.events"   # frozen 1
`
)
