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
	"syscall"
	"testing"
	"time"
)

// TestIntegrationChangedCode writes a byte into the code of a living program, the same byte, as a
// debugger's breakpoint does first: the page is the file's no more, and the command says so.
func TestIntegrationChangedCode(t *testing.T) {
	need(t, os.Getuid() == 0, "root")
	pid := start(t, exec.CommandContext(t.Context(), "sleep", "600"))
	r := allReports(t)["victim on host"]
	r = with(r, "fd.name", fmt.Sprintf("/proc/%d/mem", pid))
	if text, err := shell(t, t.TempDir(), only(blockOf(t, r, "decide", 1), pid)); err != nil || strings.Contains(text, "/sleep") {
		t.Errorf("before: %v\n%s", err, text)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " r-xp ") && strings.Contains(line, "/sleep") {
			from, _, _ := strings.Cut(line, "-")
			if at, err = strconv.ParseInt(from, 16, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	b := make([]byte, 1)
	if _, err := mem.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	if _, err := mem.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	text, err := shell(t, t.TempDir(), only(blockOf(t, r, "decide", 1), pid))
	if err != nil || !strings.Contains(text, "4 kB of ") || !strings.Contains(text, "/sleep") {
		t.Errorf("after: %v\n%s", err, text)
	}
}

// TestIntegrationPreserveFile keeps a file in /dev/shm whose name is an attack on the shell.
func TestIntegrationPreserveFile(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "filelessd test's $(touch pwned) ")
	if err != nil {
		t.Skipf("no /dev/shm: %v", err)
	}
	defer os.RemoveAll(dir)
	path, content := filepath.Join(dir, "-rf"), []byte("#!/bin/sh\n")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "evidence")
	keep := blockOf(t, with(allReports(t)["volatile_path_exec.host"], "proc.exepath", path), "preserve", 1)
	if text, err := shell(t, out, keep); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	files, _ := filepath.Glob(filepath.Join(out, "file-*Z", "file"))
	if len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	if got, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%q, %v", got, err)
	}
	// A link must not make root read what it points to, and a pipe must not be waited for.
	for name, create := range map[string]func() error{
		"link": func() error { return os.Symlink("/etc/hostname", path) },
		"pipe": func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := create(); err != nil {
			t.Fatal(err)
		}
		if text, err := shell(t, out, keep); err == nil || !strings.Contains(text, "not an ordinary file") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestIntegrationQuarantine loads the rules into a network namespace of its own, and refuses to for
// the host's. The host is a process namespace, whose first process is the script: of the machine's
// first process a container sees nothing.
func TestIntegrationQuarantine(t *testing.T) {
	need(t, os.Getuid() == 0 && has("nft") && has("nsenter") && has("unshare"), "root, nft and nsenter (Debian packages nftables, util-linux)")
	if out, err := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "--mount-proc", "--net", "true").CombinedOutput(); err != nil {
		need(t, false, "right to make namespaces: "+string(out))
	}
	block := blockOf(t, alertOf(t, time.Now(), `"proc.exepath":"memfd:x"`), "contain_network", 0)
	script := `unshare --net sleep 600 & PID=$!
until [ "$(readlink "/proc/$PID/ns/net")" != "$(readlink /proc/1/ns/net)" ]; do :; done
` + block + `
nsenter -t "$PID" -n nft list table inet quarantine
nsenter -t "$PID" -n nft delete table inet quarantine && echo undone
sleep 600 & PID=$!
` + block + `
nft list ruleset
`
	cmd := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "sh")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"quarantined: net:[", "hook input priority raw; policy drop;", "hook output priority raw; policy drop;", "undone\n", "nothing done, it would cut the host off"} {
		if strings.Count(string(out), want) != 1 {
			t.Errorf("not once %q in\n%s", want, out)
		}
	}
	user := exec.CommandContext(t.Context(), "unshare", "--net", "sh")
	user.Stdin = strings.NewReader(blockOf(t, allReports(t)["memfd_exec.host"], "contain_network", 0) + "\n")
	if out, err := user.CombinedOutput(); err != nil || !strings.Contains(string(out), "meta skuid 1004 counter") {
		t.Errorf("the rules for a user: %v\n%s", err, out)
	}
}

// TestIntegrationMemory dumps a living process with gcore.
func TestIntegrationMemory(t *testing.T) {
	if !has("gcore") {
		t.Skip("no gcore (Debian package gdb): the report says that this block is optional")
	}
	pid, _, _ := fromMemory(t)
	out := filepath.Join(t.TempDir(), "evidence")
	r := alertOf(t, time.Now(), fmt.Sprintf(`"container.id":"host","proc.exepath":"memfd:x","proc.pid":%d`, pid))
	text, err := shell(t, out, blockOf(t, r, "preserve", 1))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	cores, _ := filepath.Glob(filepath.Join(out, "memory-*Z", fmt.Sprintf("core.%d", pid)))
	if len(cores) != 1 {
		t.Fatalf("cores %v\n%s", cores, text)
	}
	if info, err := os.Stat(cores[0]); err != nil || info.Size() < 1<<16 {
		t.Errorf("%v, %v", info, err)
	}
}
