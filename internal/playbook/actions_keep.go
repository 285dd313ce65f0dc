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
			block(s.setPod(), s.setOut(), keepStart, keepPod, keepEnd),
			block(s.setCID(), s.setOut(), keepStart, keepCRI, keepEnd),
		}
	case t == crictl:
		a.Changes = "Writes to the evidence directory only."
		a.Commands = []string{block(s.setCID(), s.setOut(), keepStart, keepCRI, keepEnd), s.keepTraces()}
	case t == anyTool:
		a.Commands = []string{
			block(s.setTool(), s.setOut(), keepStart,
				"if [ \"$TOOL\" = crictl ]; then\n", keepCRI, "else\n", keepContainer(t), "fi\n", keepEnd),
			s.keepTraces(),
			block(s.setTool(), s.setOut(), exportHead, "if [ \"$TOOL\" = crictl ]; then echo 'crictl can not export' >&2; exit 1; fi\n", t, exportTail),
		}
	default:
		a.Commands = []string{
			block(s.setCID(), s.setOut(), keepStart, keepContainer(t), keepEnd),
			s.keepTraces(),
			block(s.setCID(), s.setOut(), exportHead, t, exportTail),
		}
	}
	return a
}

const (
	keepStart = `d="$OUT/context-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p -- "$d" || exit 1
`
	keepEnd = `( cd "$d" && sha256sum -- * ) >"$d.sha256"
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
d="$OUT/files-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p -- "$d" || exit 1
`
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
// a later end would be waited for. The daemon forgets them after some hundreds, or a restart.
func (s *situation) keepTraces() string {
	head := "# works too if the container was removed\n" + s.setCID() + s.journalWindow(around)
	if s.tool() == crictl {
		return block(head, s.setOut(), keepStart, journalOfContainer, keepEnd)
	}
	return block(head, s.setSince("EVENTS", rfc3339, around), s.setOut(), keepStart, eventsOfContainer, journalOfContainer, keepEnd)
}

const (
	eventsOfContainer = `for t in docker podman; do
  command -v "$t" >/dev/null || continue
  "$t" events --since "$EVENTS" --until "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --filter "container=$CID" >"$d/$t-events.txt"
  "$t" image ls --digests --no-trunc >"$d/$t-images.txt"
done
`
	journalOfContainer = `journalctl --utc --no-pager --since "$SINCE" --until "$UNTIL" | grep -F -e "$CID" >"$d/journal.txt"
`
)

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
			block(s.journalWindow(around), s.setOut(), keepStart, keepHost, s.keepLogin(), keepEnd),
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
