package playbook

import "github.com/filelessd/filelessd/pkg/report"

// memfdNoexec is the kernel's own switch. What its values do was tried with Linux 6.18; that a
// library is mapped from a memory file all the same, too.
func memfdNoexec(s *hardening) (report.Mitigation, bool) {
	effect := "1 stops a loader that does not ask for an executable memory file; one that asks for it (MFD_EXEC) " +
		"still gets it. 2 stops both, from Linux 6.6 on. A script in a memory file is refused as well." + s.ifMemoryFile()
	return report.Mitigation{
		ID:     "memfd_noexec",
		Title:  "Let the kernel refuse executable memory files",
		Why:    "One setting for a whole host, containers included; it asks nothing of the programs' owners.",
		Effect: effect,
		SideEffects: "Old programs that run from memory files without asking for it break, old container runtimes among " +
			"them. With 2, runc falls back to a copy of itself in a temporary file; try crun and LXC first. A " +
			"container can not be more lax than the host.",
		DryRun: "On a test host: sysctl -w vm.memfd_noexec=1, start containers, and look for the kernel's notes about " +
			"memfd_create in dmesg. \"No such file\" means a kernel before 6.3.",
		Rollback: "Remove the file, then sysctl -w vm.memfd_noexec=0. Running containers keep what they started with.",
		Files:    oneFile("/etc/sysctl.d/60-memfd.conf", iniType, memfdSysctl),
	}, true
}

// ptraceScope covers process_vm_writev and /proc/PID/mem too: the kernel asks the same permission
// for all three (ptrace(2), "Ptrace access mode checking").
func ptraceScope(s *hardening) (report.Mitigation, bool) {
	effect := "Stops ptrace, process_vm_writev and /proc/PID/mem between processes of one user, by a program without " +
		"CAP_SYS_PTRACE. Root of the host and privileged containers have that capability and are not stopped."
	if uid, _ := s.event.Field("user.uid"); uid == "0" && s.place == onHost {
		effect += " This event was root's, so it would not have been."
	}
	return report.Mitigation{
		ID:     "ptrace_scope",
		Title:  "Let only administrators write into other processes",
		Why:    "Yama decides for the whole host, containers included, who may attach to whom.",
		Effect: effect,
		SideEffects: "gdb -p, strace -p and profilers need root; crash reporters that attach to their program fail. A " +
			"kernel without Yama does not know the setting.",
		DryRun:   "sysctl kernel.yama.ptrace_scope shows the present value; on a test host: sysctl -w kernel.yama.ptrace_scope=2",
		Rollback: "Remove the file, then sysctl -w kernel.yama.ptrace_scope=1 (or the value it had). From 3 there is no way back before a boot.",
		Files:    oneFile("/etc/sysctl.d/60-ptrace.conf", iniType, ptraceSysctl),
	}, true
}

// procMem is a parameter of the kernel (Documentation/admin-guide/kernel-parameters.txt, 6.12).
func procMem(*hardening) (report.Mitigation, bool) {
	return report.Mitigation{
		ID:    "proc_mem",
		Title: "Do not let /proc/PID/mem write over read-only memory",
		Why: "Loaders that use dd or a shell only replace the code of a running process through this file, although " +
			"its code is mapped read-only.",
		Effect: "Stops writing over code by this file, by root too. Memory that is mapped writable can still be written, " +
			"and ptrace and process_vm_writev are not touched.",
		SideEffects: "Debuggers that set breakpoints through this file fail; gdb does so where it can. It needs a boot, " +
			"and Linux 6.12 or newer.",
		DryRun: "On a test host, add the parameter to the kernel's line once in the boot menu; cat /proc/cmdline shows " +
			"it. Then run the debuggers that you use.",
		Rollback: "Remove the file, run update-grub, boot.",
		Files:    oneFile("/etc/default/grub.d/60-proc-mem.cfg", plainType, procMemCfg),
	}, true
}

// devShmNoexec is for hosts: Docker and containerd mount a container's own /dev/shm noexec, so code
// that ran there had the host's, or a volume.
func devShmNoexec(s *hardening) (report.Mitigation, bool) {
	if s.kind == preloadKind && !s.preloadsFromShm() {
		return report.Mitigation{}, false
	}
	effect := "Stops programs in /dev/shm of this host. Not stopped: a script that is handed to its interpreter " +
		"(sh /dev/shm/x), other directories in memory such as /run/user, and memory files (memfd), which are on no mount."
	if s.kind == preloadKind {
		effect = "Stops libraries in /dev/shm of this host: code can not be mapped from such a mount. A library behind a " +
			"descriptor of a memory file is not stopped."
	}
	why := "Programs rarely need to run from /dev/shm, and it is writable by everybody."
	if s.place != onHost && s.place != unknownPlace {
		why += " A container's own /dev/shm is mounted noexec by Docker and containerd already: code that runs there " +
			"suggests that the container shares the host's (--ipc=host, hostIPC) or mounts another one."
	}
	return report.Mitigation{
		ID: "dev_shm_noexec", Title: "Mount the host's /dev/shm without execution", Why: why, Effect: effect,
		SideEffects: "Programs that generate code into shared memory, or run helpers from there, fail.",
		DryRun:      "findmnt --verify --tab-file dev-shm.fstab, then on a test host: mount -o remount,noexec /dev/shm",
		Rollback:    "mount -o remount,exec /dev/shm, and take the line out of /etc/fstab.",
		Files:       oneFile("dev-shm.fstab", plainType, devShmFstab),
	}, true
}

func appArmor(s *hardening) (report.Mitigation, bool) {
	name, content := "no-volatile-exec", apparmorNoexec
	effect := "Stops programs and libraries below /dev/shm, /run/shm, /run/user, /tmp and /var/tmp, in the programs that " +
		"it confines. A script that is handed to its interpreter is not stopped, nor is a memory file."
	fails := "Programs that unpack helpers into these directories and run them fail."
	if s.kind == injectKind || s.kind == selfWriteKind {
		name, content = "no-injection", apparmorInject
		fails = "Debuggers and crash handlers inside it fail."
	}
	switch s.kind {
	case injectKind:
		effect = "Stops ptrace and writing to /proc/PID/mem by the programs that it confines. process_vm_writev asks for " +
			"the same permission as ptrace."
	case selfWriteKind:
		effect = "Stops writing to /proc/PID/mem, their own included, by the programs that it confines."
	case preloadKind:
		if !s.preloadsFromShm() {
			return report.Mitigation{}, false
		}
	}
	return report.Mitigation{
		ID: "apparmor", Title: "Confine the program with AppArmor",
		Why:    "It confines one program by a profile, whoever runs it, and leaves the rest of the host alone.",
		Effect: effect,
		SideEffects: fails + " Everything else is allowed by this profile: it takes the place of the container runtime's " +
			"own, which forbids more.",
		DryRun: "apparmor_parser -Q -K " + name + " reads it without loading. aa-complain lets everything through and logs " +
			"what would be refused. Attach it by AppArmorProfile= (systemd), --security-opt apparmor=" + name +
			" (Docker) or appArmorProfile (Kubernetes 1.30).",
		Rollback: "Take the name out of the unit or the container, restart it, then apparmor_parser -R /etc/apparmor.d/" + name + ".",
		Files:    oneFile("/etc/apparmor.d/"+name, plainType, content),
	}, true
}
