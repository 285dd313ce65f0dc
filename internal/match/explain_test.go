package match

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
)

// checkExplain asserts that Explain and Match say the same of e: a predicate is held exactly if its
// function finds evidence, and a technique is hit exactly if one of its predicates is held.
func checkExplain(t *testing.T, s *Set, e *event.Event) {
	t.Helper()
	f, functions := FactsOf(e), predicates()
	hits := map[string]bool{}
	for _, h := range s.Match(e) {
		hits[string(h.Technique)] = true
	}
	held := map[string]bool{}
	for _, c := range s.Explain(e) {
		p, ok := functions[c.Predicate]
		if !ok {
			t.Fatalf("no predicate %q", c.Predicate)
		}
		want := (e.Source == event.DefaultSource || e.Source == "") && len(p(s.base, &f)) > 0
		if got := c.Outcome == Held; got != want {
			t.Errorf("%s: held is %v, want %v: %+v\nof %v", c.Predicate, got, want, c.Conditions, e.FieldMap())
		}
		if c.Outcome == Held {
			held[string(c.Technique)] = true
		}
		checkConditions(t, e, c)
	}
	if diff := cmp.Diff(hits, held); diff != "" {
		t.Errorf("(-match +explain) %s\nof %v", diff, e.FieldMap())
	}
}

func checkConditions(t *testing.T, e *event.Event, c Check) {
	t.Helper()
	for _, condition := range c.Conditions {
		known := false
		for _, f := range condition.Fields {
			known = known || f.Known
			if value, ok := e.Field(f.Name); f.Name != "rule" && f.Name != "source" && (value != f.Value || ok != f.Known) {
				t.Errorf("%s: %s is %q, want %q", c.Predicate, f.Name, f.Value, value)
			}
		}
		if len(condition.Fields) == 0 || condition.Text == "" {
			t.Errorf("%s: %+v", c.Predicate, condition)
		}
		if condition.State == Fails && !known {
			t.Errorf("%s: %q fails, but by no value", c.Predicate, condition.Text)
		}
	}
}

// TestExplainAgrees goes over every alert that the repository has.
func TestExplainAgrees(t *testing.T) {
	s := newSet(t, DefaultConfig())
	files := []string{"../analyze/testdata/cases.jsonl"}
	for _, pattern := range []string{"../../examples/alerts/*.jsonl", "../cli/testdata/reports/*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	alerts := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := lines.Bytes()
			var wrapped struct{ Event json.RawMessage }
			if json.Unmarshal(line, &wrapped) == nil && wrapped.Event != nil {
				line = wrapped.Event
			}
			e, err := event.Parse(line, time.Time{})
			if err != nil {
				continue
			}
			alerts++
			checkExplain(t, s, &e)
		}
	}
	if alerts < 150 {
		t.Errorf("only %d alerts", alerts)
	}
}

// told are values that make a difference, by the fields that take them.
var told = map[string][]string{
	"evt.type":                {"execve", "execveat", "openat", "open", "ptrace", "process_vm_writev"},
	"evt.res":                 {"SUCCESS", "EACCES"},
	"evt.arg.flags":           {"EXE_WRITABLE", "EXE_WRITABLE|EXE_FROM_MEMFD", "O_RDWR", "O_RDONLY"},
	"evt.arg.filename":        {"/proc/self/fd/3", "/bin/true"},
	"evt.arg.pathname":        {"/dev/fd/4", "x"},
	"evt.arg.request":         {"PTRACE_POKETEXT", "PTRACE_ATTACH", "PTRACE_TRACEME"},
	"evt.is_open_write":       {"true", "false"},
	"fd.name":                 {"/proc/12/mem", "/proc/self/mem", "/etc/passwd"},
	"proc.is_exe_from_memfd":  {"true", "false"},
	"proc.exepath":            {"memfd:x", "/memfd:x (deleted)", "/usr/bin/dash", "/opt/x (deleted)", "/dev/shm/x", "/proc/self/fd/7", "/usr/bin/python3.11"},
	"proc.exe":                {"/dev/shm/x", "./x", "/proc/self/fd/3", "sh"},
	"proc.name":               {"3", "memfd:x", "sh", "dd", "python3", "grep"},
	"proc.cwd":                {"/dev/shm", "/run/user/1000", "/"},
	"proc.args":               {"/proc/self/fd/4", "./x.sh", "-e /dev/shm/x.sh", "-c import os;os.memfd_create('')", "of=/proc/self/mem"},
	"proc.cmdline":            {"3", "sh -c LD_PRELOAD=/dev/shm/x ls", "dd of=/proc/7/mem", "python3 -c os.memfd_create(1)", "4 /dev/fd/9"},
	"proc.env":                {"LD_PRELOAD=/proc/7/fd/3", "A=b"},
	"proc.is_exe_upper_layer": {"true"},
}

// TestExplainAgreesByChance tries combinations that no alert has had; the seed is fixed.
func TestExplainAgreesByChance(t *testing.T) {
	s, random := newSet(t, DefaultConfig()), rand.New(rand.NewPCG(3, 4))
	var names []string
	for name := range told {
		names = append(names, name)
	}
	slices.Sort(names)
	rules := []string{"own rule", event.StockMemfdRule, stockShmRule, stockPtraceRule}
	for range 20000 {
		e := newEvent(rules[random.IntN(len(rules))])
		if random.IntN(10) == 0 {
			e.Source = "internal"
		}
		for _, name := range names {
			if random.IntN(3) == 0 {
				values := told[name]
				e.SetField(name, values[random.IntN(len(values))])
			}
		}
		checkExplain(t, s, e)
		if t.Failed() {
			return
		}
	}
}

func FuzzExplain(f *testing.F) {
	for name, values := range told {
		for _, v := range values {
			f.Add("own rule", "execve", name, v, "proc.name", "sh")
		}
	}
	s := newSet(f, DefaultConfig())
	f.Fuzz(func(t *testing.T, rule, call, name, value, other, otherValue string) {
		e := newEvent(rule, "evt.type", call, name, value, other, otherValue)
		checkExplain(t, s, e)
	})
}

// TestExplainNear pins which alerts are worth a second look, and what is missing.
func TestExplainNear(t *testing.T) {
	s := newSet(t, DefaultConfig())
	exec := func(fields ...string) *event.Event {
		return newEvent("own rule", append([]string{"evt.type", "execve"}, fields...)...)
	}
	for _, c := range []struct {
		name string
		e    *event.Event
		want string // outcome predicate: what does not hold
	}{
		{"an ordinary start", exec("proc.name", "ls", "proc.exepath", "/usr/bin/ls", "proc.cmdline", "ls -l", "proc.env", "A=b"), ""},
		{"no image", exec("proc.name", "ls", "proc.cmdline", "ls -l", "proc.env", "A=b"),
			"open memfd_image: the executable is a memory file; open descriptor_path: it was started by the path of a descriptor; " +
				"open deleted_image: the executable was deleted; open volatile_image: the executable lies in a directory in memory"},
		{"process substitution", exec("proc.name", "bash", "proc.exepath", "/usr/bin/bash", "proc.cmdline", "bash /dev/fd/63", "proc.env", "A=b"),
			"near interpreter_of_descriptor: the process is named after a descriptor or a memory file"},
		{"systemd-executor", exec("proc.name", "7", "evt.arg.filename", "/proc/self/fd/7", "proc.exepath", "/usr/lib/systemd/systemd-executor", "proc.cmdline", "7 --x", "proc.env", "A=b"),
			"near descriptor_path: the executable is no ordinary file, or the start failed"},
		{"a mention of code", exec("proc.name", "grep", "proc.exepath", "/usr/bin/grep", "proc.cmdline", "grep -r memfd_create( /usr", "proc.env", "A=b"),
			"near loader_code: an interpreter or dd is told to do that"},
		{"a copy there", exec("proc.name", "cp", "proc.exepath", "/usr/bin/cp", "proc.cmdline", "cp /dev/shm/a /tmp/b", "proc.env", "A=b"),
			"near volatile_script: the program is a shell"},
		{"memory read", newEvent("r", "evt.type", "openat", "fd.name", "/proc/12/mem", "evt.is_open_write", "false", "evt.arg.flags", "O_RDONLY"),
			"near proc_mem_write: it is opened for writing"},
		{"stock rule contradicted", newEvent(event.StockMemfdRule, "evt.type", "execve", "proc.is_exe_from_memfd", "false", "proc.exepath", "/bin/ls", "proc.cmdline", "ls", "proc.name", "ls", "proc.env", "A=b"),
			"near memfd_rule: no field says that it is none"},
		{"no start of a program", newEvent("r", "evt.type", "openat", "proc.exepath", "memfd:x", "fd.name", "/etc/passwd"),
			"near memfd_image: the event is the start of a program"},
		{"of another source", func() *event.Event { e := exec("proc.exepath", "memfd:x"); e.Source = "k8s_audit"; return e }(),
			"near memfd_image: the alert is of system calls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, check := range s.Explain(c.e) {
				if check.Outcome != Near && check.Outcome != Open {
					continue
				}
				for _, condition := range check.Conditions {
					if condition.State != Holds {
						got = append(got, string(check.Outcome)+" "+check.Predicate+": "+condition.Text)
					}
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplainOwnRule(t *testing.T) {
	c := DefaultConfig()
	c.Extended = false
	c.Rules = []Rule{{ID: "own", Technique: "fd_exec", When: `rule == "x" && fields["proc.name"] == "y"`, Reason: "we know it"}}
	s := newSet(t, c)
	checks := s.Explain(newEvent("x", "proc.name", "z"))
	last := checks[len(checks)-1]
	if last.Predicate != "own" || last.Technique != "fd_exec" || last.Outcome != No || last.Conditions[0].Text != c.Rules[0].When {
		t.Errorf("%+v", last)
	}
	checks = s.Explain(newEvent("x", "proc.name", "y"))
	if last := checks[len(checks)-1]; last.Outcome != Held {
		t.Errorf("%+v", last)
	}
	for _, check := range checks {
		if check.Technique == "process_injection" {
			t.Errorf("%+v although that technique is switched off", check)
		}
	}
}
