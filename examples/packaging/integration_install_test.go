//go:build integration && linux

package packaging

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/internal/testroot"
)

const (
	configFile = "/etc/filelessd/config.yaml"
	reports    = "/var/log/filelessd/reports.jsonl"
	nextDeb    = "/root/next.deb"
	alert      = `{"hostname":"h","output_fields":{"evt.type":"execve","proc.exepath":"memfd:a"},"rule":"r","time":"2026-11-23T12:00:00Z"}`
)

// debian puts the package and the next version of it into /root of a system.
func debian(t *testing.T, r *testroot.Root, path string) *testroot.Root {
	t.Helper()
	dpkg, work := testprogram.Find(t, "dpkg-deb", "dpkg"), filepath.Join(t.TempDir(), "next")
	output(t, ".", dpkg, "--raw-extract", path, work)
	control := filepath.Join(work, "DEBIAN/control")
	edit(t, control, "Version: 1.2.3+", "Version: 1.2.4+")
	edit(t, filepath.Join(work, configFile), "# It works as it stands", "# Of the next version. It works as it stands")
	output(t, ".", dpkg, "--build", "--root-owner-group", "-Znone", work, r.Path(nextDeb))
	output(t, ".", "cp", path, r.Path("/root/filelessd.deb"))
	return r
}

func edit(t *testing.T, path, old, text string) {
	t.Helper()
	data := read(t, path)
	if strings.Count(data, old) != 1 {
		t.Fatalf("%s has not one %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(data, old, text, 1)), 0o640); err != nil { //nolint:gosec // as it was
		t.Fatal(err)
	}
}

func gone(t *testing.T, r *testroot.Root, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(r.Path(path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", path, err)
		}
	}
}

// kept fails unless all of them are there.
func kept(t *testing.T, r *testroot.Root, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(r.Path(path)); err != nil {
			t.Error(err)
		}
	}
}

const wants = "/etc/systemd/system/multi-user.target.wants/filelessd.service"

// installChroot: no systemd runs, as while an image is built. Everything has to work but to start.
func installChroot(t *testing.T, path string) {
	r := debian(t, testroot.New(t), path)
	t.Log(r.Run("dpkg", "--install", "/root/filelessd.deb"))
	if got := strings.TrimSpace(r.Run("stat", "-c", "%A %U:%G", "/etc/filelessd", configFile)); got != "drwxr-x--- root:filelessd\n-rw-r----- root:filelessd" {
		t.Errorf("configuration: %s", got)
	}
	kept(t, r, wants, "/etc/systemd/system/sockets.target.wants/filelessd.socket")
	r.Run("runuser", "-u", "filelessd", "--", "filelessd", "check", "-c", configFile)
	// A sink opens by itself, so this shows the program at work without the ports of this machine.
	r.Run("filelessd", "test-sink", "archive", "-c", configFile)
	if lines := read(t, r.Path(reports)); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `"kind":"test"`) {
		t.Errorf("reports: %q", lines)
	}

	const mine = "listen: 127.0.0.1:2904 # the administrator's"
	edit(t, r.Path(configFile), "listen: 127.0.0.1:2804", mine)
	r.Run("systemctl", "disable", "filelessd.service")
	r.Run("dpkg", "--install", "--force-confold", nextDeb)
	if config := read(t, r.Path(configFile)); !strings.Contains(config, mine) {
		t.Error("the upgrade replaced a changed configuration")
	}
	gone(t, r, wants) // what the administrator switched off stays off
	kept(t, r, reports)

	r.Run("dpkg", "--remove", "filelessd")
	gone(t, r, "/usr/bin/filelessd", "/usr/lib/systemd/system/filelessd.service")
	kept(t, r, configFile, reports)
	r.Run("dpkg", "--install", "--force-confold", "/root/filelessd.deb")
	gone(t, r, wants)
	r.Run("dpkg", "--purge", "filelessd")
	gone(t, r, "/etc/filelessd", "/var/lib/filelessd", "/var/log/filelessd", "/etc/logrotate.d/filelessd",
		"/etc/systemd/system/sockets.target.wants/filelessd.socket")
	if left := r.Run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n"); strings.Contains(left, "filelessd") {
		t.Errorf("dpkg still knows it:\n%s", left)
	}
}

// installBooted: as on a server. It says how long it takes from dpkg -i to a report that was delivered.
func installBooted(t *testing.T, path string) {
	r := debian(t, testroot.Boot(t), path)
	begin := time.Now()
	r.Run("dpkg", "--install", "/root/filelessd.deb")
	installed := time.Since(begin)
	r.Run("runuser", "-u", "filelessd", "--", "filelessd", "test-sink", "archive", "-c", configFile)
	tested := time.Since(begin)
	post(t, r, alert)
	waitForReports(t, r, 2)
	t.Logf("dpkg -i: %.1f s; to the first delivered test report: %.1f s; to the report of a posted alert: %.1f s",
		installed.Seconds(), tested.Seconds(), time.Since(begin).Seconds())
	if journal := r.Run("journalctl", "-u", "filelessd", "-o", "cat", "--no-pager"); !strings.Contains(journal, "\nLOW ") &&
		!strings.Contains(journal, "\nMEDIUM ") && !strings.Contains(journal, "\nHIGH ") {
		t.Errorf("no report in the journal:\n%s", journal)
	}
	r.Run("runuser", "-u", "filelessd", "--", "filelessd", "status", "-c", configFile)

	// An upgrade restarts the service; an alert that comes meanwhile is not lost.
	before := r.Property("filelessd.service", "MainPID")
	r.Run("dpkg", "--install", nextDeb)
	post(t, r, strings.Replace(alert, "memfd:a", "memfd:b", 1))
	waitForReports(t, r, 3)
	if after := r.Property("filelessd.service", "MainPID"); after == before {
		t.Error("the upgrade did not restart the service")
	}

	r.Run("dpkg", "--remove", "filelessd")
	if code, out := r.Try("systemctl", "is-active", "filelessd.service", "filelessd.socket"); code == 0 {
		t.Errorf("it still runs:\n%s", out)
	}
	kept(t, r, reports, "/var/lib/filelessd/filelessd.db")
	r.Run("dpkg", "--purge", "filelessd")
	gone(t, r, "/var/lib/filelessd", "/var/log/filelessd", "/etc/filelessd")
}

// post posts an alert as Falco does: once.
func post(t *testing.T, r *testroot.Root, alert string) {
	t.Helper()
	client := http.Client{Transport: r.Transport(), Timeout: time.Minute}
	resp, err := client.Post("http://127.0.0.1:2801/", "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatalf("post: %v\n%s", err, journal(r))
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("post: %s (%v) %s\n%s", resp.Status, err, body, journal(r))
	}
}

// waitForReports waits until that many reports are on disk.
func waitForReports(t *testing.T, r *testroot.Root, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for strings.Count(read(t, r.Path(reports)), "\n") < n {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("no %d reports:\n%s", n, journal(r))
		}
	}
}

func journal(r *testroot.Root) string {
	_, out := r.Try("journalctl", "--no-pager", "-u", "filelessd.service", "-u", "filelessd.socket")
	return out
}
