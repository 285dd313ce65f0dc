//go:build integration

package cli

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// TestIntegrationLogrotate: the file source reads what Falco writes, all of it and none of it twice,
// while logrotate rotates the file, and while both go on without the daemon.
func TestIntegrationLogrotate(t *testing.T) {
	logrotate := testprogram.Find(t, "logrotate", "logrotate")
	for _, c := range []struct {
		name, settings string
		keepAlive      bool // file_output.keep_alive: Falco keeps the file open until SIGUSR1
		pause          bool // nothing is written while logrotate works
	}{
		{name: "create", settings: "create 0600"},
		{name: "create and SIGUSR1", settings: "create 0600\ncompress\ndelaycompress\n", keepAlive: true},
		// What is written between its copy and its cut logrotate itself loses, as its manual says.
		{name: "copytruncate", settings: "copytruncate", keepAlive: true, pause: true},
		{name: "copytruncate and compress", settings: "copytruncate\ncompress", pause: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFalcoFile(t, c.keepAlive)
			receiver := newReceiver(t)
			d := newDaemon(t, receiver.URL, "  file: {type: file, path: "+f.path+", from: beginning}")
			rotate := f.logrotate(logrotate, c.settings, c.pause)
			read := 0
			p := d.run()
			stop := func() {
				waitFor(t, "what was written", func() bool { n, _ := receiver.got(); return n == f.written })
				n, err := strconv.Atoi(d.metric(`filelessd_alerts_received_total{source="file"}`))
				if err != nil {
					t.Fatal(err)
				}
				read += n
				p.signal(syscall.SIGTERM)
			}
			for range 3 {
				f.write(50)
				rotate()
				f.write(50)
			}
			stop()
			for range 2 { // nobody follows the file
				f.write(50)
				rotate()
				f.write(50)
			}
			p = d.run()
			f.write(50)
			rotate()
			f.write(50)
			stop()

			distinct, repeated := receiver.got()
			t.Logf("%d alerts written, %d read, %d reports", f.written, read, distinct)
			if missing := receiver.missing(f.ids[:f.written]); len(missing) != 0 || distinct != f.written {
				t.Errorf("%d of %d are missing", len(missing), f.written)
			}
			if repeated != 0 || read != f.written {
				t.Errorf("%d alerts were read and %d reports repeated; %d were written", read, repeated, f.written)
			}
		})
	}
}

// A falcoFile is Falco's file_output.
type falcoFile struct {
	t       *testing.T
	path    string
	lines   [][]byte
	ids     []string
	written int

	keepAlive bool
	file      *os.File
	reopen    chan os.Signal
}

func newFalcoFile(t *testing.T, keepAlive bool) *falcoFile {
	t.Helper()
	f := &falcoFile{t: t, path: filepath.Join(t.TempDir(), "events.json"), keepAlive: keepAlive, reopen: make(chan os.Signal, 1)}
	f.lines, f.ids = alerts(t, 20_000)
	signal.Notify(f.reopen, syscall.SIGUSR1)
	t.Cleanup(func() {
		signal.Stop(f.reopen)
		if f.file != nil {
			f.file.Close()
		}
	})
	return f
}

// write writes the next n alerts.
func (f *falcoFile) write(n int) {
	f.t.Helper()
	for range n {
		select {
		case <-f.reopen:
			f.close()
		default:
		}
		if f.file == nil {
			var err error
			if f.file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
				f.t.Fatal(err)
			}
		}
		if _, err := f.file.Write(append(f.lines[f.written], '\n')); err != nil {
			f.t.Fatal(err)
		}
		f.written++
		if !f.keepAlive {
			f.close()
		}
	}
}

func (f *falcoFile) close() {
	if f.file == nil {
		return
	}
	if err := f.file.Close(); err != nil {
		f.t.Error(err)
	}
	f.file = nil
}

// logrotate returns a function that runs logrotate, as cron would, while Falco writes on; with
// pause, Falco has nothing to write meanwhile.
func (f *falcoFile) logrotate(program, settings string, pause bool) func() {
	dir := f.t.TempDir()
	config, state := filepath.Join(dir, "conf"), filepath.Join(dir, "state")
	text := fmt.Sprintf("%s {\nrotate 20\n%s\n", f.path, settings)
	if f.keepAlive {
		text += fmt.Sprintf("postrotate\nkill -USR1 %d\nendscript\n", os.Getpid())
	}
	if err := os.WriteFile(config, []byte(text+"}\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		f.t.Helper()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if code, stdout, stderr := runProgram(f.t, program, "-f", "-s", state, config); code != 0 || stderr != "" {
				f.t.Errorf("logrotate: exit status %d: %s%s", code, stdout, stderr)
			}
		}()
		if pause {
			<-ended
			return
		}
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.write(1)
			case <-ended:
				return
			}
		}
	}
}
