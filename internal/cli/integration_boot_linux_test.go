//go:build integration

package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/internal/testroot"
)

const bootHook = "127.0.0.1:2801" // of filelessd.socket

// booted is a machine on which filelessd was installed as the page in examples/systemd says.
type booted struct {
	*testing.T
	root     *testroot.Root
	receiver *receiver
	lines    [][]byte // alerts that were not sent yet
	ids      []string
}

// take returns alerts that nobody has sent yet.
func (b *booted) take(n int) (lines [][]byte, ids []string) {
	lines, ids = b.lines[:n], b.ids[:n]
	b.lines, b.ids = b.lines[n:], b.ids[n:]
	return lines, ids
}

// newReceiver is one in the system, which wants reports signed with the secret of the SOC.
func (b *booted) newReceiver() *receiver {
	r := newReceiverOn(b, b.root.Listen())
	r.secret = "whsec_c2VjcmV0IG9mIHRoZSBTT0M="
	return r
}

// come waits for the reports.
func (b *booted) come(ids []string) {
	b.Helper()
	waitFor(b, "the reports", func() bool { return len(b.receiver.missing(ids)) == 0 })
}

// reports posts an alert and waits for its report.
func (b *booted) reports() {
	b.Helper()
	lines, ids := b.take(1)
	if err := postOnce(b, b.root.Transport(), bootHook, lines[0]); err != nil {
		b.Fatal(err)
	}
	b.come(ids)
}

// with is the same for a subtest.
func (b *booted) with(t *testing.T, test func(b *booted)) {
	outer, root := b.T, b.root
	b.T, b.root = t, root.For(t)
	defer func() { b.T, b.root = outer, root }()
	test(b)
}

// TestIntegrationSystemdBoot runs the unit under a systemd that was booted for it.
func TestIntegrationSystemdBoot(t *testing.T) {
	b := &booted{T: t, root: testroot.Boot(t)}
	b.receiver = b.newReceiver()
	b.lines, b.ids = alerts(t, 1000)
	t.Cleanup(func() {
		if t.Failed() {
			_, out := b.root.Try("journalctl", "--no-pager", "--unit=filelessd*", "--unit=falco*")
			t.Logf("%s", out[max(0, len(out)-20000):])
		}
	})
	b.install()
	b.root.Run("systemctl", "enable", "filelessd.service")
	b.root.Run("systemctl", "start", "filelessd.socket", "filelessd.service")
	for _, test := range []struct {
		name string
		run  func(*booted)
	}{
		{"delivers with a credential", (*booted).reports},
		{"exposure", (*booted).exposure},
		{"check beside it", (*booted).checks},
		{"a post starts it", (*booted).startsByPost},
		{"restart loses nothing", (*booted).restarts},
		{"reload", (*booted).reloads},
		{"watchdog", (*booted).watchdog},
		{"file", (*booted).readsFile},
		{"group", (*booted).asGroup},
		{"root", (*booted).asRoot},
	} {
		t.Run(test.name, func(t *testing.T) { b.with(t, test.run) })
	}
}

// install is what the page says, by hand.
func (b *booted) install() {
	b.Helper()
	program := filepath.Join(b.TempDir(), "filelessd")
	build := exec.CommandContext(b.Context(), "go", "build", "-o", program, "../../cmd/filelessd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	copyFile := func(from, to string, mode os.FileMode) {
		data, err := os.ReadFile(from)
		if err != nil {
			b.Fatal(err)
		}
		b.root.Put(to, mode, data)
	}
	copyFile(program, "/usr/bin/filelessd", 0o755)
	for from, to := range map[string]string{
		"filelessd.service":               "/usr/lib/systemd/system/filelessd.service",
		"filelessd.socket":                "/usr/lib/systemd/system/filelessd.socket",
		"falco-.service.d/filelessd.conf": "/usr/lib/systemd/system/falco-.service.d/filelessd.conf",
		"sysusers.conf":                   "/usr/lib/sysusers.d/filelessd.conf",
		"tmpfiles.conf":                   "/usr/lib/tmpfiles.d/filelessd.conf",
	} {
		copyFile("../../examples/systemd/"+from, to, 0o644)
	}
	b.root.Put("/etc/filelessd/config.yaml", 0o600, b.config(b.receiver))
	b.root.Put("/etc/filelessd/credentials/soc-secret", 0o600, []byte(b.receiver.secret+"\n"))
	b.root.Put("/etc/systemd/system/filelessd.service.d/credentials.conf", 0o644,
		[]byte("[Service]\nLoadCredential=soc-secret:/etc/filelessd/credentials/soc-secret\n"))
	b.root.Run("systemd-sysusers")
	b.root.Run("systemd-tmpfiles", "--create", "filelessd.conf")
	b.root.Run("systemctl", "daemon-reload")
}

// config delivers to that receiver.
func (b *booted) config(to *receiver) []byte {
	return fmt.Appendf(nil, `
grouping: {enabled: false}
reload: {watch: false}
sources:
  hook: {type: falco_http, listen: %s}
  falco: {type: falco_grpc, address: unix:///run/falco/falco.sock}
  file: {type: file, path: /var/log/falco/events.json, from: beginning}
sinks:
  soc:
    type: webhook
    url: %s
    secret: ${file:/run/credentials/filelessd.service/soc-secret}
    retry: {initial: 50ms, max: 500ms, give_up: 72h}
  archive: {type: file, path: /var/log/filelessd/reports.jsonl}
`, bootHook, to.URL)
}

func (b *booted) exposure() {
	b.wantExposure(b.root.Run("systemd-analyze", "security", "--no-pager", "filelessd.service"))
	if user := b.root.Run("stat", "--format=%U", "/proc/"+b.root.Property("filelessd", "MainPID")); user != "filelessd\n" {
		b.Errorf("runs as %q", user)
	}
	if status := b.root.Property("filelessd", "StatusText"); !strings.HasPrefix(status, "3 sources, 2 sinks, 0 reports to deliver") {
		b.Errorf("status %q", status)
	}
}

func (b *booted) wantExposure(out string) {
	b.Helper()
	_, rest, _ := strings.Cut(out, "Overall exposure level for filelessd.service: ")
	exposure, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
	b.Logf("exposure %.1f of 10", exposure)
	if err != nil || exposure >= 2 {
		b.Errorf("exposure %.1f (%v):\n%s", exposure, err, out)
	}
}

// checks: that systemd listens is no reason for `check --connect` to fail.
func (b *booted) checks() {
	code, out := b.root.Try("filelessd", "check", "--connect")
	if !strings.Contains(out, "source hook: systemd listens on "+bootHook) {
		b.Errorf("exit status %d: %s", code, out)
	}
}

// startsByPost: a post to a socket whose daemon does not run starts it, and is answered.
func (b *booted) startsByPost() {
	b.root.Run("systemctl", "stop", "filelessd.service")
	b.reports()
}

func (b *booted) restarts() {
	lines, ids := b.take(600)
	next := make(chan []byte)
	var posters sync.WaitGroup
	for range 4 {
		posters.Go(func() {
			for line := range next {
				if err := postOnce(b, b.root.Transport(), bootHook, line); err != nil {
					b.Errorf("a post: %v", err)
				}
			}
		})
	}
	for i, line := range lines {
		next <- line
		if i == 150 || i == 300 || i == 450 {
			before := b.root.Property("filelessd", "MainPID")
			posters.Go(func() { b.root.Run("systemctl", "restart", "filelessd.service") })
			waitFor(b, "another process", func() bool { now := b.root.Property("filelessd", "MainPID"); return now != before && now != "0" })
		}
	}
	close(next)
	posters.Wait()
	b.come(ids)
}

// watchdog: a process that was stopped is killed, and comes back.
func (b *booted) watchdog() {
	const dropIn = "/etc/systemd/system/filelessd.service.d/watchdog.conf"
	b.root.Put(dropIn, 0o644, []byte("[Service]\nWatchdogSec=4s\n"))
	b.root.Run("systemctl", "daemon-reload")
	b.root.Run("systemctl", "restart", "filelessd.service")
	before := b.root.Property("filelessd", "MainPID")
	b.root.Run("sh", "-c", "kill -STOP "+before)
	waitFor(b, "another process", func() bool {
		now := b.root.Property("filelessd", "MainPID")
		return now != before && now != "0" && b.root.Property("filelessd", "ActiveState") == "active"
	})
	if log := b.root.Run("journalctl", "--no-pager", "--unit=filelessd"); !strings.Contains(log, "Watchdog timeout") {
		b.Error("it was not the watchdog")
	}
	b.reports()
	b.root.Run("rm", dropIn)
	b.root.Run("systemctl", "daemon-reload")
	b.root.Run("systemctl", "restart", "filelessd.service")
}

// readsFile: the file that Falco writes with its umask of 0077 is for filelessd too, and for nobody else.
func (b *booted) readsFile() {
	for _, name := range []string{"events.json.1", "events.json"} { // a new file has the ACL too
		lines, ids := b.take(3)
		b.root.Run("sh", "-c", "cd /var/log/falco; test ! -e events.json || mv events.json "+name+".old")
		if code, out := b.root.Feed(string(bytes.Join(lines, []byte("\n")))+"\n", "sh", "-c", "umask 0077; cat > /var/log/falco/events.json"); code != 0 {
			b.Fatal(out)
		}
		b.come(ids)
		if code, out := b.root.Try("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "cat", "/var/log/falco/events.json"); code == 0 {
			b.Errorf("everybody can read it: %.50s", out)
		}
	}
}
