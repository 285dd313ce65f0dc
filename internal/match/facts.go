package match

import (
	"path"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
)

// Facts are the fields of an alert that techniques and factors look at, picked out in one pass. An
// empty string is an unknown value.
type Facts struct {
	Rule, Source, Hostname string

	Type      string // evt.type
	Result    string // evt.res
	Flags     string // evt.arg.flags
	Filename  string // evt.arg.filename
	Pathname  string // evt.arg.pathname
	Request   string // evt.arg.request, of ptrace
	OpenWrite string // evt.is_open_write
	FDName    string // fd.name

	FromMemfd string // proc.is_exe_from_memfd
	Upper     string // proc.is_exe_upper_layer
	ExePath   string // proc.exepath
	Exe       string // proc.exe: argv[0], chosen by the caller
	Name      string // proc.name: the kernel's comm, at most 15 bytes
	Cmdline   string // proc.cmdline: name and arguments, without argv[0]
	Args      string // proc.args
	Cwd       string // proc.cwd
	Env       string // proc.env
	Stdin     string // proc.stdin.type
	Stdout    string // proc.stdout.type
	Stderr    string // proc.stderr.type

	Parent        string // proc.pname
	ParentPath    string // proc.pexepath
	ParentCmdline string // proc.pcmdline
	Ancestor2     string // proc.aname[2]
	Ancestor3     string // proc.aname[3]

	UID      string // user.uid
	User     string // user.name
	LoginUID string // user.loginuid
	TTY      string // proc.tty
	PID      string // proc.pid
	Caps     string // thread.cap_effective

	ContainerID   string // container.id: "host" outside of containers
	ContainerName string // container.name
	Image         string // container.image.repository
	ImageTag      string // container.image.tag
	ImageDigest   string // container.image.digest
	Privileged    string // container.privileged
	HostNetwork   string // container.host_network
	HostPID       string // container.host_pid
	HostIPC       string // container.host_ipc
	Namespace     string // k8s.ns.name
	Pod           string // k8s.pod.name
}

// FactsOf picks the facts of e.
func FactsOf(e *event.Event) Facts {
	f := Facts{Rule: e.Rule, Source: e.Source, Hostname: e.Hostname}
	e.Scan(func(name, value string) {
		if p := f.slot(name); p != nil {
			*p = value
		}
	})
	return f
}

// slot returns where the value of a field goes, nil for fields that nobody looks at.
func (f *Facts) slot(name string) *string {
	switch {
	case strings.HasPrefix(name, "proc."):
		return f.processSlot(name)
	case strings.HasPrefix(name, "evt."):
		return f.eventSlot(name)
	case strings.HasPrefix(name, "container."):
		return f.containerSlot(name)
	}
	switch name {
	case "fd.name":
		return &f.FDName
	case "user.uid":
		return &f.UID
	case "user.name":
		return &f.User
	case "user.loginuid":
		return &f.LoginUID
	case "thread.cap_effective":
		return &f.Caps
	case "k8s.ns.name":
		return &f.Namespace
	case "k8s.pod.name":
		return &f.Pod
	}
	return nil
}

func (f *Facts) eventSlot(name string) *string {
	switch name {
	case "evt.type":
		return &f.Type
	case "evt.res":
		return &f.Result
	case "evt.arg.flags":
		return &f.Flags
	case "evt.arg.filename":
		return &f.Filename
	case "evt.arg.pathname":
		return &f.Pathname
	case "evt.arg.request":
		return &f.Request
	case "evt.is_open_write":
		return &f.OpenWrite
	}
	return nil
}

func (f *Facts) processSlot(name string) *string {
	switch name {
	case "proc.is_exe_from_memfd":
		return &f.FromMemfd
	case "proc.is_exe_upper_layer":
		return &f.Upper
	case "proc.exepath":
		return &f.ExePath
	case "proc.exe":
		return &f.Exe
	case "proc.name":
		return &f.Name
	case "proc.cmdline":
		return &f.Cmdline
	case "proc.args":
		return &f.Args
	case "proc.cwd":
		return &f.Cwd
	case "proc.env":
		return &f.Env
	case "proc.stdin.type":
		return &f.Stdin
	case "proc.stdout.type":
		return &f.Stdout
	case "proc.stderr.type":
		return &f.Stderr
	case "proc.pname":
		return &f.Parent
	case "proc.pexepath":
		return &f.ParentPath
	case "proc.pcmdline":
		return &f.ParentCmdline
	case "proc.aname[2]":
		return &f.Ancestor2
	case "proc.aname[3]":
		return &f.Ancestor3
	case "proc.tty":
		return &f.TTY
	case "proc.pid":
		return &f.PID
	}
	return nil
}

func (f *Facts) containerSlot(name string) *string {
	switch name {
	case "container.id":
		return &f.ContainerID
	case "container.name":
		return &f.ContainerName
	case "container.image.repository":
		return &f.Image
	case "container.image.tag":
		return &f.ImageTag
	case "container.image.digest":
		return &f.ImageDigest
	case "container.privileged":
		return &f.Privileged
	case "container.host_network":
		return &f.HostNetwork
	case "container.host_pid":
		return &f.HostPID
	case "container.host_ipc":
		return &f.HostIPC
	}
	return nil
}

// InContainer reports whether the event is known to be from a container.
func (f *Facts) InContainer() bool { return f.ContainerID != "" && f.ContainerID != "host" }

// OnHost reports whether the event is known not to be from a container.
func (f *Facts) OnHost() bool { return f.ContainerID == "host" }

// Arguments returns the program's arguments and the field that they are from, which is empty if
// they are unknown. That there are none is known from a command line that is the name alone: Falco
// leaves proc.args empty then.
func (f *Facts) Arguments() (args, field string) {
	if f.Args != "" {
		return f.Args, "proc.args"
	}
	if f.Cmdline == "" {
		return "", ""
	}
	if rest, ok := strings.CutPrefix(f.Cmdline, f.Name); ok && f.Name != "" {
		if rest == "" {
			return "", "proc.cmdline"
		}
		if rest[0] == ' ' {
			return rest[1:], "proc.cmdline"
		}
	}
	_, rest, _ := strings.Cut(f.Cmdline, " ")
	return rest, "proc.cmdline"
}

// Failed reports whether the system call is known to have failed.
func (f *Facts) Failed() bool { return f.Result != "" && f.Result != "SUCCESS" && f.Result != "0" }

// HasFlag reports whether evt.arg.flags has the token.
func (f *Facts) HasFlag(token string) bool {
	for rest := f.Flags; rest != ""; {
		var t string
		if t, rest, _ = strings.Cut(rest, "|"); t == token {
			return true
		}
	}
	return false
}

// MemfdName returns the name that the program gave to the memory file that it runs from. The
// modern eBPF driver writes memfd:NAME, the kernel module /memfd:NAME (deleted).
func (f *Facts) MemfdName() (string, bool) { return memfdName(f.ExePath) }

func memfdName(exePath string) (string, bool) {
	if name, ok := strings.CutPrefix(exePath, "memfd:"); ok {
		return name, true
	}
	if name, ok := strings.CutPrefix(exePath, "/memfd:"); ok {
		return strings.TrimSuffix(name, deletedSuffix), true
	}
	return "", false
}

// deletedSuffix is what the kernel writes behind the path of a file that has no name any more.
const deletedSuffix = " (deleted)"

// Base returns the last element of a path, without the mark of a deleted file; empty for none.
func Base(p string) string {
	if p == "" {
		return ""
	}
	return path.Base(strings.TrimSuffix(p, deletedSuffix))
}
