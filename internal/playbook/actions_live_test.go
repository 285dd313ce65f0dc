//go:build integration

package playbook_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIntegrationPreserveProcess(t *testing.T) {
	need(t, os.Getuid() == 0, "root: the files that a process has mapped are for root only")
	pid, image, held := fromMemory(t)
	for name, fields := range map[string]string{
		"known":   fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, pid),
		"unknown": `"container.id":"host","proc.exepath":"memfd:x"`,
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "evidence")
			text, err := shell(t, out, only(blockOf(t, alertOf(t, time.Now(), fields), "preserve", 0), pid))
			if err != nil || !strings.Contains(text, fmt.Sprintf("kept process %d in", pid)) {
				t.Fatalf("%v\n%s", err, text)
			}
			dirs, err := filepath.Glob(filepath.Join(out, strconv.Itoa(pid)+"-*Z"))
			if err != nil || len(dirs) != 1 {
				t.Fatalf("directories %v, %v", dirs, err)
			}
			same := func(file string, want []byte) {
				t.Helper()
				got, err := os.ReadFile(filepath.Join(dirs[0], file))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, want %d, %v", file, len(got), len(want), err)
				}
			}
			same("exe", image)
			same("fd.3", held)
			same("cmdline", fmt.Appendf(nil, "/proc/self/fd/%s\x00600\x00", cmdlineFD(t, pid)))
			same("exe.path", []byte("/memfd:it's $(touch pwned) (deleted)\n"))
			for _, file := range []string{"maps", "smaps", "status", "environ", "cgroup", "limits", "mountinfo", "links.txt", "ps.txt", "tcp"} {
				if info, err := os.Stat(filepath.Join(dirs[0], file)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v, or empty", file, err)
				}
			}
			if info, err := os.Stat(filepath.Join(dirs[0], "exe")); err != nil || info.Mode() != 0o600 {
				t.Errorf("the copy of the image: %v, %v", info.Mode(), err)
			}
			if sums, err := shell(t, out, "cd '"+dirs[0]+"' && sha256sum -c --quiet '"+dirs[0]+".sha256' && wc -l <'"+dirs[0]+".sha256'"); err != nil || strings.TrimSpace(sums) == "0" {
				t.Errorf("the hashes: %v\n%s", err, sums)
			}
		})
	}
}

// cmdlineFD is the number in the first argument of pid, which is /proc/self/fd/N.
func cmdlineFD(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\x00")
	return filepath.Base(first)
}

// TestIntegrationPreserveMapped keeps a memory file that is mapped only, as a library is whose
// descriptor was closed. The process is this test.
func TestIntegrationPreserveMapped(t *testing.T) {
	need(t, os.Getuid() == 0, "root")
	content := bytes.Repeat([]byte("library"), 1000)
	f := memfd(t, "lib", content)
	mapped, err := unix.Mmap(int(f.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mapped) }()
	f.Close()
	out := filepath.Join(t.TempDir(), "evidence")
	r := alertOf(t, time.Now(), fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, os.Getpid()))
	if text, err := shell(t, out, blockOf(t, r, "preserve", 0)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	files, err := filepath.Glob(filepath.Join(out, "*", "map_files.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if got, err := os.ReadFile(file); err == nil && bytes.Equal(got, content) {
			return
		}
	}
	t.Errorf("the mapped file is not among %v", files)
}

func TestIntegrationFindAndStop(t *testing.T) {
	need(t, os.Getuid() == 0, "root")
	pid, _, _ := fromMemory(t)
	out := filepath.Join(t.TempDir(), "evidence")
	sparse := alertOf(t, time.Now(), `"container.id":"host","proc.exepath":"memfd:it's $(touch pwned)"`)
	text, err := shell(t, out, only(blockOf(t, sparse, "decide", 0), pid))
	want := "image is a memory file; argument is a descriptor or a file in memory; image as in the alert; \n    /memfd:it's $(touch pwned) (deleted)\n"
	if err != nil || !strings.Contains(text, strconv.Itoa(pid)+" ") || !strings.Contains(text, want) {
		t.Errorf("%v\n%s", err, text)
	}
	known := alertOf(t, time.Now(), fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, pid))
	if text, err = shell(t, out, blockOf(t, known, "decide", 0)); err != nil || !strings.Contains(text, strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("the parent, this test, is not shown: %v\n%s", err, text)
	}
	if text, err = shell(t, out, blockOf(t, known, "contain", 0)); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it did not stop: %v, %v", status, err)
	}
	if text, err = shell(t, out, blockOf(t, known, "recover", 0)); err == nil || !strings.Contains(text, "no evidence") || state(t, pid) != "T" {
		t.Errorf("it ends a process without evidence: %v\n%s", err, text)
	}
	earlier := alertOf(t, time.Now().Add(-time.Hour), fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, pid))
	for _, id := range []string{"decide", "preserve", "contain"} {
		if text, err = shell(t, out, blockOf(t, earlier, id, 0)); err == nil || !strings.Contains(text, "started after the alert") {
			t.Errorf("%s takes a process for another one's: %v\n%s", id, err, text)
		}
	}
	if text, err = shell(t, out, blockOf(t, known, "preserve", 0)); err != nil {
		t.Errorf("a stopped process can not be kept: %v\n%s", err, text)
	}
	if text, err = shell(t, out, blockOf(t, known, "recover", 0)); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || status.Signal() != unix.SIGKILL {
		t.Errorf("it was not killed: %v, %v", status, err)
	}
}

// state is the letter of a process in /proc/PID/stat.
func state(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return after[:1]
}

// TestIntegrationOrdinaryNotStopped makes sure that a number that has gone to an ordinary program is
// left alone.
func TestIntegrationOrdinaryNotStopped(t *testing.T) {
	pid := start(t, exec.CommandContext(t.Context(), "sleep", "600"))
	r := alertOf(t, time.Now(), fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, pid))
	text, err := shell(t, t.TempDir(), blockOf(t, r, "contain", 0))
	if err == nil || !strings.Contains(text, "does not run from memory") || state(t, pid) == "T" {
		t.Errorf("%s, %v\n%s", state(t, pid), err, text)
	}
}
