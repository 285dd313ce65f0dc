package readers

import (
	"strings"
	"testing"
)

const (
	goodRule = `- rule: Own
  desc: d
  condition: spawned_process and proc.name = x
  output: o %proc.name
  priority: CRITICAL
`
	goodException = `- rule: Fileless execution via memfd_create
  exceptions:
    - name: n
      fields: [container.image.repository, proc.pname, proc.args]
      comps: ["=", "=", "="]
      values:
        - [a, b, c d]
  override:
    exceptions: append
`
	goodSettings = "append_output:\n  - match: {source: syscall}\n    extra_fields: [proc.pid, 'proc.aname[2]']\n"
	goodCompose  = "services:\n  a:\n    image: b\n"
	goodPolicy   = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, namespace: n}\nspec: {podSelector: {}}\n"
	goodTracing  = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: n}\nspec:\n  kprobes:\n    - {call: sys_ptrace, syscall: true}\n"
	goodSigma    = "title: t\nlogsource: {product: linux}\ndetection:\n  sel: {Image: x}\n  condition: sel\n"
	goodJQ       = `(.syscalls[].names) -= ["memfd_create"] | .syscalls += [{names: ["memfd_create"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]`
	goodNft      = "table inet quarantine { chain in { type filter hook input priority -300; policy drop; }; }\n"
	goodAudit    = "-a always,exit -F arch=b64 -S memfd_create -F key=k\n"
	goodProfile  = "abi <abi/3.0>,\ninclude <tunables/global>\nprofile p {\n  include <abstractions/base>\n}\n"
	goodDropIn   = "[Service]\nCPUQuota=10%\nSystemCallFilter=~memfd_create:ENOSYS\n"
)

// referenceFalco has the shape of the rule file of the report that this product set out to improve:
// no list, keys that no rule has, and a pattern that is no condition.
const referenceFalco = `rules:
  - name: Fileless execution
    pattern: 'proc\.name = ^\d+$'
    severity: critical
`

// TestRefused shows that each reader can refuse: a file that it takes, and the same with one
// mistake, which it does not.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ path, good, old, bad, reason string }{
		{"/etc/falco/rules.d/x.yaml", goodRule, goodRule, referenceFalco, "got object, want array"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "desc: d", "desc: d\n  severity: high", "severity"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "  desc: d\n", "", "desc is missing"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "CRITICAL", "Urgent", "priority"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "= x", "regex ^[0-9]+$", "expected an operator"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "spawned_process", "spawned", "macro spawned is not defined"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "spawned_process and", "", "every type"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "proc.name = x", "proc.nam = x", "no field proc.nam"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "proc.name = x", "proc.name in (filelessd_x)", "list filelessd_x"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "proc.name = x", "proc.is_exe_from_memfd = yes", "true or false"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "proc.name = x", "proc.pid startswith 1", "no text"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "%proc.name", "%proc.nam", "output: no field"},
		{"/etc/falco/rules.d/x.yaml", goodRule, "rule: Own", "rule: Fileless execution via memfd_create", "override is missing"},
		{"/etc/falco/rules.d/x.yaml", goodException, "[a, b, c d]", "[a, b]", "3 fields and 2 values"},
		{"/etc/falco/rules.d/x.yaml", goodException, `["=", "=", "="]`, `["=", "="]`, "3 fields and 2 comps"},
		{"/etc/falco/rules.d/x.yaml", goodException, `"=", "="]`, `"=", "like"]`, "expected an operator"},
		{"/etc/falco/rules.d/x.yaml", goodException, "[container.image.repository, proc.pname, proc.args]", "[proc.args]", "too wide"},
		{"/etc/falco/rules.d/x.yaml", goodException, "via memfd_create", "via memfd", "stock rules do not have"},
		{"/etc/falco/rules.d/x.yaml", goodException, "exceptions: append", "exceptions: prepend", "append"},
		{"/etc/falco/config.d/x.yaml", goodSettings, "extra_fields", "fields", "fields"},
		{"/etc/falco/config.d/x.yaml", goodSettings, "proc.pid", "proc.process_id", "no field"},
		{"/etc/falco/config.d/x.yaml", goodSettings, "proc.pid", "container.host_network", "no field"},
		{"/etc/falco/config.d/x.yaml", goodSettings, "source: syscall", "source: syscall, rule: Nope", "no stock rule"},
		{"compose.yaml", goodCompose, "    image: b\n", "    image: b\n    limits: {cpu: 100m}\n", "limits"},
		{"quarantine.yaml", goodPolicy, "podSelector", "podSelectors", "podSelectors"},
		{"quarantine.yaml", goodPolicy, "namespace: n", "namespace: 'a b'", "policy"},
		{"quarantine.yaml", goodPolicy, "networking.k8s.io/v1", "networking.k8s.io/v9", "no type"},
		{"tetragon-policy.yaml", goodTracing, "syscall: true", "sycall: true", "sycall"},
		{"tetragon-policy.yaml", goodTracing, "TracingPolicy", "Tracing", "want cilium.io/v1alpha1"},
		{"filelessd.yml", goodSigma, "condition: sel", "condition: selection", "no selection"},
		{"filelessd.yml", goodSigma, "logsource", "source", "logsource"},
		{"filelessd.yml", goodSigma, "Image: x", "Image|re: '('", "missing closing"},
		{"no-memfd.jq", goodJQ, " -= ", " - ", "jq"},
		{"no-memfd.jq", goodJQ, "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "still allowed"},
		{"no-memfd.jq", goodJQ, goodJQ, `.syscalls = [{names: ["memfd_create"], action: "SCMP_ACT_ERRNO"}]`, "0 calls are allowed"},
		{"no-memfd.jq", goodJQ, goodJQ, `.defaultAction = "SCMP_ACT_ALLOW"`, "default of the profile"},
		{"/etc/sysctl.d/x.conf", "vm.memfd_noexec = 1\n", "noexec", "noexc", "not documented"},
		{"/etc/sysctl.d/x.conf", "vm.memfd_noexec = 1\n", "= 1", "= 7", "not documented"},
		{"/etc/sysctl.d/x.conf", "vm.memfd_noexec = 1\n", "=", ":", "invalid syntax"},
		{"quarantine.nft", goodNft, "priority -300", "priorty -300", "priorty"},
		{"/etc/audit/rules.d/x.rules", goodAudit, "memfd_create", "memfd_crate", "memfd_crate"},
		{"/etc/audit/rules.d/x.rules", goodAudit, "always,exit", "always,enter", "no rule"},
		{"/etc/apparmor.d/x", goodProfile, "  include <abstractions/base>", "  deny /dev/shm/** mx", "syntax error"},
		{"/etc/systemd/system/app.service.d/x.conf", goodDropIn, "CPUQuota", "CPULimit", "Unknown key"},
		{"/etc/systemd/system/app.service.d/x.conf", goodDropIn, "memfd_create", "memfd_crate", "Failed to parse system call"},
		{"/etc/systemd/system/x.slice", "[Slice]\nTasksMax=128\n", "[Slice]", "[limits]", "Unknown section"},
		{"/etc/default/grub.d/x.cfg", "A=\"$A b\"\n", "b\"", "b", "sh"},
		{"dev-shm.fstab", "tmpfs /dev/shm tmpfs noexec 0 0\n", "tmpfs noexec", "tmpfss noexec", "tmpfss"},
	} {
		name, read, err := For(c.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name+" "+c.reason, func(t *testing.T) {
			if !strings.Contains(c.good, c.old) {
				t.Fatalf("%q is not in the good file", c.old)
			}
			if err := read(t.Context(), File{Path: c.path, Content: c.good}); err != nil {
				checkTool(t, err)
				t.Fatalf("the good file is refused: %v", err)
			}
			bad := File{Path: c.path, Content: strings.Replace(c.good, c.old, c.bad, 1)}
			err := read(t.Context(), bad)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("refused with %v, want %q\n%s", err, c.reason, bad.Content)
			}
		})
	}
}

func TestNoReader(t *testing.T) {
	if _, _, err := For("/etc/cgroup.conf"); err == nil {
		t.Error("something reads cgroup.conf")
	}
}

func TestConditions(t *testing.T) {
	for text, ok := range map[string]bool{
		`proc.name = x`: true,
		`proc.name=x and not proc.pname in (a, "b c", 'd')`:  true,
		`(a and (b or c)) or not(d)`:                         true,
		`not not a`:                                          true,
		`proc.aname[2] exists`:                               true,
		`proc.env[LD_PRELOAD] startswith /dev/shm`:           true,
		`tolower(proc.name) contains x`:                      true,
		`evt.rawres >= 0 and evt.rawres < -1`:                true,
		`proc.name glob "[0-9]*" or proc.exepath endswith x`: true,
		`proc.pname in ()`:                                   true,
		`proc.pname pmatch (a,b)`:                            true,
		`evt.type in (execve, execveat)`:                     true,
		`fd.name contains "a\"b"`:                            true,
		``:                                                   false,
		`proc.name`:                                          false,
		`proc.name = `:                                       false,
		`proc.name = a b`:                                    false,
		`(proc.name = a`:                                     false,
		`proc.name = a)`:                                     false,
		`a and`:                                              false,
		`a andb`:                                             false,
		`and a`:                                              false,
		`proc.name startswithx`:                              false,
		`proc.name regex x`:                                  false,
		`proc.name in (a b)`:                                 false,
		`proc.name in a.b`:                                   false,
		`proc.name contains "a`:                              false,
		`proc.aname[ = a`:                                    false,
		`proc\.name = ^\d+$`:                                 false,
		`evt.rawres >= many`:                                 false,
		`len(proc.name) > 3`:                                 false,
		strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200): false,
	} {
		if _, err := parseCondition(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
