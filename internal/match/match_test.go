package match

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/event"
)

func newSet(t testing.TB, c Config) *Set {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(base, c, func(rule string, err error) { t.Logf("rule %s: %v", rule, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newEvent is an alert of an ordinary rule with these fields: name, value, name, value, ...
func newEvent(rule string, fields ...string) *event.Event {
	e := &event.Event{Rule: rule, Source: event.DefaultSource}
	for i := 0; i < len(fields); i += 2 {
		e.SetField(fields[i], fields[i+1])
	}
	return e
}

func predicatesOf(hits []Hit) string {
	var ids []string
	for _, h := range hits {
		ids = append(ids, h.Predicate)
	}
	return strings.Join(ids, " ")
}

func TestPredicates(t *testing.T) {
	s := newSet(t, DefaultConfig())
	exec := func(fields ...string) *event.Event {
		return newEvent("own rule", append([]string{"evt.type", "execve"}, fields...)...)
	}
	for _, c := range []struct {
		name string
		e    *event.Event
		want string
	}{
		{"flag among others", exec("evt.arg.flags", "EXE_WRITABLE|EXE_FROM_MEMFD"), "memfd_image"},
		{"flag is a whole token", exec("evt.arg.flags", "EXE_FROM_MEMFD_NOT"), ""},
		{"boolean", exec("proc.is_exe_from_memfd", "true"), "memfd_image"},
		{"path of the eBPF driver", exec("proc.exepath", "memfd:x"), "memfd_image"},
		{"path of the kernel module", exec("proc.exepath", "/memfd:x (deleted)"), "memfd_image"},
		{"a directory called memfd:", exec("proc.exepath", "/home/memfd:x/a"), ""},
		{"no type, but exec flags", newEvent("own rule", "evt.arg.flags", "EXE_WRITABLE", "proc.exepath", "memfd:x"), "memfd_image"},
		{"no type, no flags, rule unknown", newEvent("own rule", "proc.exepath", "memfd:x"), ""},
		{"not a start of a program", newEvent("own rule", "evt.type", "openat", "proc.exepath", "memfd:x"), ""},
		{"stock rule alone", newEvent(event.StockMemfdRule), "memfd_rule"},
		{"stock rule, contradicted", newEvent(event.StockMemfdRule, "proc.is_exe_from_memfd", "false"), ""},
		{"stock rule, not an exec", newEvent(event.StockMemfdRule, "evt.type", "openat"), ""},
		{"rule name in another case", newEvent(strings.ToLower(event.StockMemfdRule)), ""},

		{"script by number", exec("proc.name", "4", "proc.exepath", "/usr/bin/dash", "proc.cmdline", "4 /proc/self/fd/4"), "interpreter_of_descriptor"},
		{"script by memfd name", exec("proc.name", "memfd:s", "proc.exepath", "/usr/bin/python3.11", "proc.cmdline", "memfd:s /dev/fd/9 x"), "interpreter_of_descriptor"},
		{"process substitution", exec("proc.name", "bash", "proc.exepath", "/usr/bin/bash", "proc.cmdline", "bash /dev/fd/63"), ""},
		{"number, but another argument", exec("proc.name", "4", "proc.exepath", "/usr/bin/dash", "proc.cmdline", "4 /etc/fd/4"), ""},
		{"number, no interpreter", exec("proc.name", "4", "proc.exepath", "/usr/lib/systemd/systemd-executor", "proc.cmdline", "4 /proc/self/fd/4"), ""},

		{"descriptor as argv[0], image unknown", exec("proc.exe", "/proc/self/fd/3"), "descriptor_path"},
		{"descriptor as file name, ordinary image", exec("evt.arg.filename", "/proc/12/fd/3", "proc.exepath", "/bin/true"), ""},
		{"the same, failed", exec("evt.arg.filename", "/proc/12/task/13/fd/3", "proc.exepath", "/bin/true", "evt.res", "EACCES"), "descriptor_path"},
		{"no descriptor path", exec("proc.exe", "/proc/self/fd/3x", "evt.arg.pathname", "/proc/self/fdinfo/3"), ""},

		{"deleted", exec("proc.exepath", "/usr/sbin/nginx (deleted)"), "deleted_image"},
		{"called deleted", exec("proc.exepath", "/opt/x (deleted)/y"), ""},

		{"volatile image", exec("proc.exepath", "/dev/shm/x"), "volatile_image"},
		{"volatile argv[0]", exec("proc.exe", "/run/user/1000/x"), "volatile_image"},
		{"/run/user without a number", exec("proc.exe", "/run/user/x/y"), ""},
		{"relative from a volatile directory", exec("proc.cwd", "/dev/shm", "proc.exe", "./x"), "volatile_image"},
		{"name from PATH in a volatile directory", exec("proc.cwd", "/dev/shm/", "proc.exe", "ls"), ""},
		{"shell on a volatile script", exec("proc.name", "sh", "proc.cmdline", "sh -e /dev/shm/x.sh a"), "volatile_script"},
		{"shell on a relative one", exec("proc.name", "sh", "proc.cwd", "/dev/mqueue/", "proc.cmdline", "sh ./x.sh"), "volatile_script"},
		{"shell that mentions one", exec("proc.name", "sh", "proc.cmdline", "sh -c ls /dev/shm/x"), ""},
		{"copying there", exec("proc.name", "cp", "proc.cmdline", "cp /dev/shm/a /tmp/b"), ""},
		{"stock shm rule", newEvent("Execution from /dev/shm"), "volatile_rule"},

		{"process_vm_writev", newEvent("r", "evt.type", "process_vm_writev"), "vm_write"},
		{"poke", newEvent("r", "evt.type", "ptrace", "evt.arg.request", "PTRACE_POKETEXT"), "ptrace_write"},
		{"set registers", newEvent("r", "evt.type", "ptrace", "evt.arg.request", "PTRACE_SETREGSET"), "ptrace_write"},
		{"attach", newEvent("r", "evt.type", "ptrace", "evt.arg.request", "PTRACE_SEIZE"), "ptrace_attach"},
		{"stock ptrace rule", newEvent("PTRACE attached to process", "evt.type", "ptrace"), "ptrace_attach"},
		{"trace me", newEvent("PTRACE anti-debug attempt", "evt.type", "ptrace", "evt.arg.request", "PTRACE_TRACEME"), ""},
		{"memory opened for writing", newEvent("r", "evt.type", "openat", "fd.name", "/proc/12/mem", "evt.is_open_write", "true"), "proc_mem_write"},
		{"the same by flags", newEvent("r", "evt.type", "open", "fd.name", "/proc/12/task/13/mem", "evt.arg.flags", "O_RDWR|O_CLOEXEC"), "proc_mem_write"},
		{"memory opened for reading", newEvent("r", "evt.type", "openat", "fd.name", "/proc/12/mem", "evt.is_open_write", "false"), ""},
		{"own memory", newEvent("r", "evt.type", "openat", "fd.name", "/proc/self/mem", "evt.is_open_write", "true"), ""},

		{"preload in the environment", exec("proc.env", "A=b LD_PRELOAD=/lib/x.so:/proc/7/fd/3"), "preload_path"},
		{"audit library", exec("proc.env", "LD_AUDIT=/dev/shm/x.so"), "preload_path"},
		{"preload from a file", exec("proc.env", "LD_PRELOAD=/usr/lib/libjemalloc.so"), ""},
		{"another variable", exec("proc.env", "MY_LD_PRELOAD=/dev/shm/x.so"), ""},
		{"preload by env", exec("proc.name", "env", "proc.cmdline", "env LD_PRELOAD=/dev/fd/5 ls"), "preload_path"},
		{"preload by a shell", exec("proc.name", "sh", "proc.cmdline", "sh -c A=b LD_PRELOAD=/dev/shm/x ls"), "preload_path"},
		{"preload later in a shell", exec("proc.name", "bash", "proc.cmdline", "bash -c cd / && LD_PRELOAD=/dev/shm/x ls"), "preload_path"},
		{"a mention of it", exec("proc.name", "grep", "proc.cmdline", "grep LD_PRELOAD=/dev/shm/x /etc/profile"), ""},
		{"a mention in a shell", exec("proc.name", "sh", "proc.cmdline", "sh -c grep LD_PRELOAD=/dev/shm/x /etc/profile"), ""},

		{"loader in python", exec("proc.name", "python3", "proc.cmdline", "python3 -c import os;os.memfd_create('')"), "loader_code"},
		{"loader in perl", exec("proc.name", "perl", "proc.cmdline", `perl -we my $f=syscall(319,"",0)`), "loader_code"},
		{"loader in ruby for arm64", exec("proc.name", "ruby", "proc.cmdline", `ruby -e syscall 279, "", 1`), "loader_code"},
		{"another number", exec("proc.name", "perl", "proc.cmdline", `perl -e syscall(3190)`), ""},
		{"loader called by a shell", exec("proc.name", "bash", "proc.cmdline", "bash -c python3 -c 'import os;os.memfd_create(1)'"), "loader_code"},
		{"a search for it", exec("proc.name", "grep", "proc.cmdline", "grep -r memfd_create( /usr/include"), ""},
		{"a search in a shell", exec("proc.name", "bash", "proc.cmdline", "bash -c grep -rn 'memfd_create(' /usr/include"), ""},
		{"a script that is told of it", exec("proc.name", "python3", "proc.cmdline", "python3 audit.py memfd_create("), ""},
		{"dd into a process", exec("proc.name", "dd", "proc.cmdline", "dd of=/proc/self/mem bs=1 seek=7"), "loader_code"},
		{"the same from a shell", exec("proc.name", "sh", "proc.cmdline", "sh -c cat p | dd of=/proc/$$/mem bs=1"), "loader_code"},
		{"dd elsewhere", exec("proc.name", "dd", "proc.cmdline", "dd if=/proc/self/mem of=/tmp/x"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			hits := s.Match(c.e)
			got := predicatesOf(hits)
			if got != c.want && !strings.HasPrefix(got, c.want+" ") || c.want == "" && got != "" {
				t.Errorf("holds: %q, want %q", got, c.want)
			}
			for _, h := range hits {
				for _, name := range h.Evidence {
					if _, ok := c.e.Field(name); !ok && name != "rule" {
						t.Errorf("%s rests on %s, which the event does not have", h.Predicate, name)
					}
				}
			}
		})
	}
}

func TestOtherSourcesDoNotMatch(t *testing.T) {
	s := newSet(t, DefaultConfig())
	e := newEvent(event.StockMemfdRule, "evt.type", "execve", "proc.is_exe_from_memfd", "true")
	for _, source := range []string{"k8s_audit", "internal", "aws_cloudtrail"} {
		e.Source = source
		if hits := s.Match(e); hits != nil {
			t.Errorf("%s: %v", source, hits)
		}
	}
}

func TestEachTechniqueHasItsPredicates(t *testing.T) {
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	have := predicates()
	for _, tech := range base.Techniques {
		for _, p := range tech.Predicates {
			delete(have, p.ID)
		}
	}
	for id := range have {
		t.Errorf("predicate %s stands in no technique", id)
	}
}

func TestOperatorsRules(t *testing.T) {
	s := newSet(t, Config{Extended: true, Rules: []Rule{
		{ID: "acme", Technique: "memfd_exec", When: `rule == "ACME ram" && fields["acme.mem"] == "yes"`, Reason: "our agent tags it"},
		{ID: "late", Technique: "interpreter_loader", When: `rule startsWith "ACME"`},
		{ID: "broken", Technique: "fd_exec", When: `int(fields["acme.mem"]) > 3`},
	}})
	hits := s.Match(newEvent("ACME ram", "acme.mem", "yes"))
	if hits := s.Match(newEvent("other", "acme.mem", "[")); hits != nil {
		t.Errorf("a rule that fails matches: %v", hits)
	}
	if got := predicatesOf(hits); got != "acme late" {
		t.Fatalf("hits: %s", got)
	}
	want := Hit{
		Technique: "memfd_exec", Predicate: "acme", Name: hits[0].Name, Base: "E2",
		Statement: "an operator's rule (acme) says so: our agent tags it", Attack: []string{"T1620"},
		Evidence: []string{"acme.mem"},
	}
	if diff := cmp.Diff(want, hits[0]); diff != "" {
		t.Error(diff)
	}
	if hits := s.Match(newEvent("ACME disk")); predicatesOf(hits) != "late" || hits[0].Evidence[0] != "rule" {
		t.Errorf("hits: %+v", hits)
	}
	// What the fields prove is worth more than what a rule says.
	hits = s.Match(newEvent("ACME ram", "acme.mem", "yes", "evt.type", "execve", "proc.exepath", "memfd:x"))
	if got := predicatesOf(hits); got != "memfd_image late" {
		t.Errorf("hits: %s", got)
	}
}

func TestOperatorsRulesAreChecked(t *testing.T) {
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Rule{{ID: "a", Technique: "nonsense", When: "true"}, {ID: "a", Technique: "fd_exec", When: "nonsense"}} {
		_, err := New(base, Config{Rules: []Rule{r}}, nil)
		if err == nil || !strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "match.rules: a") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	entry := Allow{ID: "a", ImageDigest: "sha256:1", ParentPath: "/usr/bin/job", Args: "--once", Expires: now.Add(time.Hour)}
	noArgs := entry
	noArgs.Args = ""
	for _, c := range []struct {
		name   string
		entry  Allow
		fields []string
		want   bool
	}{
		{"all agree", entry, []string{"container.image.digest", "sha256:1", "proc.pexepath", "/usr/bin/job", "proc.args", "--once"}, true},
		{"arguments from the command line", entry, []string{"container.image.digest", "sha256:1", "proc.pexepath", "/usr/bin/job", "proc.name", "x", "proc.cmdline", "x --once"}, true},
		{"no arguments", noArgs, []string{"container.image.digest", "sha256:1", "proc.pexepath", "/usr/bin/job", "proc.name", "a b", "proc.cmdline", "a b"}, true},
		{"no arguments allowed, unknown ones", noArgs, []string{"container.image.digest", "sha256:1", "proc.pexepath", "/usr/bin/job"}, false},
		{"other digest", entry, []string{"container.image.digest", "sha256:2", "proc.pexepath", "/usr/bin/job", "proc.args", "--once"}, false},
		{"digest unknown", entry, []string{"container.image.digest", "<NA>", "proc.pexepath", "/usr/bin/job", "proc.args", "--once"}, false},
		{"parent unknown", entry, []string{"container.image.digest", "sha256:1", "proc.args", "--once"}, false},
		{"more arguments", entry, []string{"container.image.digest", "sha256:1", "proc.pexepath", "/usr/bin/job", "proc.args", "--once more"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := FactsOf(newEvent("r", c.fields...))
			_, evidence, ok := Allowed([]Allow{c.entry}, &f, now)
			if ok != c.want || ok && len(evidence) != 3 {
				t.Errorf("allowed: %v by %v", ok, evidence)
			}
			if _, _, late := Allowed([]Allow{c.entry}, &f, now.Add(2*time.Hour)); late {
				t.Error("allowed after the entry ran out")
			}
		})
	}
}

func TestArguments(t *testing.T) {
	for _, c := range []struct{ name, cmdline, args, want, field string }{
		{"3", "3 run helper", "", "run helper", "proc.cmdline"},
		{"3", "3", "", "", "proc.cmdline"},
		{"", "3 run helper", "", "run helper", "proc.cmdline"},
		{"", "3", "", "", "proc.cmdline"},
		{"we ird", "we ird x", "", "x", "proc.cmdline"},
		{"we", "weird x", "", "x", "proc.cmdline"},
		{"3", "3 a", "b", "b", "proc.args"},
		{"3", "", "", "", ""},
	} {
		f := Facts{Name: c.name, Cmdline: c.cmdline, Args: c.args}
		if got, field := f.Arguments(); got != c.want || field != c.field {
			t.Errorf("%+v: %q from %q", c, got, field)
		}
	}
}

// miss is an alert of usual size that is not ours.
func miss(t testing.TB) *event.Event {
	t.Helper()
	fields := map[string]any{}
	for _, name := range []string{
		"container.id", "container.name", "evt.type", "fd.name", "proc.cmdline", "proc.cwd", "proc.exepath",
		"proc.name", "proc.pname", "proc.aname[2]", "proc.aname[3]", "proc.pcmdline", "proc.tty",
		"user.loginuid", "user.name", "user.uid", "group.gid", "k8s.ns.name", "k8s.pod.name",
	} {
		fields[name] = "/some/value of " + name
	}
	fields["evt.type"] = "execve"
	doc, err := json.Marshal(map[string]any{"rule": "Read sensitive file untrusted", "output_fields": fields})
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Parse(doc, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestMissCostsNoMemory(t *testing.T) {
	s, e := newSet(t, DefaultConfig()), miss(t)
	if n := testing.AllocsPerRun(100, func() {
		if s.Match(e) != nil {
			t.Fatal("matches")
		}
	}); n != 0 {
		t.Errorf("%v allocations for an alert that does not match", n)
	}
}

func BenchmarkMiss(b *testing.B) {
	s, e := newSet(b, DefaultConfig()), miss(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Match(e)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("execve", "memfd:x", "sh", "sh -c LD_PRELOAD=/dev/shm/x; dd of=/proc/$$/mem", "EXE_FROM_MEMFD")
	f.Fuzz(func(t *testing.T, typ, path, name, cmdline, flags string) {
		e := newEvent("r", "evt.type", typ, "proc.exepath", path, "proc.name", name, "proc.cmdline", cmdline, "evt.arg.flags", flags, "proc.env", cmdline, "fd.name", path)
		s := fuzzSet(t)
		for _, h := range s.Match(e) {
			if h.Base == "" || h.Statement == "" || len(h.Attack) == 0 {
				t.Errorf("incomplete: %+v", h)
			}
			for _, ev := range h.Evidence {
				if _, ok := e.Field(ev); !ok && ev != "rule" {
					t.Errorf("%s rests on %s", h.Predicate, ev)
				}
			}
		}
	})
}

func fuzzSet(t *testing.T) *Set { return newSet(t, DefaultConfig()) }

func ExampleSet_Match() {
	base, _ := knowledge.Load()
	set, _ := New(base, DefaultConfig(), func(string, error) {})
	e := newEvent("any rule", "evt.type", "execve", "proc.exepath", "memfd:stage2")
	for _, hit := range set.Match(e) {
		fmt.Println(hit.Technique, hit.Base, hit.Evidence)
	}
	// Output: memfd_exec E1 [proc.exepath]
}

// TestManyAssignments: an assignment is looked at with as much before it as Falco can show, so that
// the time for a long text of assignments does not grow with the square of its length.
func TestManyAssignments(t *testing.T) {
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	assigns := assignsEnvironment(base)
	for text, want := range map[string]bool{
		"bash -c " + strings.Repeat("A=1 ", 2000) + "LD_PRELOAD=/dev/shm/x": false,
		"env " + strings.Repeat("A=1 ", 900) + "LD_PRELOAD=/dev/shm/x ls":   true,
		strings.Repeat("A=1 ", 2000) + "; LD_PRELOAD=/dev/shm/x ls":         false, // A=1 is no shell
		"bash " + strings.Repeat("A=1 ", 2000) + "; LD_PRELOAD=/dev/shm/x":  true,
	} {
		if preloads(text, assigns) != want {
			t.Errorf("%.40q: not %v", text, want)
		}
	}
}
