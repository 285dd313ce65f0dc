package testroot

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// packages is what the tests need beside what every Debian has. The name of the kept system says them, so a
// longer list makes a new one.
const packages = "dbus+systemd-sysv"

// kept returns the directory of the system below every Root. Tests of several packages run at once: one makes
// it, the others wait. It gets its name when it is whole, so what a killed test left is never taken for one.
func kept(t testing.TB) string {
	t.Helper()
	suite := release(t)
	dir := filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), "/var/cache"), "filelessd-ci", "debian-"+suite+"+"+packages)
	if exists(dir) {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // a cache as others
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if !exists(dir) {
		bootstrap(t, suite, dir, lock)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func bootstrap(t testing.TB, suite, dir string, lock *os.File) {
	t.Helper()
	making := dir + ".making"
	if err := os.RemoveAll(making); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(making)
	args := []string{"--variant=minbase", "--include=" + strings.ReplaceAll(packages, "+", ","), suite, making}
	if uri := mirror(t, suite); uri != "" {
		args = append(args, uri)
	}
	cmd := exec.CommandContext(t.Context(), testprogram.Find(t, "debootstrap", "debootstrap"), args...) //nolint:gosec // of the test
	// What it mounts goes with it, and the lock stays until it ends, even if this process is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.ExtraFiles = []*os.File{lock}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out[max(0, len(out)-2000):])
	}
	for _, download := range []string{"var/cache/apt/archives", "var/lib/apt/lists"} {
		if err := os.RemoveAll(filepath.Join(making, download)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(making, dir); err != nil {
		t.Fatal(err)
	}
}

// release returns the code name of this machine's Debian.
func release(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	t.Fatal("/etc/os-release has no VERSION_CODENAME: not a release of Debian")
	return ""
}

// mirror returns from where this machine takes the packages of that release of Debian itself: not their
// updates, and not what others publish for it. It is "" if apt takes them in a way that debootstrap can not, or
// never did; debootstrap has a mirror of its own then.
func mirror(t testing.TB, suite string) string {
	t.Helper()
	//nolint:gosec // of the test
	out, err := exec.CommandContext(t.Context(), testprogram.Find(t, "apt-get", "apt"), "indextargets", "--format", "$(REPO_URI)",
		"Identifier: Packages", "Component: main", "Codename: "+suite, "Origin: Debian", "Label: Debian").Output()
	if err != nil {
		t.Fatal(err)
	}
	for uri := range strings.FieldsSeq(string(out)) {
		if scheme, _, _ := strings.Cut(uri, ":"); scheme == "http" || scheme == "https" || scheme == "file" {
			return uri
		}
	}
	return ""
}
