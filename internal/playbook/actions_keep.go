package playbook

import "github.com/filelessd/filelessd/pkg/report"

// preserveContainer keeps what the runtime or the cluster knows, before a stop, a restart or a
// removal changes it.
func preserveContainer(s *situation) report.Action {
	a := report.Action{
		ID: idPreserveContainer, Title: "Keep the container: settings, logs, files",
		Why: s.onlyIf() + "A container that was started with --rm is gone when it ends, and a restart changes its state. " +
			"Its log and its settings often say how the intruder came in.",
		Needs:   "root, or a user who may use " + s.toolName() + ", on the host of the alert. For the file system: free space of its size.",
		Risk:    "None for the container. Settings and logs can hold secrets.",
		Changes: "Writes to the evidence directory only. The file system is read without volumes and without memory; on a running container it is not one moment's.",
		Undo:    "Delete the evidence directory, once nobody needs it.",
	}
	switch t := s.tool(); {
	case s.place == inPod:
		a.Title = "Keep the pod: settings, logs, events"
		a.Needs = "kubectl with the right to read pods, logs and events; root and crictl on the node for the second block."
		a.Why = s.onlyIf() + "A pod that is deleted or replaced takes its settings, its logs and, after an hour, its events with it. They often say how the intruder came in."
		a.Risk = "None for the pod. Settings and logs can hold secrets. Do not look with kubectl exec or an ephemeral container: that changes the pod and warns the intruder."
		a.Changes = "Writes to the evidence directory only."
		a.Commands = []string{
			block(s.setPod(), s.setOut(), keepContext, keepPod, keepEnd),
			block(s.setCID(), s.setOut(), keepNode, keepCRI, keepEnd),
		}
	case t == crictl:
		a.Changes = "Writes to the evidence directory only."
		a.Commands = []string{block(s.setCID(), s.setOut(), keepContext, keepCRI, keepEnd), s.keepTraces()}
	case t == anyTool:
		a.Commands = []string{
			block(s.setTool(), s.setOut(), keepContext,
				"if [ \"$TOOL\" = crictl ]; then\n", keepCRI, "else\n", keepContainer(t), "fi\n", keepEnd),
			s.keepTraces(),
			block(s.setTool(), s.setOut(), exportHead, "if [ \"$TOOL\" = crictl ]; then echo 'crictl can not export' >&2; exit 1; fi\n", t, exportTail),
		}
	default:
		a.Commands = []string{
			block(s.setCID(), s.setOut(), keepContext, keepContainer(t), keepEnd),
			s.keepTraces(),
			block(s.setCID(), s.setOut(), exportHead, t, exportTail),
		}
	}
	return a
}

const (
	keepStart = `-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p -- "$OUT"
mkdir -- "$d" || exit 1
`
	keepContext = `d="$OUT/context` + keepStart
	keepNode    = `d="$OUT/node` + keepStart
	keepTraced  = `d="$OUT/traces` + keepStart
	keepEnd     = `( cd "$d" && sha256sum -- * ) >"$d.sha256"
echo "kept in $d"
`
	keepPod = `kubectl get pod "$POD" -n "$NS" -o yaml >"$d/pod.yaml"
kubectl logs "$POD" -n "$NS" --all-containers --prefix --timestamps >"$d/logs.txt"
kubectl logs "$POD" -n "$NS" --all-containers --prefix --timestamps --previous >"$d/logs-previous.txt"   # says so if nothing was restarted
kubectl get events -n "$NS" --field-selector "involvedObject.name=$POD" -o yaml >"$d/events.yaml"
`
	keepCRI = `crictl inspect "$CID" >"$d/inspect.json"
crictl logs --timestamps "$CID" >"$d/logs.txt" 2>&1
`
	exportHead = `# large: all files of the container
d="$OUT/files` + keepStart
	exportTail = ` export --output "$d/rootfs.tar" "$CID" && ( cd "$d" && sha256sum -- * ) >"$d.sha256"
`
)

// keepContainer is what docker and podman still know of a container that is there.
func keepContainer(tool string) string {
	return tool + ` inspect "$CID" >"$d/inspect.json"
` + tool + ` logs --timestamps "$CID" >"$d/logs.txt" 2>&1
` + tool + ` diff "$CID" >"$d/diff.txt"
` + tool + ` image inspect "$(` + tool + ` inspect --format '{{.Image}}' "$CID")" >"$d/image.json"   # digests, to find it elsewhere
`
}

// keepTraces is what remains of a container that was removed. Events are asked for up to now, since
// without an end, or with a later one, the command would wait. The daemon forgets them after some hundreds, or a restart.
func (s *situation) keepTraces() string {
	head := "# works too if the container was removed\n" + s.setCID() + s.journalWindow(around)
	switch t := s.tool(); t {
	case crictl:
		return block(head, s.setOut(), keepTraced, journalOfContainer, keepEnd)
	case docker, podman:
		return block(head, s.setSince("EVENTS", rfc3339, around), s.setOut(), keepTraced, eventsOfContainer(t), journalOfContainer, keepEnd)
	default:
		return block(head, s.setSince("EVENTS", rfc3339, around), s.setOut(), keepTraced,
			"if command -v docker >/dev/null; then\n", eventsOfContainer(docker), "fi\nif command -v podman >/dev/null; then\n", eventsOfContainer(podman), "fi\n",
			journalOfContainer, keepEnd)
	}
}

func eventsOfContainer(tool string) string {
	end := `--until "$(date -u +%Y-%m-%dT%H:%M:%SZ)"`
	if tool == podman {
		end = "--stream=false" // with --until, Podman 4.3 stopped before it had read all
	}
	return tool + ` events --since "$EVENTS" ` + end + ` --filter "container=$CID" >>"$d/events.txt"
` + tool + ` image ls --digests --no-trunc >>"$d/images.txt"
`
}

const journalOfContainer = `journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" | grep -F -e "$CID" >"$d/journal.txt"
`

// preserveHost keeps what a host tells of the minutes around the alert.
func preserveHost(s *situation) report.Action {
	return report.Action{
		ID: idPreserveHost, Title: "Keep what the host tells of that time",
		Why:     s.onlyIf() + "Journals rotate, sessions end and processes change. This shows who was there and what else ran.",
		Needs:   "root on the host of the alert.",
		Risk:    "None. Arguments and the journal can hold secrets.",
		Changes: "Writes to the evidence directory only.",
		Undo:    "Delete the evidence directory, once nobody needs it.",
		Commands: []string{
			block(s.journalWindow(around), s.setOut(), keepContext, keepHost, s.keepLogin(), keepEnd),
		},
	}
}

const keepHost = `ps -ewwo pid,ppid,user,lstart,tty,stat,args >"$d/ps.txt"
ss -tuanpo >"$d/ss.txt"
journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" >"$d/journal.txt"
last -F -w >"$d/last.txt"
`

func (s *situation) keepLogin() string {
	if s.login == "" {
		return ""
	}
	return set("LOGIN", s.login, "") + `journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" "_AUDIT_LOGINUID=$LOGIN" >"$d/journal-login.txt"   # what that person's sessions logged
`
}
