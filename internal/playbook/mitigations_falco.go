package playbook

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

const stockShmRule = "Execution from /dev/shm"

// wanted are the fields that a report on the start of a program would like to have. Each exists in
// every Falco that has append_output (0.39 and later), so that none of them keeps Falco from
// starting. container.host_network is younger (0.41) and therefore not here.
var (
	wanted = []string{
		"proc.pid", "proc.ppid", "proc.exe", "proc.exepath", "proc.cmdline", "proc.pname", "proc.pexepath",
		"proc.pcmdline", "proc.aexepath[2]", "user.uid", "user.loginuid", "thread.cap_effective", "evt.res",
	}
	wantedOfExec      = []string{"evt.arg.flags", "proc.is_exe_from_memfd", "proc.is_exe_upper_layer"}
	wantedOfPtrace    = []string{"evt.arg.request", "evt.arg.pid"}
	wantedOfContainer = []string{
		"container.image.repository", "container.image.digest", "container.privileged",
	}
	wantedOfPod = []string{"k8s.ns.name", "k8s.pod.name"}
)

// lacking are the wanted fields that this alert did not have.
func (s *hardening) lacking() []string {
	missing := make([]string, 0, 24)
	lists := [4][]string{wanted, wantedOfExec}
	if s.kind == injectKind {
		lists[1] = wantedOfPtrace
	}
	switch s.place {
	case unknownPlace:
		lists[2] = []string{"container.id"}
	case onHost:
	case inPod, inCRI:
		lists[2], lists[3] = wantedOfContainer, wantedOfPod
	default:
		lists[2] = wantedOfContainer
	}
	for _, list := range lists {
		for _, name := range list {
			if _, ok := s.event.Field(name); !ok {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

func falcoFields(s *hardening) (report.Mitigation, bool) {
	m := report.Mitigation{
		ID:    "falco_fields",
		Title: "Have the next alert say what this one left out",
		Effect: "Does not stop the technique. It lets the next report decide more, and another rule that matches first can " +
			"no longer take the event.",
		SideEffects: "Longer alerts. With rule_matching: all, one event can fire several rules. Falco 0.41 and later know " +
			"container and k8s fields only with the container plugin.",
		DryRun:   "falco --dry-run reads settings and rules and ends; it refuses a field that it does not know.",
		Rollback: "Remove the file and restart Falco.",
	}
	var b strings.Builder
	b.Grow(1024)
	b.WriteString("# Falco 0.39 or newer. Lists in config.d are added to those of falco.yaml.\n" +
		"json_output: true\nrule_matching: all\n")
	missing := s.lacking()
	m.Why = "All fields that this analysis looks for were in the alert; rule_matching: all keeps it so when rules overlap."
	if len(missing) > 0 {
		m.Why = "These fields were not in this alert, or had no value in it, and each would have told something."
		b.WriteString("append_output:\n  - match:\n      source: syscall\n")
		if rule := s.event.Rule; rule == event.StockMemfdRule || rule == stockShmRule {
			b.WriteString("      rule: " + rule + "\n")
		}
		b.WriteString("    extra_fields:\n")
		for _, name := range missing {
			b.WriteString("      - " + name + "\n")
		}
	}
	m.Files = oneFile("/etc/falco/config.d/filelessd-fields.yaml", yamlType, b.String())
	return m, true
}

// falcoRule is a local rule for what the stock rules leave out.
func falcoRule(s *hardening) (report.Mitigation, bool) {
	m := report.Mitigation{
		ID:    "falco_rule",
		Title: "Add a Falco rule for what the stock rules leave out",
		Effect: "Does not stop the technique. It shows it where the stock rules are silent, if the field that it tests is " +
			"filled in by your driver.",
		DryRun:   "falco -V /etc/falco/falco_rules.yaml -V filelessd-rule.yaml: the stock rules first, then this file.",
		Rollback: "Remove the file; Falco notices (watch_config_files), or restart it.",
	}
	content := falcoMemfd
	switch s.kind {
	case descriptorKind:
		content = falcoFD
		m.Why = "The stock rule looks at the executable: a script in a memory file shows as its interpreter and is not reported."
		m.SideEffects = "Tools that run scripts through descriptors fire it too. A script started by fexecve may keep its " +
			"interpreter's name and stay unseen."
	case deletedKind:
		content = falcoDeleted
		m.Why = "No stock rule looks at deleted executables."
		m.SideEffects = "Package upgrades of running programs fire it too. A driver that does not write (deleted) behind the " +
			"path gives it nothing to see."
	case volatileKind:
		content = falcoVolatile
		m.Why = "The stock rule compares argv[0], which the caller chooses, and knows /dev/shm only."
		m.SideEffects = "Build jobs may fire it. A script that is handed to its interpreter shows " +
			"the interpreter's path and is left to the stock rule."
	case injectKind:
		content = falcoInject
		m.Why = "The stock rule sees ptrace; process_vm_writev and /proc/PID/mem need no ptrace call."
		m.SideEffects = "Debuggers and checkpoint tools that are not in its list fire it. The list goes by names, which a " +
			"program can give itself."
	case preloadKind:
		content = falcoPreload
		m.Why = "No stock rule looks at the environment for a preloaded library."
		m.SideEffects = "Falco keeps the first 4096 bytes of an environment; behind them it is blind. No common harmless cause is known."
	case loaderKind, selfWriteKind:
		content = falcoLoader
		m.Why = "No stock rule reads arguments for loader code."
		m.SideEffects = "Demonstrations and tests fire it too. Code that comes by a file, a pipe or encoded is not seen."
	default:
		m.Why = "The stock rule of Falco 0.41 and later excepts a process or parent named runc and a memory file named " +
			"runc_cloned:/proc/self/exe, whoever made them."
		m.SideEffects = "Runtimes at other paths fire it until their path is in the list. Up to Falco 0.40 the stock list of " +
			"names is empty, and the rule has nothing to add."
	}
	m.Files = oneFile("/etc/falco/rules.d/filelessd-rule.yaml", yamlType, content)
	return m, true
}
