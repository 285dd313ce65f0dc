//go:build integration

package cli

import (
	"bytes"
	"os"
	"slices"
	"strings"
)

// falco plays alerts from a Falco whose unit has what decides on the socket in Falco's own.
func (b *booted) falco(n int) (ids []string) {
	b.Helper()
	lines, ids := b.take(n)
	b.root.Put("/etc/falco/alerts.jsonl", 0o644, append(bytes.Join(lines, []byte("\n")), '\n'))
	b.root.Put("/usr/lib/systemd/system/falco-modern-bpf.service", 0o644, []byte(`[Service]
Type=simple
User=root
ExecStart=/usr/bin/filelessd simulate --socket /run/falco/falco.sock --events /etc/falco/alerts.jsonl
UMask=0077
ProtectSystem=full
PrivateTmp=true
NoNewPrivileges=yes
`))
	b.root.Run("systemctl", "daemon-reload")
	b.root.Run("systemctl", "restart", "falco-modern-bpf.service")
	return ids
}

// socket returns mode, owner and group of Falco's socket.
func (b *booted) socket() string {
	b.Helper()
	return strings.TrimSpace(b.root.Run("stat", "--format=%A %U %G", "/run/falco/falco.sock"))
}

// talks: reports come from Falco over gRPC, also after its restart, and filelessd is the same process.
func (b *booted) talks(socket string) {
	b.Helper()
	process := b.root.Property("filelessd", "MainPID")
	for range 2 {
		b.come(b.falco(5))
		if got := b.socket(); got != socket {
			b.Errorf("the socket is %s, want %s", got, socket)
		}
	}
	if now := b.root.Property("filelessd", "MainPID"); now != process || now == "0" {
		b.Errorf("the restart of Falco made process %s of %s", now, process)
	}
}

// asGroup: filelessd is a plain user, and its group may connect.
func (b *booted) asGroup() {
	b.talks("srwxrwx--- root filelessd")
	code, out := b.root.Try("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "ls", "/run/falco")
	if code == 0 {
		b.Errorf("everybody gets to the socket: %s", out)
	}
}

// asRoot: Falco is as it comes, filelessd is root without capabilities.
func (b *booted) asRoot() {
	dropIn, err := os.ReadFile("../../examples/systemd/filelessd.service.d/root.conf")
	if err != nil {
		b.Fatal(err)
	}
	b.root.Put("/etc/systemd/system/filelessd.service.d/root.conf", 0o644, dropIn)
	b.root.Run("rm", "/usr/lib/systemd/system/falco-.service.d/filelessd.conf")
	b.root.Run("systemctl", "daemon-reload")
	b.root.Run("systemctl", "restart", "filelessd.service")
	b.talks("srwx------ root filelessd")
	b.reports()
	b.wantExposure(b.root.Run("systemd-analyze", "security", "--no-pager", "filelessd.service"))

	process := "/proc/" + b.root.Property("filelessd", "MainPID")
	if status := b.root.Run("cat", process+"/status"); !strings.Contains(status, "\nUid:\t0\t") || !strings.Contains(status, "\nCapEff:\t0000000000000000\n") ||
		!strings.Contains(status, "\nCapBnd:\t0000000000000000\n") {
		b.Errorf("root without capabilities it is not:\n%s", status)
	}
	seen := strings.Fields(b.root.Run("ls", process+"/root/run", process+"/root/run/systemd"))
	for _, door := range []string{"private", "dbus", "systemd-notify"} {
		if slices.Contains(seen, door) {
			b.Errorf("sees %s in %q", door, seen)
		}
	}
}
