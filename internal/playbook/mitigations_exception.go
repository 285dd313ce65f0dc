package playbook

import (
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

const (
	testTool  = "event-generator"
	testImage = "falcosecurity/event-generator"
)

// falcoException quiets the stock rule for what this alert was: a test, or a runtime's copy of
// itself. It holds several fields together, since each alone can be chosen by whoever wants to be
// excepted, and it is not offered if the alert contradicts one of them.
func falcoException(s *hardening) (report.Mitigation, bool) {
	rule := s.event.Rule
	if rule != event.StockMemfdRule && rule != stockShmRule {
		return report.Mitigation{}, false
	}
	var content string
	switch {
	case s.report.Verdict == report.Test && s.hasFactor("L1"):
		content = s.testException()
	case s.hasFactor("L4") && rule == event.StockMemfdRule:
		content = s.runtimeException()
	}
	if content == "" {
		return report.Mitigation{}, false
	}
	return report.Mitigation{
		ID:    "falco_exception",
		Title: "Except this source narrowly, once its owner has confirmed it",
		Why:   "A known source should not train people to close the alert. Names and arguments can be copied, so the fields count together only.",
		Effect: "Does not stop the technique. It hides it where all fields agree: from then on, whoever imitates them all is " +
			"not reported either.",
		SideEffects: "A new image name, path or argument brings the alert back, which is meant.",
		DryRun: "falco -V /etc/falco/falco_rules.yaml -V filelessd-exception.yaml (Falco 0.38 or newer): the stock rules first, " +
			"then this file.",
		Rollback: "Remove the file; Falco notices (watch_config_files), or restart it.",
		Files:    oneFile("/etc/falco/rules.d/filelessd-exception.yaml", yamlType, content),
	}, true
}

// testException goes by the test tool's image, its name as the parent, and its arguments. On a host
// there is no image; the parent's path stands for it.
func (s *hardening) testException() string {
	parent, args, comparison := testTool, "run helper.DoNothing", "="
	if s.event.Rule == stockShmRule {
		// The script's name ends in random letters; the stock rule fires on the shell that starts it.
		args, comparison = "-c /dev/shm/falco-event-generator-syscall-ExecutionFromDevShm-", "startswith"
	}
	if name, known := s.event.Field("proc.pname"); known && name != parent {
		return ""
	}
	if s.place == onHost {
		path, known := s.event.Field("proc.pexepath")
		note := "# The parent's path is that of the alert.\n"
		if !known {
			path, note = "/usr/local/bin/event-generator", "# The parent's path is a placeholder: the alert does not say it.\n"
		}
		if !isProgramPath(path) || !strings.HasSuffix(path, "/"+parent) {
			return ""
		}
		return exception(note, s.event.Rule, "event_generator_on_host", "proc.pexepath", "=", path, parent, comparison, args)
	}
	image, known := s.event.Field("container.image.repository")
	note := "# The image is that of the alert: make sure that its registry is one of yours.\n"
	if !known {
		image, note = testImage, "# The image is a placeholder, the test tool's own: the alert does not say it.\n"
	}
	if !isImageName(image) || image != testImage && !strings.HasSuffix(image, "/"+testImage) {
		return ""
	}
	return exception(note, s.event.Rule, "event_generator_image", "container.image.repository", "=", image, parent, comparison, args)
}

// runtimeException goes by the names that runtimes give to their copy, the parent's path, and the
// arguments of a container's start.
func (s *hardening) runtimeException() string {
	exe, _ := s.event.Field("proc.exepath")
	name := strings.TrimSuffix(strings.TrimPrefix(exe, "/"), " (deleted)")
	switch name {
	case "memfd:runc_cloned:/proc/self/exe", "memfd:crun_cloned:/proc/self/exe", "memfd:liblxc":
	default:
		return ""
	}
	parent, known := s.event.Field("proc.pname")
	if !known || !isContainerName(parent) {
		return ""
	}
	note := "# The arguments are those of the alert.\n"
	args, known := s.event.Field("proc.args")
	if !known {
		if cmdline, ok := s.event.Field("proc.cmdline"); ok {
			_, args, _ = strings.Cut(cmdline, " ")
		}
	}
	if args == "" {
		args, note = "init", "# The arguments are a placeholder: the alert does not say them.\n"
	}
	if args != "init" {
		return ""
	}
	return exception(note, s.event.Rule, "runtime_copy_of_itself", "proc.exepath", "=", exe, parent, "=", args)
}

func exception(note, rule, name, field, comparison, value, parent, argsComparison, args string) string {
	return "# Falco 0.38 or newer, after the stock rules. Confirm the source with its owner first.\n" + note +
		"- rule: " + rule + "\n" +
		"  exceptions:\n" +
		"    - name: " + name + "\n" +
		"      fields: [" + field + ", proc.pname, proc.args]\n" +
		"      comps: [\"" + comparison + "\", \"=\", \"" + argsComparison + "\"]\n" +
		"      values:\n" +
		"        - [\"" + value + "\", \"" + parent + "\", \"" + args + "\"]\n" +
		"  override:\n" +
		"    exceptions: append\n"
}
