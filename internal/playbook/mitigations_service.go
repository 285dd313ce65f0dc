package playbook

import "github.com/filelessd/filelessd/pkg/report"

// serviceDropIn is for services of the host. That memfd_create is the way round
// MemoryDenyWriteExecute= is what systemd.exec(5) says of it.
func serviceDropIn(s *hardening) (report.Mitigation, bool) {
	if !s.onHost() {
		return report.Mitigation{}, false
	}
	m := report.Mitigation{
		ID: "service_drop_in",
		Why: "The alert does not name the unit; systemctl status PID does, while the process lives. A drop-in changes one " +
			"service and no file of its package.",
		DryRun: "systemd-analyze verify UNIT shows keys that it does not know as a message, with exit status 0: read it. " +
			"systemd-analyze security UNIT shows the result. Restart the service on a test host first.",
		Rollback: "Remove the file, systemctl daemon-reload, restart the service.",
	}
	var content string
	switch s.kind {
	case volatileKind, deletedKind:
		content = serviceNoexec
		m.Title = s.service("let it run nothing from where it can write")
		m.Effect = "Stops programs below /dev/shm, /run, /tmp and /var/tmp, in this service and what it starts; it " +
			"can not write below /usr, /boot and /etc. Other directories that it may write to stay a way, and a script that " +
			"is handed to its interpreter is not stopped."
		m.SideEffects = "Helpers that it unpacks and runs there fail, and so do programs that gain rights by a set-user-ID " +
			"bit. systemd 248 or newer. The ceilings are examples."
		if s.kind == deletedKind {
			m.Effect += " It stops the program from being put there, not its deletion once it runs."
		}
	case preloadKind:
		content = servicePreload
		m.Title = s.service("leave it nowhere to load code from")
		m.Effect = "Without memfd_create there is no memory file, and code can not be mapped from the directories named: " +
			"libraries from both are stopped in this service and what it starts, not elsewhere."
		m.SideEffects = "Programs that share memory through memory files fall back or degrade; helpers in /tmp do not " +
			"start. systemd 248 or newer."
	case injectKind:
		content = serviceInject
		m.Title = s.service("forbid it to write into others")
		m.Effect = "Stops ptrace and process_vm_writev by this service and what it starts. /proc/PID/mem of other users' " +
			"processes is hidden from it; that of its own user's is not."
		m.SideEffects = "Crash handlers and profilers inside the service fail, and so do programs that gain rights by a " +
			"set-user-ID bit. systemd 247 or newer."
	default:
		content = serviceMemfd
		m.Title = s.service("take memfd_create away from it")
		m.Effect = "Stops it in this service and what it starts: no memory file can be made, with any flag. It does not " +
			"concern a person's session, nor what is started on request by others (at, cron, systemd-run)." + s.ifMemoryFile()
		m.SideEffects = "Programs that share memory through memory files fall back (they are told ENOSYS) or degrade; " +
			"programs that gain rights by a set-user-ID bit fail. The ceilings are examples."
	}
	m.Files = oneFile("/etc/systemd/system/app.service.d/50-fileless.conf", iniType, content)
	return m, true
}

// ifMemoryFile says what a measure against memory files is worth where the alert shows none.
func (s *hardening) ifMemoryFile() string {
	if s.kind != descriptorKind && s.kind != preloadKind {
		return ""
	}
	return " Of use only if a memory file was behind the descriptor, which this alert does not show."
}
