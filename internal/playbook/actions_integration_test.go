//go:build integration

package playbook_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/filelessd/filelessd/pkg/report"
)

// need skips the test if what it needs is missing, or fails where it must not be.
func need(t *testing.T, have bool, what string) {
	t.Helper()
	if have {
		return
	}
	if os.Getenv("FILELESSD_INTEGRATION") == "1" {
		t.Fatalf("FILELESSD_INTEGRATION=1 asks for %s", what)
	}
	t.Skipf("no %s", what)
}

func has(tool string) bool {
	_, err := exec.LookPath(tool)
	return err == nil
}

// alertOf is the report of an alert about pid on this host, now.
func alertOf(t *testing.T, at time.Time, fields string) *report.Report {
	t.Helper()
	alert := `{"rule":"Fileless execution via memfd_create","priority":"Critical","source":"syscall","time":"` +
		at.UTC().Format("2006-01-02T15:04:05.000000000Z") + `","output_fields":{` + fields + `}}`
	r := reporter(t)([]byte(alert))
	if r == nil {
		t.Fatalf("no match: %s", alert)
	}
	return r
}

// block returns the nth command of an action.
func blockOf(t *testing.T, r *report.Report, id string, n int) string {
	t.Helper()
	for _, a := range advice(r) {
		if a.ID == id && n < len(a.Commands) {
			return a.Commands[n]
		}
	}
	t.Fatalf("no command %d in %s", n, id)
	return ""
}

// only restricts the lists of a block to this test and the process that it started: what else runs
// on the machine is nobody's business here.
func only(block string, pid int) string {
	return strings.ReplaceAll(block, "/proc/[0-9]*", fmt.Sprintf("/proc/%d /proc/%d", os.Getpid(), pid))
}

// shell runs a block as its reader would, with its evidence in out.
func shell(t *testing.T, out, block string, env ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh")
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), "OUT="+out), env...)
	cmd.Stdin = strings.NewReader(block + "\n")
	text, err := cmd.CombinedOutput()
	left, dirErr := os.ReadDir(cmd.Dir)
	if dirErr != nil || len(left) > 0 {
		t.Errorf("the block left something in its directory: %v %v", left, dirErr)
	}
	return string(text), err
}

func memfd(t *testing.T, name string, content []byte) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	return f
}

// start runs a program until the test ends it.
func start(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err == nil {
			_ = cmd.Wait() // its status is that of a killed process
		}
	})
	return cmd.Process.Pid
}

// fromMemory runs sleep from a memory file, with a second one open as descriptor 3.
func fromMemory(t *testing.T) (pid int, image, held []byte) {
	t.Helper()
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if image, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	held = bytes.Repeat([]byte("second stage\x00"), 1000)
	f := memfd(t, "it's $(touch pwned)", image)
	cmd := exec.CommandContext(t.Context(), fmt.Sprintf("/proc/self/fd/%d", f.Fd()), "600")
	cmd.ExtraFiles = []*os.File{memfd(t, "held", held)}
	return start(t, cmd), image, held
}
