//go:build integration && linux

// Package packaging tests what `make dist` makes, with the programs that read and install it.
package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const (
	root    = "../.."
	version = "v1.2.3-4-gfeedface0000"
	epoch   = "1764423840" // 2025-11-29 13:44:00
	// pkgVersion is what packages make of both.
	pkgVersion = "1.2.3+git20251129.134400.feedface0000"
)

// TestIntegrationPackages builds a release for amd64 once, and looks at it from all sides.
func TestIntegrationPackages(t *testing.T) {
	out := filepath.Join(t.TempDir(), "dist")
	dist := distribute(t)
	dist(t, root, out)
	t.Run("checksums", func(t *testing.T) {
		sums := output(t, out, testprogram.Find(t, "sha256sum", "coreutils"), "-c", "SHA256SUMS")
		if n := strings.Count(sums, ": OK\n"); n != 4 {
			t.Errorf("%d files are right, want 4:\n%s", n, sums)
		}
	})
	t.Run("reproducible", func(t *testing.T) { reproducible(t, dist, out) })
	t.Run("tar.gz", func(t *testing.T) { archive(t, out) })
	t.Run("deb", func(t *testing.T) { debFile(t, deb(t, out)) })
	t.Run("rpm", func(t *testing.T) { rpmFile(t, rpm(t, out)) })
	t.Run("install in a chroot", func(t *testing.T) { installChroot(t, deb(t, out)) })
	t.Run("install and run", func(t *testing.T) { installBooted(t, deb(t, out)) })
}

// distribute compiles what `make dist` runs and returns a function that does what it does, of the tree at dir and
// with a version that does not come from git.
func distribute(t *testing.T) func(t *testing.T, dir, out string, env ...string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "dist")
	output(t, filepath.Join(root, "internal/tools/dist"), "go", "build", "-o", program, ".")
	return func(t *testing.T, dir, out string, env ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, "-root", dir, "-out", out, "-arch", "amd64",
			"-version", version, "-commit", "feedface0000", "-epoch", epoch)
		cmd.Env = append(os.Environ(), env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("dist: %v\n%s", err, text)
		}
	}
}

// output runs a program in dir, which has to succeed and to complain about nothing.
func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil || stderr.Len() != 0 {
		t.Fatalf("%s: %v\n%s%s", cmd, err, stdout, stderr.Bytes())
	}
	return string(stdout)
}

func deb(t *testing.T, out string) string {
	return existing(t, out, "filelessd_"+pkgVersion+"-1_amd64.deb")
}
func rpm(t *testing.T, out string) string {
	return existing(t, out, "filelessd-"+pkgVersion+"-1.x86_64.rpm")
}

func existing(t *testing.T, out, name string) string {
	t.Helper()
	path := filepath.Join(out, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// reproducible builds once more: elsewhere, by files with other times and modes, in another time zone.
func reproducible(t *testing.T, dist func(t *testing.T, dir, out string, env ...string), out string) {
	elsewhere := filepath.Join(t.TempDir(), "another", "place")
	files := output(t, root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for _, name := range strings.Split(strings.TrimSuffix(files, "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) { // removed, and git was not told
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(elsewhere, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := filepath.Join(t.TempDir(), "dist")
	dist(t, elsewhere, again, "TZ=Asia/Kathmandu", "GOFLAGS=-buildvcs=true", "GOAMD64=v2", "SOURCE_DATE_EPOCH=1")
	first, second := read(t, filepath.Join(out, "SHA256SUMS")), read(t, filepath.Join(again, "SHA256SUMS"))
	if first != second {
		t.Errorf("the second build has other bytes:\n%sbefore\n%s", second, first)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// archive unpacks the tar.gz as its page says.
func archive(t *testing.T, out string) {
	dir := t.TempDir()
	name := "filelessd_" + pkgVersion + "_linux_amd64"
	output(t, dir, testprogram.Find(t, "tar", "tar"), "-xzf", existing(t, out, name+".tar.gz"))
	top := filepath.Join(dir, name)
	if says := output(t, top, filepath.Join(top, "filelessd"), "version"); !strings.HasPrefix(says, "filelessd "+version+" (commit feedface0000, go") {
		t.Errorf("version says %s", says)
	}
	output(t, top, filepath.Join(top, "filelessd"), "check", "-c", "config.yaml")
	mandoc := testprogram.Find(t, "mandoc", "mandoc")
	for _, page := range []string{"man/filelessd.1", "man/filelessd-config.5"} {
		if says := output(t, top, mandoc, "-T", "lint", "-W", "warning", page); says != "" {
			t.Errorf("mandoc: %s", says)
		}
		if text := read(t, filepath.Join(top, page)); !strings.Contains(text, `"2025-11-29" "filelessd `+pkgVersion+`"`) {
			t.Errorf("%s has neither date nor version", page)
		}
	}
}

// debFile reads the .deb as Debian's own tools do.
func debFile(t *testing.T, path string) {
	dpkg := testprogram.Find(t, "dpkg-deb", "dpkg")
	t.Log(output(t, ".", dpkg, "--info", path))
	contents := output(t, ".", dpkg, "--contents", path)
	t.Log(contents)
	for line := range strings.Lines(contents) {
		if !strings.Contains(line, " root/root ") || !strings.Contains(line, " 2025-11-29 13:44 ") {
			t.Errorf("not root's, or of another time: %s", line)
		}
	}
	for _, want := range []string{"-rwxr-xr-x", "-rw-r-----", "drwxr-x---"} {
		if !strings.Contains(contents, want) {
			t.Errorf("nothing with the mode %s", want)
		}
	}
	if got := output(t, ".", dpkg, "--field", path, "Version"); strings.TrimSpace(got) != pkgVersion+"-1" {
		t.Errorf("version %s", got)
	}
	//nolint:gosec // of the test
	lint := exec.CommandContext(t.Context(), testprogram.Find(t, "lintian", "lintian"), "--fail-on", "error,warning", "--allow-root", path)
	if says, err := lint.CombinedOutput(); err != nil || len(says) != 0 {
		t.Errorf("lintian: %v\n%s", err, says)
	}
}

// rpmFile reads the .rpm as rpm does, and unpacks it into a directory that is a system of its own to rpm. Its
// scripts run in the test with the .deb only: no Fedora is at hand.
func rpmFile(t *testing.T, path string) {
	program := testprogram.Find(t, "rpm", "rpm")
	if says := output(t, ".", program, "-K", "--nosignature", path); !strings.HasSuffix(says, ": digests OK\n") {
		t.Errorf("rpm -K: %s", says)
	}
	files := output(t, ".", program, "-qlp", path)
	for _, want := range []string{"/usr/bin/filelessd\n", "/usr/lib/systemd/system/filelessd.service\n", "/usr/share/zsh/site-functions/_filelessd\n"} {
		if !strings.Contains(files, want) {
			t.Errorf("no %q in:\n%s", want, files)
		}
	}
	config := strings.Fields(output(t, ".", program, "-qp", "--configfiles", path))
	if want := []string{"/etc/filelessd/config.yaml", "/etc/logrotate.d/filelessd"}; !slices.Equal(config, want) {
		t.Errorf("configuration files %q, want %q", config, want)
	}
	if got := output(t, ".", program, "-qp", "--queryformat", "%{VERSION}-%{RELEASE} %{BUILDHOST} %{BUILDTIME}", path); got != pkgVersion+"-1 localhost "+epoch {
		t.Errorf("is %s", got)
	}
	system := t.TempDir()
	output(t, ".", program, "--root", system, "--initdb")
	output(t, ".", program, "--root", system, "-i", "--force-debian", "--nodeps", "--noscripts", "--nosignature", path)
	if says := output(t, ".", filepath.Join(system, "usr/bin/filelessd"), "version"); !strings.Contains(says, version) {
		t.Errorf("version says %s", says)
	}
	if differs := output(t, ".", program, "--root", system, "-V", "--nodeps", "--noscripts", "filelessd"); differs != "" {
		t.Errorf("rpm -V: %s", differs)
	}
}

// TestIntegrationVersionsSort: dpkg takes the versions that dist makes, and sorts them as the commits are. rpm's
// order of ~ and of what is longer is the same.
func TestIntegrationVersionsSort(t *testing.T) {
	dpkg := testprogram.Find(t, "dpkg", "dpkg")
	versions := []string{
		"0.0~git20251129.134400.feedface0000", "0.0~git20251129.134401.0000feedface", "1.2.3~rc.1",
		"1.2.3~rc.1+git20251129.134400.feedface0000", "1.2.3~rc.2", "1.2.3", "1.2.3+dirty",
		"1.2.3+git20251129.134400.feedface0000", "1.2.4~rc.1", "1.2.4", "1.10.0",
	}
	for i := range versions[1:] {
		output(t, ".", dpkg, "--compare-versions", versions[i]+"-1", "lt", versions[i+1]+"-1")
		vercmp := fmt.Sprintf("%%{lua: print(rpm.vercmp(%q, %q))}", versions[i], versions[i+1])
		if got := output(t, ".", testprogram.Find(t, "rpm", "rpm"), "--eval", vercmp); strings.TrimSpace(got) != "-1" {
			t.Errorf("rpm compares %s with %s: %s", versions[i], versions[i+1], got)
		}
	}
}
