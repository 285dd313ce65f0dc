package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/internal/sinks"
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

// TestLinger: the kubelet starts Falco only when it has seen the sidecar before it run, and it looks once a
// second. A mistake in the configuration is found in less.
func TestLinger(t *testing.T) {
	for _, c := range []struct {
		args       []string
		stop, want time.Duration
	}{
		{nil, time.Hour, 0},
		{[]string{"--linger", "10s"}, time.Hour, 10 * time.Second},
		{[]string{"--linger", "10s"}, 3 * time.Second, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.stop)
			defer cancel()
			var stderr bytes.Buffer
			streams := IO{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr, LookupEnv: os.LookupEnv}
			began := time.Now()
			code := Main(ctx, append([]string{"run", "-c", "/nonexistent/x"}, c.args...), streams, sinks.Builtin())
			if stayed := time.Since(began); stayed != c.want || code != exitUsage || !strings.Contains(stderr.String(), "/nonexistent/x") {
				t.Errorf("%v, told to stop after %v: exit status %d after %v, want after %v; said %q", c.args, c.stop, code, stayed, c.want, &stderr)
			}
		})
	}
}
