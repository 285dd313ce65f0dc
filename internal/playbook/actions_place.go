package playbook

// The clients of container runtimes, as a command names them. Where the alert does not name the
// runtime, findTool sets TOOL to the client that knows the container.
const (
	docker  = "docker"
	podman  = "podman"
	crictl  = "crictl"
	anyTool = `"$TOOL"`
)

// tool is the client for the container of the alert; empty if there is none to ask.
func (s *situation) tool() string {
	switch s.place {
	case inDocker:
		return docker
	case inCRI:
		return crictl
	case inSomeContainer:
		if s.runtime == podman {
			return podman
		}
		return anyTool
	default:
		return ""
	}
}

func (s *situation) toolName() string {
	if t := s.tool(); t != anyTool {
		return t
	}
	return "the container's runtime"
}

// setTool sets what the tool needs: the container, and the tool itself if it has to be found.
func (s *situation) setTool() string {
	if s.tool() == anyTool {
		return s.setCID() + findTool
	}
	return s.setCID()
}

const (
	findTool = `TOOL=
for t in docker podman crictl; do   # the alert does not name the runtime: ask each
  command -v "$t" >/dev/null && "$t" inspect "$CID" >/dev/null 2>&1 && TOOL=$t && break
done
: "${TOOL:?no runtime here knows container $CID: it was removed, or this is another host}"
echo "runtime: $TOOL"
`
	// The kubelet's containers are those of crictl. Its answer differs between runtimes below info,
	// so lines are picked instead of keys.
	criFacts = `crictl inspect "$CID" | grep -E '"(id|image|imageRef|createdAt|startedAt|finishedAt|exitCode|pid|privileged|hostPath|host_path|logPath|io\.kubernetes\.[a-z.]*)":'
`
	// testLog is what event-generator logs of the action that the stock memfd rule is about, and of
	// the one about /dev/shm.
	// A log is the container's own text: what a terminal obeys is left out.
	testLog = ` 2>&1 | grep -E 'FilelessExecutionViaMemfdCreate|ExecutionFromDevShm' | LC_ALL=C tr -cd '[:print:]\n'
`
)

// inspectFormat prints what docker and podman know of a container that decides.
const inspectFormat = ` inspect --format 'image={{.Config.Image}} id={{.Image}}
entry={{.Path}} {{.Args}}
status={{.State.Status}} pid={{.State.Pid}} started={{.State.StartedAt}} finished={{.State.FinishedAt}}
privileged={{.HostConfig.Privileged}} capadd={{.HostConfig.CapAdd}} pidmode={{.HostConfig.PidMode}} ipc={{.HostConfig.IpcMode}} net={{.HostConfig.NetworkMode}}
binds={{.HostConfig.Binds}} autoremove={{.HostConfig.AutoRemove}}' "$CID"
`

// placeFacts asks the runtime or the cluster what the container is; with a filter, also for what it
// logged.
func (s *situation) placeFacts(filter string) []string {
	switch t := s.tool(); {
	case s.place == inPod:
		log := ""
		if filter != "" {
			log = `kubectl logs "$POD" -n "$NS" --all-containers --timestamps` + filter
		}
		return []string{block(s.setPod(), podFacts, log)}
	case t == docker || t == podman:
		return []string{block(s.setCID(), t+inspectFormat, logs(t, filter))}
	case t == crictl:
		return []string{block(s.setCID(), criFacts, logs(t, filter))}
	case t == anyTool:
		return []string{block(s.setTool(), "if [ \"$TOOL\" = crictl ]; then\n"+criFacts+"else\n", t+inspectFormat+"fi\n", logs(t, filter))}
	default:
		return nil
	}
}

func logs(tool, filter string) string {
	if filter == "" {
		return ""
	}
	return tool + ` logs --timestamps "$CID"` + filter
}

const podFacts = `kubectl get pod "$POD" -n "$NS" -o jsonpath='node={.spec.nodeName} owner={.metadata.ownerReferences[*].kind}/{.metadata.ownerReferences[*].name} serviceaccount={.spec.serviceAccountName}
hostNetwork={.spec.hostNetwork} hostPID={.spec.hostPID} hostIPC={.spec.hostIPC} hostPath={.spec.volumes[*].hostPath.path}
{range .status.containerStatuses[*]}{.name}: image={.image} id={.imageID} container={.containerID} restarts={.restartCount} state={.state}{"\n"}{end}{range .spec.containers[*]}{.name}: privileged={.securityContext.privileged} capabilities={.securityContext.capabilities.add} liveness={.livenessProbe}{"\n"}{end}'
`

// testTrace looks for the test tool where no container can be asked.
func (s *situation) testTrace() []string {
	if s.contained() {
		return nil
	}
	return []string{block(s.journalWindow(around), testTraceText)}
}

const testTraceText = `command -v event-generator
pgrep -af event-generator
journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" | grep -F event-generator
last -F -w | head -n 20
`
