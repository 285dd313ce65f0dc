//go:build integration

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountData mounts a file system of so many bytes where a daemon keeps its data.
func mountData(t *testing.T, dir string, size int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("size=%d,mode=0700", size))
	if err != nil {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf("FILELESSD_INTEGRATION=1 asks for a small disk: %v", err)
		}
		t.Skipf("a small tmpfs can not be mounted (who may mount can run this test): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// fillUp takes what room a disk has left.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 { // the last block too
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// status posts one alert and returns the answer.
func (d *testDaemon) status(line []byte) (code int, body string) {
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.hook+"/", bytes.NewReader(line))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// filledDisk is a daemon on a small disk, and what became of the alerts that it was sent.
type filledDisk struct {
	*testDaemon
	*testing.T
	lines    [][]byte
	ids      []string
	next     int
	accepted []string
	refused  [][]byte // answered 503
	again    []string // their IDs
}

// untilFull posts until the disk is full and so many alerts were refused.
func (f *filledDisk) untilFull(refusals int) {
	f.Helper()
	for n := 0; n < refusals; f.next++ {
		if f.next == len(f.lines) {
			f.Fatal("the disk did not get full")
		}
		switch code, body := f.status(f.lines[f.next]); code {
		case http.StatusOK:
			f.accepted = append(f.accepted, f.ids[f.next])
		case http.StatusServiceUnavailable:
			n++
			f.refused, f.again = append(f.refused, f.lines[f.next]), append(f.again, f.ids[f.next])
		default:
			f.Fatalf("%d %s", code, body)
		}
	}
}

// wantReady waits until the daemon says that it takes alerts.
func (f *filledDisk) wantReady() {
	f.Helper()
	waitFor(f, "readiness", func() bool { code, _ := f.get("/readyz"); return code == http.StatusOK })
}

// isRefusing fails the test unless the daemon says what is wrong, wherever somebody looks.
func (f *filledDisk) isRefusing(p *process) {
	f.Helper()
	const full = "database or disk is full"
	if code, body := f.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, full) || !strings.Contains(body, "filelessd.db") {
		f.Errorf("readyz: %d %s", code, body)
	}
	if code, body := f.get("/healthz"); code != http.StatusOK {
		f.Errorf("healthz: %d %s", code, body)
	}
	code, text, _ := run(f.T, "", "status", "-c", f.config)
	if code != 1 || !strings.Contains(text, "NOT READY") || !strings.Contains(text, full) {
		f.Errorf("status: %d %s", code, text)
	}
	if text := p.logged(); !strings.Contains(text, full) {
		f.Error("the log does not say that the disk is full")
	}
}

// TestIntegrationFullDiskDaemon: on a full disk alerts are answered 503, and never 200 what is not on the
// disk, which SIGKILL shows; with room again the daemon goes on by itself, and all that was accepted is
// delivered. Nor does a start on the full disk lose any of it.
func TestIntegrationFullDiskDaemon(t *testing.T) {
	receiver := newReceiver(t)
	receiver.setDown(true)
	d := newDaemon(t, receiver.URL, "")
	data := filepath.Join(d.dir, "data")
	mountData(t, data, 12<<20)
	ballast := filepath.Join(data, "ballast")
	lay := func(size int) {
		if err := os.WriteFile(ballast, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	f := &filledDisk{testDaemon: d, T: t}
	f.lines, f.ids = alerts(t, 20_000)
	lay(4 << 20)
	p := d.run()
	f.untilFull(20)
	f.isRefusing(p)
	first := len(f.accepted)

	remove(ballast)
	f.wantReady()
	for i, line := range f.refused {
		if code, body := f.status(line); code != http.StatusOK {
			t.Fatalf("with room again: %d %s", code, body)
		}
		f.accepted = append(f.accepted, f.again[i])
	}
	f.refused, f.again = nil, nil
	f.untilFull(20)
	f.isRefusing(p)
	p.signal(syscall.SIGKILL)

	rest := filepath.Join(data, "rest")
	fillUp(t, rest)
	p = startCommand(t, []string{os.Args[0], "run", "-c", d.config})
	waitFor(t, "the daemon to start or to end on the full disk", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			code, _ := d.get("/readyz")
			return code != 0
		}
	})
	select {
	case <-p.ended:
		if text := p.logged(); p.code() != exitFailed || !strings.Contains(text, data) || !strings.Contains(text, "full") && !strings.Contains(text, "no space left") {
			t.Errorf("exit status %d; %s", p.code(), text)
		}
		t.Logf("it does not start on the full disk: %s", p.logged())
	default:
		t.Log("it starts on the full disk")
		p.signal(syscall.SIGKILL)
	}

	remove(rest)
	moved := filepath.Join(t.TempDir(), "moved") // to a disk with room
	copyDir(t, data, moved)
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config, bytes.ReplaceAll(text, []byte("data_dir: "+data), []byte("data_dir: "+moved)), 0o600); err != nil {
		t.Fatal(err)
	}
	p = d.run()
	receiver.setDown(false)
	waitFor(t, "all that was accepted", func() bool { return len(receiver.missing(f.accepted)) == 0 })
	distinct, _ := receiver.got()
	t.Logf("%d accepted until the disk was full, %d in all, %d delivered", first, len(f.accepted), distinct)
	p.signal(syscall.SIGTERM)
	if p.code() != exitOK || strings.Contains(p.logged(), "damaged") {
		t.Errorf("exit status %d", p.code())
	}
}

// copyDir copies the files of a directory.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIntegrationReadOnlyMount: a data_dir on a file system that is only read says so, and what to do.
func TestIntegrationReadOnlyMount(t *testing.T) {
	d := newDaemon(t, "http://127.0.0.1:1/", "")
	data := filepath.Join(d.dir, "data")
	mountData(t, data, 12<<20)
	d.run().signal(syscall.SIGTERM)
	if err := syscall.Mount("", data, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run"}, {"store", "check"}, {"store", "export"}} {
		code, _, stderr := run(t, "", append(args, "-c", d.config)...)
		if code != exitFailed || !strings.Contains(stderr, "("+data+" has to be on a file system that can be written: remount it, or set data_dir)") {
			t.Errorf("%q: exit status %d; %s", args, code, stderr)
		}
	}
}
