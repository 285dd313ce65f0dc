//go:build integration

package testroot

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIntegrationRoots: two at once share nothing that one of them changes.
func TestIntegrationRoots(t *testing.T) {
	one, two := New(t), New(t)
	one.Run("sh", "-c", "echo one > /etc/hostname; rm /usr/bin/busctl; touch /var/mine")
	one.Put("/etc/deep/down/file", 0o640, []byte("text"))
	if got := one.Run("stat", "--format=%A %s", "/etc/deep/down/file"); got != "-rw-r----- 4\n" {
		t.Errorf("put %q", got)
	}
	for _, path := range []string{"/var/mine", "/etc/deep"} {
		for _, dir := range []string{two.Path("/"), kept(t)} {
			if _, err := os.Lstat(filepath.Join(dir, path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is in %s too (%v)", path, dir, err)
			}
		}
	}
	two.Run("busctl", "--version")
	if code, out := one.Try("busctl", "--version"); code == 0 {
		t.Errorf("it was not removed: %s", out)
	}
	if got := one.Run("ls", "-A", "/proc", "/sys"); got != "/proc:\n\n/sys:\n" {
		t.Errorf("not files alone: %q", got)
	}
	if code, _ := one.Try("test", "-e", "/run/systemd/system"); code != 1 {
		t.Error("systemd runs")
	}
}

// TestIntegrationBoot: what runs inside is inside.
func TestIntegrationBoot(t *testing.T) {
	r := Boot(t)
	if got := r.Run("cat", "/proc/1/comm"); got != "systemd\n" {
		t.Errorf("the first process is %q", got)
	}
	if got := r.Run("cat", "/proc/net/dev"); strings.Count(got, ":") != 1 {
		t.Errorf("the network has more than lo:\n%s", got)
	}
	l := r.Listen()
	defer l.Close()
	c, err := r.Transport().DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("it listens outside")
	}
}

// TestIntegrationEnds: a system does not outlive the process of its test, even if that is killed.
func TestIntegrationEnds(t *testing.T) {
	const child = "FILELESSD_TESTROOT_CHILD"
	if os.Getenv(child) != "" {
		fmt.Printf("leader %d\n", New(t).leader)
		select {}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIntegrationEnds$")
	cmd.Env = append(os.Environ(), child+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var leader string
	for lines := bufio.NewScanner(out); leader == "" && lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "leader "); ok {
			leader = id
		}
	}
	if leader == "" || !exists("/proc/"+leader) {
		t.Fatalf("no process %q", leader)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for exists("/proc/" + leader) {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("process %s still runs", leader)
		}
	}
}

// TestIntegrationMirror: third parties publish for Debian too, under the same names, and come first.
func TestIntegrationMirror(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What an update brings of each source.
	updated := func(name, suite, origin, label string) {
		t.Helper()
		write("lists/"+name+"_dists_"+suite+"_InRelease", fmt.Sprintf(`Origin: %s
Label: %s
Codename: %s
Date: Sat, 01 Jan 2022 00:00:00 UTC
Architectures: all
Components: main
SHA256:
 0 0 main/binary-all/Packages
`, origin, label, suite))
		write("lists/"+name+"_dists_"+suite+"_main_binary-all_Packages", "")
	}
	write("apt.conf", fmt.Sprintf(`Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "%[1]s/parts/";
Dir::State::Lists "%[1]s/lists/";
APT::Architecture "all";
`, dir))
	t.Setenv("APT_CONFIG", filepath.Join(dir, "apt.conf"))
	write("parts/00-third.sources", `Types: deb
URIs: http://third.example/debian
Suites: bookworm nodistro
Components: main
`)
	write("parts/00-third.list", "deb http://third.example/apt third-bookworm main\n")
	updated("third.example_debian", "bookworm", "Third", "Third")
	updated("third.example_debian", "nodistro", "Third", "Third")
	updated("third.example_apt", "third-bookworm", "Third", "Third")
	if got := mirror(t, "bookworm"); got != "" {
		t.Errorf("without Debian's own: %q", got)
	}
	write("parts/debian.sources", `Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://old.example/debian http://debian.example/debian
Suites: bullseye
Components: main

Types: deb
URIs: http://debian.example/debian
Suites: bookworm-updates bookworm
Components: main
`)
	updated("security.example_debian-security", "bookworm-security", "Debian", "Debian-Security")
	updated("old.example_debian", "bullseye", "Debian", "Debian")
	updated("debian.example_debian", "bookworm-updates", "Debian", "Debian")
	updated("debian.example_debian", "bookworm", "Debian", "Debian")
	if got := mirror(t, "bookworm"); got != "http://debian.example/debian/" {
		t.Errorf("got %q", got)
	}
}
