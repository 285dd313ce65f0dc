package cli

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// keptSocket has the daemon get its falco_http socket as from systemd: it is there before and after each
// process.
func (d *testDaemon) keptSocket() {
	d.t.Helper()
	l, err := new(net.ListenConfig).Listen(d.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { file.Close(); l.Close() })
	d.edit(d.hook, l.Addr().String())
	d.hook, d.files = l.Addr().String(), []*os.File{file}
	d.under = []string{"/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=filelessd.socket exec "$0" "$@"`}
}

// postOnce posts an alert over a connection of its own, waits as long as it takes, and returns what went
// wrong. That the disk was too slow (503) is no business of the socket's: the alert is posted again.
func (d *testDaemon) postOnce(line []byte) error {
	return postOnce(d.t, &http.Transport{DisableKeepAlives: true}, d.hook, line)
}

func postOnce(t testing.TB, transport http.RoundTripper, address string, line []byte) error {
	client := &http.Client{Transport: transport}
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", bytes.NewReader(line))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case resp.StatusCode != http.StatusServiceUnavailable || err != nil:
			return fmt.Errorf("%s: %s (%w)", resp.Status, body, err)
		}
	}
}

// TestSocketOfSystemdKeepsAlerts: posts that come before the daemon, and while it restarts, wait in the
// socket and are answered; every report is delivered.
func TestSocketOfSystemdKeepsAlerts(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	d.keptSocket()
	lines, ids := alerts(t, 600)

	early := make(chan error)
	go func() { early <- d.postOnce(lines[0]) }()
	p := d.run()
	if err := <-early; err != nil {
		t.Errorf("the post before the start: %v", err)
	}

	next := make(chan []byte)
	var posters sync.WaitGroup
	for range 4 {
		posters.Go(func() {
			for line := range next {
				if err := d.postOnce(line); err != nil {
					t.Errorf("a post: %v", err)
				}
			}
		})
	}
	for i, line := range lines[1:] {
		next <- line
		if i == 150 || i == 300 || i == 450 {
			if p.signal(syscall.SIGTERM); p.code() != 0 {
				t.Fatalf("ended with %s", p.cmd.ProcessState)
			}
			p = d.run()
		}
	}
	close(next)
	posters.Wait()
	waitFor(t, "the reports", func() bool { return len(receiver.missing(ids)) == 0 })
	if says := p.logged(); strings.Contains(says, "systemd listens here") {
		t.Errorf("a socket that is used is called unused:\n%s", says)
	}
}

// TestSocketOfSystemdUnused: a socket that the configuration has no use for is named.
func TestSocketOfSystemdUnused(t *testing.T) {
	d := newDaemon(t, newReceiver(t).URL, "")
	d.keptSocket()
	kept := d.hook
	d.edit(d.hook, freePort(t))
	p := d.run()
	waitFor(t, "the warning", func() bool {
		return strings.Contains(p.logged(), `"socket":"filelessd.socket (`+kept+`)"`)
	})
}

// TestWatchdogIsFed: systemd hears from a daemon whose receiver is down, and what its state is.
func TestWatchdogIsFed(t *testing.T) {
	path := t.TempDir() + "/notify"
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "10000000")
	receiver := newReceiver(t)
	receiver.setDown(true)
	d := newDaemon(t, receiver.URL, "")
	d.edit("initial: 50ms, max: 500ms", "initial: 1ms, max: 10ms")
	d.run()
	lines, _ := alerts(t, 1)
	if err := d.postOnce(lines[0]); err != nil {
		t.Fatal(err)
	}
	if err := systemd.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for buf, told := make([]byte, 1000), ""; !strings.Contains(told, "WATCHDOG=1\nSTATUS=1 sources, 1 sinks, 1 reports to deliver: sink soc is down"); {
		n, err := systemd.Read(buf)
		if err != nil {
			t.Fatalf("told %q, and then: %v", told, err)
		}
		told += string(buf[:n]) + "\n"
	}
}
