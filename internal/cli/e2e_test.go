package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/event"
)

// asProgram makes the test binary the program itself, so that a test can start it as a process of
// its own and kill it.
const asProgram = "FILELESSD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Main(ctx, os.Args[1:], IO{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
	}, sinks.Builtin()))
}

// process is the program, running.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout bytes.Buffer
	log    *os.File
	ended  chan struct{}
}

// start runs the program; what it logs is shown if the test fails.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	return startCommand(t, append([]string{os.Args[0]}, args...))
}

func startCommand(t testing.TB, args []string, files ...*os.File) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stdout = &p.stdout
	p.cmd.ExtraFiles = files
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p.log, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%v:\n%s", args, p.logged())
		}
		log.Close()
	})
	return p
}

func (p *process) logged() string {
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		p.t.Error(err)
	}
	if len(data) > 20000 {
		data = append(data[:10000:10000], data[len(data)-10000:]...)
	}
	return string(data)
}

// signal sends a signal and waits for the end.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Errorf("%v: %v", s, err)
	}
	<-p.ended
}

func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// waitFor calls ok until it is true.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// freePort is an address that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// daemon is a configuration of the daemon with one webhook.
type testDaemon struct {
	t          testing.TB
	dir        string
	config     string
	hook, http string     // addresses
	under      []string   // a command that runs the daemon, such as strace
	files      []*os.File // from descriptor 3 on
}

// newDaemon writes a configuration; source is the body of the source besides falco_http.
func newDaemon(t testing.TB, url, more string) *testDaemon {
	t.Helper()
	d := &testDaemon{t: t, dir: t.TempDir(), hook: freePort(t), http: freePort(t)}
	d.config = filepath.Join(d.dir, "config.yaml")
	text := fmt.Sprintf(`
data_dir: %s
http: {listen: %s}
grouping: {enabled: false}
sources:
  hook: {type: falco_http, listen: %s}
%s
sinks:
  soc: {type: webhook, url: %s, retry: {initial: 50ms, max: 500ms, give_up: 72h}}
`, filepath.Join(d.dir, "data"), d.http, d.hook, more, url)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// run starts the daemon and waits until it is ready.
func (d *testDaemon) run() *process {
	d.t.Helper()
	p := startCommand(d.t, append(d.under, os.Args[0], "run", "-c", d.config), d.files...)
	waitFor(d.t, "readiness", func() bool {
		select {
		case <-p.ended:
			d.t.Fatalf("the daemon ended: %s", p.cmd.ProcessState)
		default:
		}
		code, _ := d.get("/readyz")
		return code == http.StatusOK
	})
	return p
}

// edit changes the daemon's configuration.
func (d *testDaemon) edit(old, with string) {
	d.t.Helper()
	data, err := os.ReadFile(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		d.t.Fatalf("no %q in\n%s", old, data)
	}
	if err := os.WriteFile(d.config, bytes.ReplaceAll(data, []byte(old), []byte(with)), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *testDaemon) get(path string) (int, string) {
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "http://"+d.http+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// metric returns the value of one line of /metrics.
func (d *testDaemon) metric(name string) string {
	_, body := d.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

// alerts returns n matching alerts, no two the same, and their IDs.
func alerts(t testing.TB, n int) (lines [][]byte, ids []string) {
	t.Helper()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i := range n {
		line := fmt.Appendf(nil, `{"hostname":"node-1","output":"x","output_fields":{"container.id":"host","evt.arg.flags":"EXE_WRITABLE|EXE_FROM_MEMFD",`+
			`"evt.type":"execve","proc.cmdline":"4 --n %d","proc.exepath":"memfd:stage2","proc.name":"4","proc.pname":"fire","user.uid":0},`+
			`"priority":"Critical","rule":%q,"source":"syscall","tags":["T1620"],"time":%q}`,
			i, event.StockMemfdRule, event.FormatTime(at.Add(time.Duration(i))))
		e, err := event.Parse(line, at)
		if err != nil {
			t.Fatal(err)
		}
		lines, ids = append(lines, line), append(ids, e.ID())
	}
	return lines, ids
}

// post sends one alert and reports whether it was accepted.
func (d *testDaemon) post(client *http.Client, line []byte) bool {
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.hook+"/", bytes.NewReader(line))
	if err != nil {
		d.t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

func writeLines(t testing.TB, lines [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decode[T any](t testing.TB, doc string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatalf("%v in %q", err, doc)
	}
	return v
}
