package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckKnowsSystemdsSocket: a port that systemd keeps for the daemon is no trouble; one that somebody else
// has is.
func TestCheckKnowsSystemdsSocket(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	d := newDaemon(t, newReceiver(t).URL, "")
	d.edit(d.hook, address)
	for listed, want := range map[string]string{
		address:            "source hook: systemd listens on " + address + " for it\n",
		"127.0.0.1:1":      "address already in use",
		"/run/dbus/x.sock": "address already in use",
	} {
		// A systemctl as of 252 speaks.
		dir := t.TempDir()
		script := "#!/bin/sh\necho '" + listed + " filelessd.socket filelessd.service'\n"
		if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		if _, stdout, stderr := run(t, "", "check", "--connect", "-c", d.config); !strings.Contains(stdout, want) {
			t.Errorf("listed %s: %s%s", listed, stdout, stderr)
		}
	}
}
