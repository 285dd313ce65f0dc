//go:build integration

package cli

import (
	"bytes"
	"strings"
)

// reconfigure overwrites the configuration, as an editor does that keeps owner and mode, and reloads.
func (b *booted) reconfigure(config []byte) (code int, out string) {
	b.Helper()
	if code, out := b.root.Feed(string(config), "sh", "-c", "cat > /etc/filelessd/config.yaml"); code != 0 {
		b.Fatal(out)
	}
	return b.root.Try("systemctl", "reload", "filelessd.service")
}

// reloads: what is right is in force when `systemctl reload` returns. What is wrong makes it fail, says so where
// one looks then, and leaves in force what was.
func (b *booted) reloads() {
	process, first := b.root.Property("filelessd", "MainPID"), b.receiver
	b.receiver = b.newReceiver()
	if code, out := b.reconfigure(b.config(b.receiver)); code != 0 {
		b.Fatalf("exit status %d: %s", code, out)
	}
	b.reports()

	broken := bytes.Replace(b.config(first), []byte("type: webhook"), []byte("type: webhok"), 1)
	code, out := b.reconfigure(broken)
	if code == 0 || !strings.Contains(out, "systemctl status filelessd.service") {
		b.Errorf("a broken configuration: exit status %d: %s", code, out)
	}
	const wrong = "unknown type webhok; did you mean webhook?"
	for _, look := range [][]string{
		{"systemctl", "status", "--no-pager", "filelessd.service"},
		{"journalctl", "--no-pager", "--unit=filelessd.service", "--lines=10"},
	} {
		if out := b.root.Run(look...); !strings.Contains(out, "/etc/filelessd/config.yaml:") || !strings.Contains(out, wrong) {
			b.Errorf("%s does not say what is wrong:\n%s", look[0], out)
		}
	}
	b.reports()

	if code, out := b.reconfigure(b.config(first)); code != 0 {
		b.Fatalf("exit status %d: %s", code, out)
	}
	b.receiver = first
	b.reports()
	if now := b.root.Property("filelessd", "MainPID"); now != process {
		b.Errorf("process %s became %s", process, now)
	}
}
