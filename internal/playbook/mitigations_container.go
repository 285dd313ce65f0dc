package playbook

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// seccompProfile offers programs for jq, not profiles: a profile that is only this one entry would
// take away all other protection, and a whole one belongs to the runtime's release.
func seccompProfile(s *hardening) (report.Mitigation, bool) {
	if !s.inDocker() && !s.inKubernetes() || s.preloadsFromShm() {
		return report.Mitigation{}, false
	}
	name, dockerProgram, plainProgram := "no-memfd", noMemfdJQ, noMemfdOCI
	m := report.Mitigation{
		ID:    "seccomp",
		Title: "Take memfd_create away from the container",
		Why:   "Docker's default profile allows memfd_create; many services do without it.",
		Effect: "Stops it in this container: no memory file can be made, with any flag. " +
			"Files on a writable mount can still be run." + s.ifMemoryFile(),
		SideEffects: "Browsers, graphics, sound, .NET and Java may use memory files to share memory: they are told ENOSYS " +
			"and fall back or degrade. Try whether the container still starts.",
	}
	if s.kind == injectKind {
		name, dockerProgram, plainProgram = "no-inject", noInjectJQ, noInjectOCI
		m.Title = "Take ptrace and process_vm_writev away from the container"
		m.Why = "Docker's default profile allows both since Linux 4.8; few services need them."
		m.Effect = "Stops both calls in this container, with any capability. Opening /proc/PID/mem for writing is not a " +
			"call of its own and is not stopped."
		m.SideEffects = "Debuggers, strace and crash handlers inside the container are told EPERM, and so are MPI programs that copy from " +
			"one process to another."
	}
	if s.inDocker() {
		m.Files = append(m.Files, report.File{Path: name + ".jq", MediaType: plainType, Content: dockerProgram})
	}
	if s.inKubernetes() {
		m.Files = append(m.Files, report.File{Path: name + "-oci.jq", MediaType: plainType, Content: plainProgram})
	}
	m.DryRun = s.tryProfile(name)
	m.Rollback = "Start the container without the profile. A running one keeps the profile that it was started with."
	return m, true
}

func (s *hardening) tryProfile(name string) string {
	var how []string
	if s.inDocker() {
		how = append(how, s.docker("jq -f "+name+".jq default.json > "+name+".json, then start a copy of the container with "+
			"--security-opt seccomp="+name+".json and run its tests."))
	}
	if s.inKubernetes() {
		how = append(how, s.kubernetes("jq -f "+name+"-oci.jq default.json > "+name+".json, put it on each node as "+
			"/var/lib/kubelet/seccomp/profiles/"+name+".json, and start one pod with it as Localhost profile."))
	}
	return strings.Join(how, " ")
}

func composeService(s *hardening) (report.Mitigation, bool) {
	if !s.inDocker() {
		return report.Mitigation{}, false
	}
	content, effect := composeFile, "With the seccomp profile it stops memory files. "
	switch s.kind {
	case injectKind:
		content, effect = composeInject, "With the seccomp profile it stops ptrace and process_vm_writev. "
	case deletedKind:
		content, effect = composePlain, "Leaves no writable place to run a program from, unless a volume is mounted. "
	case volatileKind:
		content, effect = composePlain, "ipc: private gives the container its own /dev/shm, which Docker mounts noexec. "
	case preloadKind:
		if s.preloadsFromShm() {
			content, effect = composePlain, "ipc: private gives the container its own /dev/shm, which Docker mounts noexec: no library can be mapped from it. "
		}
	case selfWriteKind:
		content, effect = composePlain, "Does not stop it. "
	}
	return report.Mitigation{
		ID:    "compose_service",
		Title: s.docker("Run the replacement with fewer rights"),
		Why:   "The container is rebuilt anyway: not as root, no capabilities, a read-only root, an internal network.",
		Effect: effect + "The rest does not stop the technique. It limits what code that runs all the same can change, " +
			"reach and use up.",
		SideEffects: "Images that write to their root, bind ports below 1024 or expect root need changes. An internal network " +
			"reaches nothing outside. The ceilings are examples.",
		DryRun:   "docker compose -f compose.yaml config --quiet, then start it beside the old one, without its traffic.",
		Rollback: "docker compose up with the previous file. Keep the suspect container until evidence is taken.",
		Files:    oneFile("compose.yaml", yamlType, s.withImage(content)),
	}, true
}

func pod(s *hardening) (report.Mitigation, bool) {
	if !s.inKubernetes() {
		return report.Mitigation{}, false
	}
	content, effect := podFile, "With the seccomp profile it stops memory files. "
	missing := "; a missing Localhost profile keeps the pod from starting"
	switch s.kind {
	case injectKind:
		content, effect = podInject, "With the seccomp profile it stops ptrace and process_vm_writev. "
	case deletedKind:
		content, effect = podPlain, "A read-only root leaves volumes as the only place to put a program; an emptyDir can not be made noexec. "
	case volatileKind:
		content, effect = podPlain, "Without hostIPC the pod has its own /dev/shm, which containerd mounts noexec. An emptyDir in memory can not be made so. "
	case preloadKind:
		if s.preloadsFromShm() {
			content, effect = podPlain, "Without hostIPC the pod has its own /dev/shm, which containerd mounts noexec: no library can be mapped from it. "
		}
	case selfWriteKind:
		content, effect = podPlain, "Does not stop it. "
	}
	if !strings.Contains(content, "Localhost") {
		missing = ""
	}
	why := "The level restricted of Pod Security asks for most of this"
	if content == podFile {
		why += ", and does not mention memory files"
	}
	return report.Mitigation{
		ID:    "pod_security",
		Title: s.kubernetes("Run the replacement with fewer rights"),
		Why:   why + ".",
		Effect: effect + "The rest does not stop the technique. It limits what code that runs all the same can change, " +
			"reach and use up.",
		SideEffects: "Images that write to their root or expect root need changes" + missing + ". The ceilings are examples.",
		DryRun: "kubectl apply --dry-run=server -f pod.yaml. For the whole namespace: kubectl label --dry-run=server --overwrite ns " +
			orPlaceholder(s.namespace, "NAMESPACE") + " pod-security.kubernetes.io/enforce=restricted names the pods that would not pass.",
		Rollback: "Apply the previous manifest. Keep the suspect pod until evidence is taken.",
		Files:    oneFile("pod.yaml", yamlType, s.withImage(content)),
	}, true
}

// withImage puts the alert's image into a file, if it is known with its digest.
func (s *hardening) withImage(content string) string {
	if s.digest == "" || !isImageName(s.image) {
		return content
	}
	content = strings.Replace(content, imageNote, "# The image of the alert: run it again only if it is known to be good.\n", 1)
	return strings.Replace(content, imagePlaceholder, s.image+"@"+s.digest, 1)
}

func quarantinePod(s *hardening) (report.Mitigation, bool) {
	if !s.inKubernetes() {
		return report.Mitigation{}, false
	}
	content := quarantineYAML
	if s.namespace != "" {
		content = strings.Replace(content, namespacePlaceholder, "  namespace: "+s.namespace+"\n", 1)
	}
	namespace := orPlaceholder(s.namespace, "NAMESPACE")
	return report.Mitigation{
		ID:    "quarantine_pod",
		Title: s.kubernetes("Have a quarantine ready"),
		Why:   "With the policy in place, one label cuts a suspect pod off and leaves it alive for evidence.",
		Effect: "Does not stop the technique. It limits what the code can reach, once a pod bears the label " +
			"quarantine=true and if the network plugin enforces policies.",
		SideEffects: "None before a pod is labelled; then it answers nobody. Policies add up: another one that allows traffic " +
			"for the pod still allows it, and some plugins keep open connections.",
		DryRun:   "kubectl apply --dry-run=server -f quarantine.yaml; try it with a pod of your own.",
		Rollback: "kubectl -n " + namespace + " label pod POD quarantine-, kubectl -n " + namespace + " delete networkpolicy quarantine",
		Files:    oneFile("quarantine.yaml", yamlType, content),
	}, true
}

func quarantineContainer(s *hardening) (report.Mitigation, bool) {
	if s.place == inPod || s.place == onHost {
		return report.Mitigation{}, false
	}
	return report.Mitigation{
		ID:    "quarantine_container",
		Title: "Have a quarantine for one container ready",
		Why:   "It needs no network plugin and leaves the container alive for evidence.",
		Effect: "Does not stop the technique. It limits what the code can reach: nothing in or out of the container's " +
			"network namespace, open connections included.",
		SideEffects: "The container answers nobody. Loaded into the host's namespace it would cut off the node: " +
			"readlink /proc/PID/ns/net must differ from that of /proc/1.",
		DryRun:   "nft -c -f quarantine.nft reads it without loading; nsenter -t PID -n nft -f quarantine.nft loads it.",
		Rollback: "nsenter -t PID -n nft delete table inet quarantine",
		Files:    oneFile("quarantine.nft", plainType, quarantineNft),
	}, true
}

func dockerSlice(s *hardening) (report.Mitigation, bool) {
	if !s.inDocker() {
		return report.Mitigation{}, false
	}
	return report.Mitigation{
		ID:    "docker_slice",
		Title: s.docker("Put a ceiling over containers"),
		Why:   "Against mining and fork bombs: a ceiling holds for all containers below it together.",
		Effect: "Does not stop the technique, nor what it does with the rights that it has. It limits the processor time, " +
			"memory and processes that the code can use up.",
		SideEffects: "Whatever needs more is slowed down, or ended when out of memory.",
		DryRun: "systemd-analyze verify docker-limited.slice, then start a container with --cgroup-parent docker-limited.slice " +
			"(Compose: cgroup_parent); Docker has to use the systemd driver.",
		Rollback: "Start the container without it, remove the file, systemctl daemon-reload.",
		Files:    oneFile("/etc/systemd/system/docker-limited.slice", iniType, limitedSlice),
	}, true
}
