// Package testroot makes Debian systems in directories, for integration tests that install the program as
// users do: entered with chroot, where no systemd runs, or booted in a container.
package testroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// A Root is a system in a directory of its own, which goes when the test ends.
type Root struct {
	Dir string

	t      testing.TB
	leader string // process ID of the booted system's first process; empty: not booted
}

// New returns a Debian with systemd and little else. The first one is made by debootstrap, which takes a
// minute, and kept in ${XDG_CACHE_HOME:-/var/cache}/filelessd-ci; the others are copies.
func New(t testing.TB) *Root {
	t.Helper()
	debootstrap := testprogram.Find(t, "debootstrap", "debootstrap")
	if os.Getuid() != 0 {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatal("FILELESSD_INTEGRATION=1, but only root can make a system in a directory")
		}
		t.Skip("only root can make a system in a directory")
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		base = "/var/cache"
	}
	kept := filepath.Join(base, "filelessd-ci", "debian-systemd-1")
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		bootstrap(t, debootstrap, kept)
	}
	r := &Root{Dir: filepath.Join(t.TempDir(), "root"), t: t}
	r.must(exec.CommandContext(t.Context(), "cp", //nolint:gosec // of the test
		"-a", "--reflink=auto", kept, r.Dir))
	return r
}

// bootstrap makes the system that the others are copies of. It gets its name when it is whole, so a test that
// was ended leaves nothing that looks like one, and two at once do not meet.
func bootstrap(t testing.TB, debootstrap, kept string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil { //nolint:gosec // a cache as others
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(kept), "making-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the root of a system
		t.Fatal(err)
	}
	suite, mirror := mirrorOf(t)
	//nolint:gosec // of the test
	out, err := exec.CommandContext(t.Context(), debootstrap, "--variant=minbase", "--include=systemd,systemd-sysv",
		suite, dir, mirror).CombinedOutput()
	if err != nil {
		t.Fatalf("debootstrap: %v\n%s", err, tail(out))
	}
	if err := os.Rename(dir, kept); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		t.Fatal(err)
	}
}

// mirrorOf returns the release of this Debian and where its packages come from.
func mirrorOf(t testing.TB) (suite, mirror string) {
	t.Helper()
	//nolint:gosec // of the test
	out, err := exec.CommandContext(t.Context(), testprogram.Find(t, "apt-get", "apt"),
		"indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Identifier: Packages", "Component: main").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		suite, mirror, _ = strings.Cut(strings.TrimSpace(line), " ")
		if !strings.Contains(suite, "-") { // not of updates, security or backports
			return suite, mirror
		}
	}
	t.Fatalf("apt-get knows no release:\n%s", out)
	return "", ""
}

func (r *Root) must(cmd *exec.Cmd) string {
	r.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// Command is a program inside: of the booted system, or by chroot.
func (r *Root) Command(ctx context.Context, args ...string) *exec.Cmd {
	enter := []string{"chroot", r.Dir}
	if r.leader != "" {
		enter = []string{"nsenter", "--target", r.leader, "--all", "--"}
	}
	cmd := exec.CommandContext(ctx, enter[0], append(enter[1:], args...)...) //nolint:gosec // of the test
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

// Run runs a program inside, which has to succeed, and returns what it printed.
func (r *Root) Run(args ...string) string {
	r.t.Helper()
	return r.must(r.Command(r.t.Context(), args...))
}

// Outside is a program of this machine in the network of the booted system.
func (r *Root) Outside(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--target", r.leader, "--net", "--"}, args...)...) //nolint:gosec // of the test
}

// Boot starts the system in a container with a network of its own, and waits until it is up.
func (r *Root) Boot() {
	r.t.Helper()
	nspawn := testprogram.Find(r.t, "systemd-nspawn", "systemd-container")
	testprogram.Find(r.t, "nsenter", "util-linux")
	var says bytes.Buffer
	//nolint:noctx,gosec // it ends by a signal, in order
	cmd := exec.Command(nspawn, "-D", r.Dir, "--boot", "--register=no", "--keep-unit", "--private-network", "--quiet", "--console=pipe")
	cmd.Stdout, cmd.Stderr = &says, &says
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			r.t.Error(err)
		}
		if err := <-ended; err != nil {
			r.t.Logf("systemd-nspawn: %v", err)
		}
	})
	// The first child sets up the container and goes; in its first moments the second has no systemctl.
	for {
		select {
		case err := <-ended:
			ended <- err
			r.t.Fatalf("systemd-nspawn: %v\n%s", err, says.Bytes())
		default:
		}
		if r.leader = childOf(cmd.Process.Pid); r.leader == "" {
			continue
		}
		switch state := r.state(); state {
		case "running":
			return
		case "degraded":
			r.t.Fatalf("not all came up:\n%s", r.Run("systemctl", "--failed", "--no-pager"))
		}
	}
}

// state waits until the system is up, and returns how it is then.
func (r *Root) state() string {
	out, err := r.Command(r.t.Context(), "systemctl", "is-system-running", "--wait").Output()
	if err != nil && len(out) == 0 {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// childOf returns the process that pid started, "" while there is none.
func childOf(pid int) string {
	name := strconv.Itoa(pid)
	out, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", name, name))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return first
}

func tail(out []byte) []byte {
	return out[max(0, len(out)-2000):]
}
