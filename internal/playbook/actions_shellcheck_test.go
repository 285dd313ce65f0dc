//go:build integration

package playbook_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestIntegrationShellcheck wants no finding in any block. Three hints are left out of blocks with a
// value that holds a dollar, a backtick, a tilde or a backslash: SC2016, SC2088 and SC1003 say that
// quotes keep those from being expanded or from escaping, which is what they are there for.
func TestIntegrationShellcheck(t *testing.T) {
	need(t, has("shellcheck"), "shellcheck (Debian package shellcheck)")
	plain, quoted := t.TempDir(), t.TempDir()
	seen := map[string]bool{}
	add := func(b string) {
		key := evidence.ReplaceAllString(b, "")
		if seen[key] {
			return
		}
		seen[key] = true
		dir := plain
		if strings.ContainsAny(values(b), "$`~\\") {
			dir = quoted
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(len(seen))+".sh"), []byte(b+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocks(allReports(t), func(_, _, b string) { add(b) })
	harmless := len(seen)
	for name, base := range bases(t) {
		for field, forms := range hostileFields() {
			if name != "c02" && name != "deleted_exec.host" && name != "preload_from_fd.kubernetes.sparse" {
				continue // the others differ in nothing that takes a value
			}
			for _, value := range shellValues() {
				r := with(base, field, strings.ReplaceAll(forms[len(forms)-1], "%", value))
				blocks(map[string]*report.Report{"": r}, func(_, _, b string) { add(b) })
			}
		}
	}
	t.Logf("%d blocks of harmless alerts, %d of hostile ones", harmless, len(seen)-harmless)
	shellcheck(t, plain)
	shellcheck(t, quoted, "-e", "SC2016,SC2088,SC1003")
}

// values are the lines that skeleton leaves out.
func values(block string) string {
	var b strings.Builder
	bare := skeleton(block)
	for line := range strings.Lines(block) {
		if !strings.Contains(bare, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func shellcheck(t *testing.T, dir string, options ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sh"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no blocks in %s: %v", dir, err)
	}
	cmd := exec.CommandContext(t.Context(), "shellcheck", append(append([]string{"--norc", "-s", "sh"}, options...), files...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out[:min(len(out), 5000)])
	}
}

func TestIntegrationHostileArguments(t *testing.T) { tryArguments(t, hostileValues(t), 1) }
