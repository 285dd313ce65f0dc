package render

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
)

// ocsfProcessOf is the process of the alert, nil if the alert tells of none. Falco's stock rule names
// no process ID, and a process without ID needs a uid of the producer: that is the report's.
func ocsfProcessOf(e *event.Event, uid string) *ocsfProcess {
	if valueOf(e, "proc.pid", "proc.name", "proc.cmdline", "proc.exepath") == "" {
		return nil
	}
	p := ocsfProcess{
		UID: uid, PID: number(e, "proc.pid"),
		Name: valueOf(e, "proc.name"), CmdLine: valueOf(e, "proc.cmdline"),
		WorkingDirectory: valueOf(e, "proc.cwd"), File: ocsfFileOf(valueOf(e, "proc.exepath")), User: ocsfUserOf(e),
	}
	parent := ocsfEntity{
		PID: number(e, "proc.ppid"), Name: valueOf(e, "proc.pname"),
		CmdLine: valueOf(e, "proc.pcmdline"), Path: valueOf(e, "proc.pexepath"),
	}
	if parent == (ocsfEntity{}) {
		return &p
	}
	if parent.PID != nil { // which parent_process needs and ancestry does not
		p.ParentProcess = &ocsfProcess{
			PID: parent.PID, Name: parent.Name, CmdLine: parent.CmdLine, File: ocsfFileOf(parent.Path),
		}
	}
	p.Ancestry = append([]ocsfEntity{parent}, ocsfAncestorsOf(e)...)
	return &p
}

// ocsfAncestorsOf are those above the parent, up to the first that the alert does not name.
func ocsfAncestorsOf(e *event.Event) []ocsfEntity {
	const most = 16 // more than any alert has had
	var all []ocsfEntity
	for i := 2; i < most; i++ {
		one := ocsfEntity{
			PID: number(e, fmt.Sprintf("proc.apid[%d]", i)), Name: valueOf(e, fmt.Sprintf("proc.aname[%d]", i)),
			CmdLine: valueOf(e, fmt.Sprintf("proc.acmdline[%d]", i)), Path: valueOf(e, fmt.Sprintf("proc.aexepath[%d]", i)),
		}
		if one == (ocsfEntity{}) {
			break
		}
		all = append(all, one)
	}
	return all
}

// ocsfFileOf is the file behind the path of an executable, nil for no path. The kernel writes that a
// file was deleted behind its path.
func ocsfFileOf(path string) *ocsfFile {
	if path == "" {
		return nil
	}
	if strings.HasPrefix(path, "memfd:") || strings.HasPrefix(path, "/memfd:") {
		return &ocsfFile{TypeID: 99, Type: "Memory File", Name: baseName(path), Path: path}
	}
	if strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/dev/fd/") { // a descriptor: what is behind it nobody said
		return &ocsfFile{TypeID: 0, Type: "Unknown", Name: baseName(path), Path: path}
	}
	path, deleted := strings.CutSuffix(path, " (deleted)")
	return &ocsfFile{TypeID: 1, Type: "Regular File", Name: baseName(path), Path: path, IsDeleted: deleted}
}

func ocsfUserOf(e *event.Event) *ocsfUser {
	u := ocsfUser{UID: valueOf(e, "user.uid"), Name: valueOf(e, "user.name")}
	if u == (ocsfUser{}) {
		return nil
	}
	return &u
}

// ocsfDeviceOf is the host. What sort of machine it is no alert tells.
func ocsfDeviceOf(e *event.Event) *ocsfDevice {
	if e == nil || e.Hostname == "" {
		return nil
	}
	return &ocsfDevice{TypeID: 0, Type: "Unknown", Hostname: e.Hostname}
}

// ocsfContainerOf is the container, nil on a host. Its image has to have an ID in this schema; one
// that is known by its name alone stands among the resources.
func ocsfContainerOf(e *event.Event) *ocsfContainer {
	c := ocsfContainer{UID: containerID(e), Name: inContainer(e, "container.name")}
	if c == (ocsfContainer{}) {
		return nil
	}
	c.Runtime = inContainer(e, "container.type")
	if valueOf(e, "k8s.pod.name", "k8s.ns.name") != "" {
		c.Orchestrator = "K8s"
	}
	if id := inContainer(e, "container.image.id"); id != "" {
		c.Image = &ocsfNamed{UID: id, Name: inContainer(e, "container.image.repository")}
	} else if digest := inContainer(e, "container.image.digest"); digest != "" {
		c.Image = &ocsfNamed{UID: digest, Name: inContainer(e, "container.image.repository")}
	}
	return &c
}

// ocsfResourcesOf are what the event concerns: the host, and what runs on it around the process.
func ocsfResourcesOf(e *event.Event) []ocsfResource {
	var all []ocsfResource
	add := func(r ocsfResource) {
		if r.UID != "" || r.Name != "" {
			all = append(all, r)
		}
	}
	add(ocsfResource{Type: "Host", Name: e.Hostname})
	add(ocsfResource{Type: "Container", UID: containerID(e), Name: inContainer(e, "container.name")})
	add(ocsfResource{
		Type: "Container Image", UID: inContainer(e, "container.image.digest"),
		Name: inContainer(e, "container.image.repository"), Version: inContainer(e, "container.image.tag"),
	})
	add(ocsfResource{Type: "Kubernetes Pod", UID: valueOf(e, "k8s.pod.uid"), Name: valueOf(e, "k8s.pod.name"), Namespace: valueOf(e, "k8s.ns.name")})
	return all
}
