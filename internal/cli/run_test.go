package cli

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTellsSystemd: the unit has Type=notify, so systemd waits to be told.
func TestTellsSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	want := func(text string) {
		t.Helper()
		buf := make([]byte, 1000)
		if err := systemd.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := systemd.Read(buf)
			if strings.HasPrefix(string(buf[:n]), "STATUS=") {
				continue
			}
			if err != nil || string(buf[:n]) != text {
				t.Fatalf("systemd was told %q, want %q (%v)", buf[:n], text, err)
			}
			return
		}
	}
	receiver := newReceiver(t)
	p := newDaemon(t, receiver.URL, "").run()
	want("READY=1")
	p.signal(syscall.SIGTERM)
	want("STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000") // drain_timeout, and 5 s
}
