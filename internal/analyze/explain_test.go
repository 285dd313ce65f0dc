package analyze

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/report"
)

func explanationIDs(r *report.Report) []string {
	var ids []string
	for _, e := range r.Explanations {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestRanking holds the order of the explanations of every sample against a table that was checked
// by eye.
func TestRanking(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	var table bytes.Buffer
	fmt.Fprintln(&table, "alert\ttechnique\tverdict\texplanations")
	for _, s := range samples(t) {
		if strings.HasSuffix(s.name, "file-output.jsonl") {
			continue
		}
		if r := en.report(s.event); r != nil {
			fmt.Fprintf(&table, "%s\t%s\t%s\t%s\n", s.name, r.Technique, r.Verdict, strings.Join(explanationIDs(r), " "))
		}
	}
	const golden = "testdata/explanations.tsv"
	if *update {
		if err := os.WriteFile(golden, table.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), table.String()); diff != "" {
		t.Error(diff)
	}
}

// TestExplanations has what a table can not show: which fields are weighed, and how.
func TestExplanations(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	en := newEngine(t, match.Config{
		Extended: true, Lab: []string{"lab-7"},
		Allow: []match.Allow{{ID: "job", ImageDigest: digest, ParentPath: "/usr/bin/job", Args: "--once", Expires: received.Add(time.Hour)}},
	})
	clone := "memfd:runc_cloned:/proc/self/exe"
	for _, c := range []struct {
		name        string
		fields      []string
		first, last string // empty: any
		not         string // must not be offered
	}{
		{"operator's entry", []string{"container.image.digest", digest, "proc.pexepath", "/usr/bin/job", "proc.args", "--once"}, "operator_job", "", "own_software"},
		{"a shell without a known parent may be a service's", []string{"proc.pname", "sh", "container.id", "c1"}, "loader", "", "runtime_clone"},
		{"a shell below a known tool is not", []string{"proc.pname", "sh", "proc.aname[2]", "tmux"}, "loader", "", "exploited_service"},
		{"service above", []string{"proc.pname", "sh", "proc.aname[3]", "postgres"}, "exploited_service", "", ""},
		{"a session over SSH is a person's or a thief's", []string{"proc.pname", "bash", "proc.aname[2]", "sshd-session", "user.loginuid", "1000"}, "person_session", "", "exploited_service"},
		{"nobody is there", []string{"user.loginuid", "-1", "proc.tty", "0"}, "", "", "person_session"},
		{"a disguise at a terminal", []string{"user.loginuid", "1000", "proc.exe", "[kworker/0:1]", "proc.pname", "bash"}, "loader", "own_software", ""},
		{"test arguments without init", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.exepath", "<NA>", "proc.is_exe_from_memfd", "true", "proc.name", "3"}, "sensor_test", "runtime_clone", "loader"},
		{"test with another memory file", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.exepath", "memfd:kworker"}, "sensor_test", "", "runtime_clone"},
		{"test with another parent", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "make"}, "test_imitation", "sensor_test", ""},
		{"runtime", []string{"proc.exepath", clone, "proc.pname", "runc", "proc.cmdline", "6 init"}, "runtime_clone", "", "own_software"},
		{"runtime's name, unknown parent", []string{"proc.exepath", clone, "proc.cmdline", "6 init"}, "runtime_clone", "", ""},
		{"runtime's name, another parent", []string{"proc.exepath", clone, "proc.pname", "java"}, "", "runtime_clone", ""},
		{"upgrade", []string{"proc.exepath", "/usr/sbin/sshd (deleted)", "proc.pname", "systemd"}, "package_upgrade", "", "cleanup"},
		{"deleted below a temporary directory", []string{"proc.exepath", "/tmp/.mount/x (deleted)"}, "cleanup", "", "package_upgrade"},
		{"build below memory", []string{"proc.exepath", "/dev/shm/t/a.out", "proc.pname", "ninja"}, "developer_volatile", "", ""},
		{"published indicator", []string{"proc.exepath", "/dev/shm/kdumpdb"}, "known_malware", "", ""},
		{"sudo hands over a descriptor", []string{"proc.exepath", "/proc/self/fd/3", "proc.pname", "sudo"}, "descriptor_helper", "", ""},
		{"Python demonstration", []string{"proc.pname", "python3"}, "", "", "miner"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := en.report(exec(c.fields...))
			if r == nil {
				t.Fatal("does not match")
			}
			got := explanationIDs(r)
			if c.first != "" && got[0] != c.first || c.last != "" && got[len(got)-1] != c.last || slices.Contains(got, c.not) {
				t.Errorf("%v (%s): want first %q, last %q, without %q", got, r.Verdict, c.first, c.last, c.not)
			}
			checkReport(t, en, r)
		})
	}
	lab := exec()
	lab.Hostname = "lab-7"
	if got := explanationIDs(en.report(lab)); !slices.Contains(got, "lab_experiment") {
		t.Errorf("on a lab host: %v", got)
	}
}

// TestFailedIsAnAttempt: nothing is told as done that was only tried.
func TestFailedIsAnAttempt(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	r := en.report(exec("proc.exepath", "/opt/x", "evt.arg.filename", "/proc/self/fd/7", "evt.res", "EACCES", "proc.name", "x"))
	for _, want := range []string{" tried to execute ", "failed (EACCES)", "describes this caller"} {
		if !strings.Contains(r.Summary, want) {
			t.Errorf("%q is missing in: %s", want, r.Summary)
		}
	}
	if statement := r.Findings[0].Statement; !strings.HasPrefix(statement, "an attempt to ") {
		t.Errorf("told as done: %s", statement)
	}
	for _, e := range r.Explanations {
		if e.ID == "loader" && !strings.Contains(e.SettledBy, "may try again") {
			t.Errorf("settled by the program that never ran: %s", e.SettledBy)
		}
	}
}

// TestCallerOfWhatFailed: the fields of a process describe the caller of a call that failed. One that
// runs from memory does so, whatever it tried.
func TestCallerOfWhatFailed(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	r := en.report(exec("evt.res", "ENOENT", "proc.name", "x"))
	if strings.Contains(r.Title, "attempt") || !strings.Contains(r.Summary, "which runs from an anonymous memory file, tried to execute another program and failed (ENOENT)") {
		t.Errorf("%s: %s", r.Title, r.Summary)
	}
}
