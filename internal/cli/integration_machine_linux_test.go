//go:build integration

package cli

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// machine is a Debian that systemd-nspawn has booted, with no network but its own loopback. What is
// changed in it is gone with it.
type machine struct {
	*testing.T
	pid int // of its systemd
}

// boot boots the Debian that .ci/debian-root has made.
func boot(t *testing.T) *machine {
	t.Helper()
	nspawn := testprogram.Find(t, "systemd-nspawn", "systemd-container")
	testprogram.Find(t, "nsenter", "util-linux")
	root := filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), "/var/cache"), "filelessd-ci/debian")
	if _, err := os.Stat(root); err != nil || os.Getuid() != 0 {
		const text = "a Debian is booted by root, from %s, which .ci/debian-root makes (user %d, %v)"
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf(text, root, os.Getuid(), err)
		}
		t.Skipf(text, root, os.Getuid(), err)
	}
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	// The rest of the root stays as it is: its changes are in memory.
	cmd := exec.Command(nspawn, "--quiet", "--directory="+root, "--volatile=overlay", "--boot", "--private-network",
		"--register=no", "--keep-unit", "--console=pipe", "--machine=filelessd-"+strconv.Itoa(os.Getpid()))
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	m := &machine{T: t}
	t.Cleanup(func() {
		if m.pid != 0 {
			_ = syscall.Kill(m.pid, syscall.SIGKILL) // the init of a PID namespace takes all of it along
		}
		_ = cmd.Process.Kill()
		<-ended
		if data, _ := os.ReadFile(console.Name()); t.Failed() {
			t.Logf("%s", data)
		}
		console.Close()
	})
	waitFor(t, "systemd", func() bool {
		select {
		case <-ended:
			t.Fatalf("systemd-nspawn: %s", cmd.ProcessState)
		default:
		}
		return m.isUp(cmd.Process.Pid)
	})
	return m
}

// isUp looks for the systemd below nspawn, and whether it has booted.
func (m *machine) isUp(nspawn int) bool {
	task := strconv.Itoa(nspawn)
	children, _ := os.ReadFile("/proc/" + task + "/task/" + task + "/children")
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			continue
		}
		m.pid = pid
		if _, state := m.try("systemctl", "is-system-running"); state == "running\n" || state == "degraded\n" {
			return true
		}
	}
	return false
}

// try runs a command in the machine, as root, and returns its exit status and what it says.
func (m *machine) try(args ...string) (code int, out string) {
	return m.feed("", args...)
}

func (m *machine) feed(stdin string, args ...string) (code int, out string) {
	cmd := exec.CommandContext(context.WithoutCancel(m.Context()), "nsenter", append([]string{"--target=" + strconv.Itoa(m.pid), "--all", "--"}, args...)...)
	var b bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &b, &b
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), b.String()
}

// run is try for what has to succeed.
func (m *machine) run(args ...string) string {
	m.Helper()
	code, out := m.try(args...)
	if code != 0 {
		m.Fatalf("%q: exit status %d: %s", args, code, out)
	}
	return out
}

// is returns a property of a unit.
func (m *machine) is(unit, property string) string {
	m.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--value", "--property="+property, unit))
}

// put writes a file.
func (m *machine) put(path string, mode os.FileMode, data []byte) {
	m.Helper()
	path = filepath.Join("/proc", strconv.Itoa(m.pid), "root", path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		m.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		m.Fatal(err)
	}
}

// inNetwork runs f where the machine's network is that of the thread; sockets stay where they were made.
func (m *machine) inNetwork(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		ns, err := os.Open("/proc/" + strconv.Itoa(m.pid) + "/ns/net")
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// listen listens on a port of the machine's loopback.
func (m *machine) listen() (l net.Listener) {
	m.Helper()
	err := m.inNetwork(func() (err error) {
		l, err = new(net.ListenConfig).Listen(m.Context(), "tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	return l
}

// transport makes each connection anew, in the machine.
func (m *machine) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = m.inNetwork(func() (err error) {
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}}
}
