package playbook

import "github.com/filelessd/filelessd/pkg/report"

func auditRules(s *hardening) (report.Mitigation, bool) {
	if s.preloadsFromShm() {
		return report.Mitigation{}, false
	}
	m := report.Mitigation{
		ID:    "audit_rules",
		Title: "Let the kernel's audit log record the calls",
		Why:   "A second record that does not depend on Falco, with the login user of whoever did it.",
		DryRun: "On a test host: auditctl -R 60-fileless.rules, then auditctl -l shows what was taken; augenrules --load for " +
			"good; ausearch -i -k with a key of the file shows hits.",
		Rollback: "Remove the file, augenrules --load.",
	}
	content := auditMemfd
	switch s.kind {
	case volatileKind, deletedKind:
		content = auditVolatile
		m.Effect = "Does not stop the technique. It records starts from the host's /dev/shm and /tmp; a container's own " +
			"directories of that name are not watched."
		m.SideEffects = "Builds in /tmp fill the log."
	case injectKind:
		content = auditInject
		m.Effect = "Does not stop the technique. It records writing by ptrace and process_vm_writev; /proc/PID/mem is opened " +
			"like any file and not recorded."
		m.SideEffects = "Debuggers fill the log, and a busy log slows down what it records."
	default:
		m.Effect = "Does not stop the technique. It records each memory file that is made, executed or not, and starts by " +
			"execveat; a start by the descriptor's path is not told from others." + s.ifMemoryFile()
		m.SideEffects = "Desktops, browsers and sound servers make many memory files: for servers. A busy log slows down what it records."
	}
	m.Files = oneFile("/etc/audit/rules.d/60-fileless.rules", plainType, content)
	return m, true
}

func tetragonPolicy(s *hardening) (report.Mitigation, bool) {
	if s.preloadsFromShm() {
		return report.Mitigation{}, false
	}
	m := report.Mitigation{
		ID:    "tetragon_policy",
		Title: "If Tetragon runs: trace the calls",
		Why:   "A second sensor sees what Falco drops, with the process tree.",
		Effect: "Does not stop the technique: this policy only observes. It shows each memory file that is made, executed " +
			"or not." + s.ifMemoryFile(),
		SideEffects: "One event for each call: many on desktops and with browsers.",
		DryRun:      "tetra tracingpolicy add tetragon-policy.yaml on one test host, then tetra getevents -o compact",
		Rollback:    "tetra tracingpolicy delete memfd-create, or kubectl delete tracingpolicy memfd-create",
	}
	content := tetragonMemfd
	if s.kind == injectKind {
		content = tetragonInject
		m.Effect = "Does not stop the technique: this policy only observes. It shows process_vm_writev and ptrace requests that " +
			"write memory; /proc/PID/mem is not among them."
		m.SideEffects = "Debuggers and checkpoint tools cause events."
		m.Rollback = "tetra tracingpolicy delete process-injection, or kubectl delete tracingpolicy process-injection"
	}
	m.Files = oneFile("tetragon-policy.yaml", yamlType, content)
	return m, true
}

func sigmaRule(s *hardening) (report.Mitigation, bool) {
	content := sigmaMemfd
	switch s.kind {
	case descriptorKind:
		content = sigmaFD
	case deletedKind:
		content = sigmaDeleted
	case volatileKind:
		content = sigmaVolatile
	case loaderKind, selfWriteKind:
		content = sigmaLoader
	}
	return report.Mitigation{
		ID:    "sigma_rule",
		Title: "Search the process logs of other hosts",
		Why:   "Hosts without Falco may have recorded the same in their process logs, also in the past.",
		Effect: "Does not stop the technique. It finds it where the log has the executable's path or the arguments as the " +
			"kernel gives them.",
		SideEffects: "None beyond the load of the search; the false positives that are known stand in the file.",
		DryRun:      "sigma check filelessd.yml, then sigma convert with the backend of your log store.",
		Rollback:    "Delete the rule from the log store.",
		Files:       oneFile("filelessd.yml", yamlType, content),
	}, true
}
