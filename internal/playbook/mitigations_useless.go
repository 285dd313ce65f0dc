package playbook

import "github.com/filelessd/filelessd/pkg/report"

// noEffect says what people reach for and why it does not help here. It is the last entry.
func noEffect(s *hardening) (report.Mitigation, bool) {
	return report.Mitigation{
		ID:     "no_effect",
		Title:  "What does not help here",
		Why:    "These come to mind, cost something, and leave the technique as it is.",
		Effect: useless(s),
	}, true
}

// useless is checked with Linux 6.18 where it says what the kernel does.
func useless(s *hardening) string {
	const proc = "Disabling /proc: breaks ps, systemd, container runtimes and Falco, and execveat works without it. "
	const limits = "Resource limits and dropped capabilities: they limit what follows, not this."
	switch s.kind {
	case descriptorKind:
		return proc +
			"noexec on /tmp or /dev/shm, a read-only root, scanning files: if it was a memory file, it is on no mounted file system. " +
			"MemoryDenyWriteExecute= alone: its manual names memfd_create as the way round it. " +
			"A rule on numeric process names: misses other ways to start it and hits systemd. " + limits
	case memfdKind:
		return proc +
			"noexec on /tmp or /dev/shm, a read-only root: a memory file is on no mounted file system. " +
			"Scanning files: there is none. " +
			"MemoryDenyWriteExecute= alone: its manual names memfd_create as the way round it. " +
			"A rule on numeric process names: misses other ways to start it and hits systemd. " + limits
	case deletedKind:
		return "Scanning files: the file is gone; only /proc/PID/exe of the living process still has it. " +
			"vm.memfd_noexec and seccomp without memfd_create: no memory file is involved. " +
			"Forbidding deletion: package upgrades delete running programs too. " + limits
	case volatileKind:
		return "vm.memfd_noexec and seccomp without memfd_create: no memory file is involved. " +
			"A read-only root alone: /dev/shm stays writable. " +
			"noexec against scripts: the interpreter is what is executed, and it is elsewhere. " +
			"Emptying the directory at boot: the program has run by then. " + limits
	case injectKind:
		return "vm.memfd_noexec, noexec mounts, scanning files: the code goes into a process that runs already. " +
			"Disabling /proc: ptrace and process_vm_writev work without it. " +
			"no_new_privs: writing into a process of the same user gains no privilege. Resource limits: they limit what follows, not this."
	case preloadKind:
		return "vm.memfd_noexec: a library is mapped, not executed, and mapping works from a non-executable memory file too. " +
			"no_new_privs and non-root: the linker obeys LD_PRELOAD for every program without a set-user-ID bit. " +
			"Watching /etc/ld.so.preload: the variable needs no file. Scanning files: there is none on disk. " + limits
	case selfWriteKind:
		return "vm.memfd_noexec and seccomp without memfd_create: no memory file is involved. " +
			"Seccomp without ptrace: writing to /proc/self/mem is an ordinary write. " +
			"noexec mounts, a read-only root, scanning files: the code replaces that of a program that is allowed. " + limits
	default:
		return proc +
			"noexec on /tmp or /dev/shm, a read-only root: a memory file is on no mounted file system. " +
			"Scanning files: what the code makes in memory is in none. " +
			"Searching for the words of this command line alone: they can be encoded, or come by a pipe. " + limits
	}
}
