package playbook_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// shellValues try to leave the place of a value in a shell.
func shellValues() []string {
	return []string{
		"'; touch pwned; '", `"; touch pwned; "`, "$(touch pwned)", "`touch pwned`", "x; rm -rf /", "x\ntouch pwned\n",
		"x\r\ntouch pwned", "-rf", "--help", "-e", "-", "--", "~", "~root", "*", "?", "[a-z]*", "{a,b}", "$HOME", "${HOME}", "$((1+1))",
		"x && touch pwned", "x || touch pwned", "x | touch pwned", "x > pwned", "x >> pwned", "< /etc/passwd", "x & touch pwned &",
		"'", "''", "'''", `'\''`, `\`, `\\`, `\'`, `x\`, "x'\\", "'$(touch pwned)'", "#", "x #", "!", "!!", "!$", "^x^y", "=x", "%s%n", "\x00", "a\x00b",
		"EOF", "\nEOF\ntouch pwned\n", ")", "(", "}", ";;", "esac", "done", ")\ntouch pwned\n(", "../../../../etc/shadow", "/", ".", "..", "../x",
		"\u202egpj.exe", "\u05e9\u05dc\u05d5\u05dd", "ro\u200bot", "\xff\xfe", "\x1b[2J\x1b[H", "\x1b]0;owned\x07", strings.Repeat("A", 20_000), strings.Repeat("'", 300), strings.Repeat("$(", 200),
		"c61b4b13ae44; touch pwned", "c61b4b13ae44\n", " c61b4b13ae44", "48213; touch pwned", "48213\n", "-1", "0", "00", "4294967296", "99999999999", "0x10", "1e3",
		"default -o yaml", "kube-system/../x", "-n", "a.b;c", "sha256:" + strings.Repeat("0", 63) + ";", "host; touch pwned",
	}
}

// hostileValues are those, and the ones that renderers are tried with.
func hostileValues(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("../../pkg/report/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := shellValues()
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		times, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		value, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, strings.Repeat(value, times))
	}
	return values
}

// hostileFields are all that a playbook reads, with the forms in which a value comes furthest.
func hostileFields() map[string][]string {
	fields := map[string][]string{}
	for _, name := range []string{
		"container.id", "container.name", "container.type", "container.image.repository", "container.image.tag",
		"container.image.digest", "container.privileged", "k8s.ns.name", "k8s.pod.name", "proc.pid", "proc.ppid", "proc.name", "proc.pname",
		"proc.pcmdline", "proc.pexepath", "evt.res", "evt.type", "evt.arg.filename", "evt.arg.flags", "evt.arg.request", "user.uid",
		"user.name", "user.loginuid", "user.loginname",
	} {
		fields[name] = []string{"%"}
	}
	fields["container.id"] = []string{"%", "c61b4b13ae44%", "%c61b4b13ae44"}
	fields["proc.pid"] = []string{"%", "48213%"}
	fields["proc.exepath"] = []string{"%", "memfd:%", "/memfd:% (deleted)", "/dev/shm/%", "/usr/bin/% (deleted)", "/run/user/0/%"}
	fields["proc.exe"] = []string{"%", "/dev/shm/%", "./%"}
	fields["proc.cwd"] = []string{"%", "/dev/shm/%"}
	fields["proc.args"] = []string{"%", "run /dev/shm/%"}
	fields["proc.cmdline"] = []string{"%", "sh /dev/shm/%", "env LD_PRELOAD=/dev/shm/% x", "3 % and more"}
	fields["proc.env"] = []string{"%", "LD_PRELOAD=/dev/shm/%", "LD_AUDIT=/proc/%/fd/3", "LD_PRELOAD=/proc/811/fd/%"}
	fields["fd.name"] = []string{"%", "/proc/%/mem", "/proc/812/%"}
	return fields
}
