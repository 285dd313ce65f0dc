// Package testroot runs a Debian beside this machine's own, for integration tests that install the program as
// users do: entered by chroot, where no systemd runs, or booted. Only root can, on a Debian. The first test makes the system by debootstrap, which takes a minute,
// and it is kept in ${XDG_CACHE_HOME:-/var/cache}/filelessd-ci; nothing ever changes it.
package testroot

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// A Root is a Debian with systemd and little else, in a container with no network but its own loopback. What is
// changed in it is in memory, and goes when the test ends.
type Root struct {
	t      testing.TB
	leader int      // process ID of its first process
	chroot []string // what goes before a command, once it is in the namespaces of leader
}

// New returns a system in which nothing runs, and whose commands see files alone: no systemd, no /proc, as while
// an image is built.
func New(t testing.TB) *Root {
	t.Helper()
	const up, bare = "it is up", "/mnt" // the same files, without what is mounted on them
	r := start(t, func(_ *Root, console string) bool { return strings.Contains(console, up) },
		"--as-pid2", "sh", "-c", "mount --bind / "+bare+" && echo "+up+" && exec sleep infinity")
	r.chroot = []string{"chroot", bare}
	return r
}

// Boot returns a system that was booted by its systemd.
func Boot(t testing.TB) *Root {
	t.Helper()
	return start(t, func(r *Root, _ string) bool {
		// In the first moments there is nobody to ask.
		_, state := r.Try("systemctl", "is-system-running", "--wait")
		switch state {
		case "running\n":
			return true
		case "degraded\n":
			r.t.Logf("not all units came up:\n%s", r.Run("systemctl", "--failed", "--no-pager"))
			return true
		}
		return false
	}, "--boot")
}

// start runs systemd-nspawn with these arguments too, until isUp has said yes of a system and its console.
func start(t testing.TB, isUp func(r *Root, console string) bool, args ...string) *Root {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatal("FILELESSD_INTEGRATION=1, but only root can run a Debian beside this one")
		}
		t.Skip("only root can run a Debian beside this one")
	}
	testprogram.Find(t, "nsenter", "util-linux")
	r := &Root{t: t}
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	said := func() string {
		text, _ := os.ReadFile(console.Name())
		return string(text)
	}
	// Read-only is about the directory, which others use at the same time; what is written goes into the overlay.
	//nolint:gosec,noctx // of the test; it ends when its first process does
	cmd := exec.Command(testprogram.Find(t, "systemd-nspawn", "systemd-container"), append([]string{
		"--quiet", "--directory=" + kept(t), "--read-only", "--volatile=overlay", "--private-network",
		"--register=no", "--keep-unit", "--console=pipe", "--machine=filelessd-" + strings.ToLower(rand.Text()[:12])}, args...)...)
	cmd.Stdout, cmd.Stderr = console, console
	ended := run(t, cmd)
	t.Cleanup(func() {
		// The first process takes all others along, and nspawn tidies up then.
		if r.leader == 0 || syscall.Kill(r.leader, syscall.SIGKILL) != nil {
			_ = cmd.Process.Kill()
		}
		<-ended
		if t.Failed() {
			t.Logf("console: %s", said())
		}
	})
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("systemd-nspawn: %s", cmd.ProcessState)
		case <-deadline.C:
			t.Fatal("the system did not come up in two minutes")
		}
		if r.leader = leaderOf(cmd.Process.Pid); r.leader != 0 && isUp(r, said()) {
			return r
		}
	}
}

// run starts a program that is told to end when this process has ended, in whatever way, and returns what is
// closed when it has ended itself.
func run(t testing.TB, cmd *exec.Cmd) <-chan struct{} {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // whose end would be the end of its parent
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // cmd.ProcessState has it
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return ended
}

// leaderOf returns the first process of the system that this nspawn runs; 0 while there is none. Before it is
// another child, which is still in this machine: no command may take it for the system.
func leaderOf(nspawn int) int {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
	if err != nil {
		return 0
	}
	for child := range strings.FieldsSeq(string(children)) {
		status, err := os.ReadFile("/proc/" + child + "/status")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		if ids := strings.Fields(line); len(ids) > 1 && ids[len(ids)-1] == "1" {
			pid, _ := strconv.Atoi(child)
			return pid
		}
	}
	return 0
}

// For is the same system for a subtest.
func (r *Root) For(t testing.TB) *Root {
	same := *r
	same.t = t
	return &same
}

// Path is where this machine sees a file of the system.
func (r *Root) Path(path string) string {
	return filepath.Join("/proc", strconv.Itoa(r.leader), "root", path)
}

// Put writes a file into the system, with all directories above it.
func (r *Root) Put(path string, mode os.FileMode, data []byte) {
	r.t.Helper()
	path = r.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as in every system
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		r.t.Fatal(err)
	}
}

// Try runs a command in the system, as root, and returns its exit status (-1: it did not start) and what it says.
func (r *Root) Try(args ...string) (code int, out string) {
	return r.Feed("", args...)
}

// Feed is Try with a text to read.
func (r *Root) Feed(stdin string, args ...string) (code int, out string) {
	// It may be called when the test is over, to say how it ended.
	enter := append([]string{"--target=" + strconv.Itoa(r.leader), "--all", "--"}, r.chroot...)
	cmd := exec.CommandContext(context.WithoutCancel(r.t.Context()), "nsenter", append(enter, args...)...) //nolint:gosec // of the test
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	var b bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &b, &b
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), b.String()
}

// Run is Try for what has to succeed.
func (r *Root) Run(args ...string) string {
	r.t.Helper()
	code, out := r.Try(args...)
	if code != 0 {
		r.t.Fatalf("%q: exit status %d: %s", args, code, out)
	}
	return out
}

// Property returns a property of a unit.
func (r *Root) Property(unit, name string) string {
	r.t.Helper()
	return strings.TrimSpace(r.Run("systemctl", "show", "--value", "--property="+name, unit))
}
