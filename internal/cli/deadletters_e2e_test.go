package cli

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// hostile is what a terminal must not get: the ways to clear it, to name it, and to turn text around.
const hostile = "\x1b[2J\x1b]0;owned\x07\u202e\r\n| x |"

// mustRun calls a command in this process and wants it to succeed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := run(t, "", args...)
	if code != 0 || stderr != "" {
		t.Fatalf("%q: exit status %d, %s", args, code, stderr)
	}
	inert(t, stdout)
	return stdout
}

// inert wants text for a terminal to hold nothing that moves it.
func inert(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' && r != '\n' || r == 0x7f || r == '\u202e' || r == '\u009b' {
			t.Errorf("%q is in %q", r, text)
			return
		}
	}
}

func hostileAlert(t *testing.T) (line []byte, id string) {
	t.Helper()
	text := strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`, "\r", `\r`, "\n", `\n`).Replace(hostile)
	line = []byte(`{"hostname":"node` + text + `","output":"x","output_fields":{"evt.type":"execve","proc.exepath":"memfd:` + text +
		`","proc.name":"` + text + `","proc.cmdline":"` + text + `"},"priority":"Critical","rule":"r` + text + `","source":"syscall","time":"2026-11-23T12:00:00Z"}`)
	e, err := event.Parse(line, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return line, e.ID()
}

// TestDeadLetters: a receiver that refuses, an operator who looks, and a receiver that takes.
func TestDeadLetters(t *testing.T) {
	receiver := newReceiver(t)
	receiver.refuse("no " + hostile)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	lines, ids := alerts(t, 3)
	bad, badID := hostileAlert(t)
	for _, line := range append(lines, bad) {
		if !d.post(client, line) {
			t.Fatal("not accepted")
		}
	}
	list := func(args ...string) []app.DeadLetter {
		t.Helper()
		return decode[[]app.DeadLetter](t, mustRun(t, append([]string{"deadletters", "list", "-c", d.config, "-o", "json"}, args...)...))
	}
	waitFor(t, "four dead letters", func() bool { return len(list()) == 4 })
	text := mustRun(t, "deadletters", "list", "-c", d.config)
	for _, want := range append(ids, badID) {
		if !strings.Contains(text, want[:16]) {
			t.Errorf("%s is not in\n%s", want[:16], text)
		}
	}
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 5 || !strings.Contains(lines[1], "400") {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	if text := mustRun(t, "deadletters", "show", badID[:8], "-c", d.config); !strings.Contains(text, "Alert Analysis Report") ||
		!strings.Contains(text, badID) || !strings.Contains(text, `\u202e`) {
		t.Error(text)
	}
	if text := mustRun(t, "explain", badID[:12], "-c", d.config); !strings.Contains(text, "received from source hook at") ||
		!strings.Contains(text, "dead letter") || !strings.Contains(text, "memfd_exec") || !strings.Contains(text, "proc.exepath") {
		t.Error(text)
	}
	shown := decode[[]app.DeadLetter](t, mustRun(t, "deadletters", "show", "--id", ids[0], "--data-dir", filepath.Join(d.dir, "data"), "-o", "json"))
	if len(shown) != 1 || shown[0].Sink != "soc" || len(decode[report.Report](t, string(shown[0].Report)).Actions) == 0 {
		t.Errorf("%d shown, or without what to do", len(shown))
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--sink", "soc"}, 4}, {[]string{"--since", "1h"}, 4}, {[]string{"--since", "2099-01-01"}, 0}, {[]string{"--id", ids[1], "--id", ids[2]}, 2},
	} {
		if got := list(c.args...); len(got) != c.want {
			t.Errorf("%q: %d", c.args, len(got))
		}
	}
	if got := d.metric(`filelessd_dead_letters{sink="soc"}`); got != "4" {
		t.Errorf("%s dead letters", got)
	}

	receiver.refuse("")
	if text := mustRun(t, "deadletters", "retry", "--id", ids[0], "-c", d.config); text != "1 dead letters are tried again\n" {
		t.Error(text)
	}
	waitFor(t, "the first", func() bool { return len(receiver.missing(ids[:1])) == 0 })
	mustRun(t, "deadletters", "drop", badID, "-c", d.config)
	mustRun(t, "deadletters", "retry", "-c", d.config)
	waitFor(t, "the others", func() bool { return len(receiver.missing(ids)) == 0 })
	if distinct, repeated := receiver.got(); distinct != 3 || repeated != 0 {
		t.Errorf("%d reports, %d repeated", distinct, repeated)
	}
	if left := list(); len(left) != 0 {
		t.Errorf("%+v", left)
	}
	if got := d.metric(`filelessd_dead_letters{sink="soc"}`); got != "0" {
		t.Errorf("%s dead letters", got)
	}
	if !strings.Contains(p.logged(), "a dead letter was dropped") {
		t.Error("the drop is not in the log")
	}
	p.signal(syscall.SIGTERM)
	code, _, stderr := run(t, "", "deadletters", "retry", "-c", d.config)
	if code != 1 || !strings.Contains(stderr, "no daemon runs with this data_dir") {
		t.Errorf("%d %s", code, stderr)
	}
}

// TestControlUsage: mistakes are exit status 2, and say what is wanted.
func TestControlUsage(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	d.run()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"deadletters", "drop"}, 2, "--all"},
		{[]string{"deadletters", "list", "--sink", "sco"}, 2, `no sink "sco"`},
		{[]string{"deadletters", "retry", "--sink", "sco"}, 2, `no sink "sco"`},
		{[]string{"deadletters", "list", "--since", "soon"}, 2, "--since"},
		{[]string{"deadletters", "show", "--id", "abc"}, 2, "too short"},
		{[]string{"deadletters", "show", "--id", "abcdefgh"}, 1, "no dead letter abcdefgh"},
		{[]string{"deadletters", "retry", "--id", "abcdefgh"}, 1, "no dead letter abcdefgh"},
		{[]string{"deadletters", "drop", "--id", "abcdefgh"}, 1, "no dead letter abcdefgh"},
		{[]string{"explain", "abc"}, 2, "too short"},
		{[]string{"explain", "abcdefgh"}, 1, "no report abcdefgh"},
		{[]string{"explain"}, 2, "<id>"},
	} {
		code, stdout, stderr := run(t, "", append(c.args, "-c", d.config)...)
		if code != c.code || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("%q: %d %s%s", c.args, code, stdout, stderr)
		}
	}
	if code, _, stderr := run(t, "", "status", "-c", "/nonexistent/x"); code != 2 || !strings.Contains(stderr, "/nonexistent/x") {
		t.Errorf("%d %s", code, stderr)
	}
}

// TestSocket: it belongs to one user, survives a kill, and is not taken from a daemon that lives.
func TestSocket(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	socket := filepath.Join(d.dir, "data", "control.sock")
	for path, want := range map[string]os.FileMode{socket: os.ModeSocket | 0o600, filepath.Dir(socket): os.ModeDir | 0o700} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	// The secrets of the configuration are not needed to find the daemon.
	config, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config+".secret", bytes.Replace(config, []byte("type: webhook,"), []byte("type: webhook, secret: '${NOT_SET_HERE}',"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "status", "-c", d.config+".secret")

	second := start(t, "run", "-c", d.config)
	<-second.ended
	if second.code() != 1 || !strings.Contains(second.logged(), "in use by another filelessd") {
		t.Errorf("%d %s", second.code(), second.logged())
	}
	status := decode[app.Status](t, mustRun(t, "status", "-c", d.config, "-o", "json"))
	if status.Process != p.cmd.Process.Pid || !status.Ready {
		t.Errorf("after a second daemon: %+v", status)
	}
	p.signal(syscall.SIGKILL)
	code, _, stderr := run(t, "", "status", "-c", d.config)
	if code != 1 || !strings.Contains(stderr, "a killed one has left") {
		t.Errorf("%d %s", code, stderr)
	}
	p = d.run()
	mustRun(t, "status", "-c", d.config)
	p.signal(syscall.SIGTERM)
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("after a stop: %v", err)
	}
}

// TestStatus: a sink that is down and a Falco that is not there, for people.
func TestStatus(t *testing.T) {
	receiver := newReceiver(t)
	receiver.setDown(true)
	d := newDaemon(t, receiver.URL, "  falco: {type: falco_grpc, address: 'unix:///nonexistent/falco.sock'}")
	d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	lines, ids := alerts(t, 7)
	for _, line := range lines {
		d.post(client, line)
	}
	waitFor(t, "the breaker", func() bool {
		s := decode[app.Status](t, mustRun(t, "status", "-c", d.config, "-o", "json"))
		return s.Sinks["soc"].BreakerOpen && s.Sinks["soc"].Backlog == 7 && !s.Sinks["soc"].Oldest.IsZero()
	})
	story := mustRun(t, "explain", ids[6], "-c", d.config)
	for _, want := range []string{"received from source hook at", "record 7,", "waiting", "the sink takes nothing since"} {
		if !strings.Contains(story, want) {
			t.Errorf("no %q in\n%s", want, story)
		}
	}
	text := mustRun(t, "status", "-c", d.config)
	for _, want := range []string{
		"ready\n", "falco", "connecting", "no socket at /nonexistent/falco.sock", "hook", "listening", "DOWN for", "503", "log: 7 reports",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
