package analyze

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/report"
)

func findingIDs(r *report.Report) []string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.ID)
	}
	return ids
}

func TestFindings(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	start := func(before time.Duration) string {
		return fmt.Sprint(exec().Time.Add(-before).UnixNano())
	}
	for _, c := range []struct {
		name      string
		fields    []string
		want, not []string
	}{
		{"kernel thread's name", []string{"proc.exe", "[kworker/0:1]"}, []string{"poses_as_kernel_thread", "resembles_kv_botnet"}, []string{"argv0_differs", "resembles_cyclops_blink"}},
		{"another kernel thread's name", []string{"proc.exe", "[kworker:0/1]"}, []string{"poses_as_kernel_thread", "resembles_cyclops_blink"}, []string{"resembles_kv_botnet"}},
		{"no published name", []string{"proc.exe", "[jbd2]"}, []string{"poses_as_kernel_thread"}, []string{"resembles_kv_botnet", "resembles_cyclops_blink"}},
		{"daemon over a memory file", []string{"proc.name", "sshd"}, []string{"poses_as_daemon"}, []string{"daemon_deleted"}},
		{"daemon after an upgrade", []string{"proc.name", "sshd", "proc.exepath", "/usr/sbin/sshd (deleted)"}, []string{"daemon_deleted"}, []string{"poses_as_daemon"}},
		{"title that differs", []string{"proc.exe", "/usr/bin/ls"}, []string{"argv0_differs"}, nil},
		{"title of the memory file", []string{"proc.exe", "x"}, nil, []string{"argv0_differs"}},
		{"title that is a descriptor", []string{"proc.exe", "/proc/self/fd/3"}, nil, []string{"argv0_differs"}},
		{"excepted name", []string{"proc.exepath", "memfd:runc_cloned:/proc/self/exe"}, []string{"clone_name_excepted", "runtime_clone_unproven"}, []string{"memfd_name", "runtime_clone"}},
		{"the kernel module's form is not excepted", []string{"proc.exepath", "/memfd:runc_cloned:/proc/self/exe (deleted)"}, []string{"runtime_clone_unproven"}, []string{"clone_name_excepted"}},
		{"excepted title", []string{"proc.exe", "memfd:runc_cloned:/proc/self/exe"}, []string{"clone_name_excepted"}, nil},
		{"runtime", []string{"proc.exepath", "memfd:crun_cloned:/proc/self/exe", "proc.pname", "conmon"}, []string{"runtime_clone", "parent_runtime"}, []string{"runtime_clone_unproven"}},
		{"flags of a memory file", []string{"evt.arg.flags", "EXE_WRITABLE|EXE_FROM_MEMFD"}, []string{"flags_memfd_writable"}, []string{"flags_writable"}},
		{"upper layer", []string{"evt.arg.flags", "EXE_UPPER_LAYER", "container.id", "c1"}, []string{"flags_upper_layer"}, nil},
		{"lower layer of a host", []string{"evt.arg.flags", "EXE_LOWER_LAYER", "container.id", "host"}, nil, []string{"flags_lower_layer"}},
		{"container seconds old", []string{"container.id", "c1", "container.start_ts", start(900 * time.Millisecond)}, []string{"container_age_seconds"}, nil},
		{"container hours old", []string{"container.id", "c1", "container.start_ts", start(20 * time.Hour)}, []string{"container_age_hours"}, nil},
		{"container days old", []string{"container.id", "c1", "container.start_ts", start(200 * time.Hour)}, []string{"container_age_days"}, nil},
		{"container from the future", []string{"container.id", "c1", "container.start_ts", start(-time.Hour)}, nil, []string{"container_age_seconds", "container_age_minutes"}},
		{"generated name", []string{"container.id", "c1", "container.name", "peaceful_mestorf"}, []string{"generated_name"}, nil},
		{"Compose's name", []string{"container.id", "c1", "container.name", "web_php_1"}, nil, []string{"generated_name"}},
		{"service of a session", []string{"proc.pname", "sshd-session"}, []string{"parent_session"}, []string{"parent_service"}},
		{"shim", []string{"proc.pname", "containerd-shim"}, []string{"parent_shim"}, []string{"parent_runtime"}},
		{"parent in memory", []string{"proc.pexepath", "memfd:a"}, []string{"parent_in_memory", "parent_known"}, nil},
		{"no login", []string{"user.loginuid", "4294967295"}, []string{"no_login"}, []string{"login"}},
		{"root without a map", []string{"user.uid", "0", "container.id", "c1"}, []string{"root_unmapped"}, []string{"root_in_container"}},
		{"root by name only", []string{"user.name", "root", "container.id", "c1"}, []string{"root_in_container"}, []string{"root_unmapped"}},
		{"PyLoose", []string{"proc.pname", "python3", "proc.cmdline", "4 --donate-level 1"}, []string{"resembles_pyloose", "miner_arguments"}, nil},
		{"a miner of another parent", []string{"proc.pname", "perl", "proc.cmdline", "4 --donate-level 1"}, []string{"miner_arguments"}, []string{"resembles_pyloose"}},
		{"BPFDoor's path", []string{"proc.exepath", "/dev/shm/kdmtmpflush"}, []string{"resembles_bpfdoor"}, nil},
		{"temporary directory", []string{"proc.cwd", "/tmp"}, []string{"cwd_temporary"}, []string{"cwd"}},
		{"like a temporary directory", []string{"proc.cwd", "/tmpfoo"}, []string{"cwd"}, []string{"cwd_temporary"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := en.report(exec(c.fields...))
			if r == nil {
				t.Fatal("does not match")
			}
			got := findingIDs(r)
			for _, id := range c.want {
				if !slices.Contains(got, id) {
					t.Errorf("%s is not among %v", id, got)
				}
			}
			for _, id := range c.not {
				if slices.Contains(got, id) {
					t.Errorf("%s is among %v", id, got)
				}
			}
			checkReport(t, en, r)
		})
	}
}

// TestResemblanceIsNoAttribution: whatever resembles a published description says who published it,
// or where, and that it is no attribution.
func TestResemblanceIsNoAttribution(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	found := 0
	for id, f := range en.analyzer.base.Findings {
		if !strings.HasPrefix(id, "resembles_") {
			continue
		}
		found++
		if !strings.Contains(f.Statement, "publish") || !strings.Contains(f.Statement, "not attribution") || f.Source == "" {
			t.Errorf("%+v", f)
		}
	}
	if found == 0 {
		t.Error("no resemblance is known")
	}
}

func TestAttackOfFindings(t *testing.T) {
	en := newEngine(t, match.DefaultConfig())
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{nil, "T1620"},
		{[]string{"proc.name", "sshd"}, "T1620 T1036.005"},
		{[]string{"proc.name", "sshd", "proc.exepath", "/usr/sbin/sshd (deleted)"}, "T1070.004 T1620"},
		{[]string{"proc.exepath", "/dev/shm/.x"}, "T1027.011 T1564.001"},
		{[]string{"proc.exepath", "memfd:.x"}, "T1620"},
		{[]string{"proc.cmdline", "4 --donate-level 1"}, "T1620 T1496.001"},
	} {
		var ids []string
		for _, a := range en.report(exec(c.fields...)).Attack {
			ids = append(ids, a.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.fields, got, c.want)
		}
	}
}
