package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// The names of the two webhooks.
const (
	tested  = "tested"  // follows the script
	healthy = "healthy" // always answers at once
)

// target is the program under test during one row.
type target struct {
	url     string // of its http_output
	metrics string // URL, or empty
	dir     string
	command []string // empty for one that is only watched
	env     []string
	ready   func(context.Context) bool
	log     *os.File
	own     *rig.Filelessd // nil for another program
	more    string         // what its configuration has at the top
	sinks   []rig.Sink

	process *rig.Process
	pid     int
}

// newTarget prepares the program for a row; urls are those of its webhooks.
func (b *bench) newTarget(ctx context.Context, dir string, s scenario, urls map[string]string) (*target, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	if b.url != "" {
		return b.foreignTarget(dir, log)
	}
	sinks := []rig.Sink{{Name: tested, URL: urls[tested]}}
	if urls[healthy] != "" {
		sinks = append(sinks, rig.Sink{Name: healthy, URL: urls[healthy]})
	}
	more := "grouping: {enabled: false}"
	if s.grouping {
		more = "grouping: {enabled: true, interval: 3s, max_interval: 12s}"
	}
	if s.backlog {
		// That the webhook is down while the log is filled need not hold up the stop.
		more += "\nstore: {max_bytes: 16GiB}\ndrain_timeout: 1s"
	}
	f, err := rig.NewFilelessd(ctx, dir, more, sinks)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &target{
		url: f.URL(), metrics: f.Metrics(), dir: dir, log: log, ready: f.Ready, env: b.env, own: f, more: more, sinks: sinks,
		command: append([]string{b.binary}, f.Args()...),
	}, nil
}

func (b *bench) foreignTarget(dir string, log *os.File) (*target, error) {
	u, err := url.Parse(b.url)
	if err != nil || u.Port() == "" {
		return nil, fmt.Errorf("-url: want http://host:port/, got %q", b.url)
	}
	return &target{
		url: b.url, dir: dir, log: log, command: strings.Fields(b.exec), pid: b.pid,
		ready: func(ctx context.Context) bool { return rig.Listens(ctx, u.Host) },
	}, nil
}

// start starts the program, or makes sure that it is there.
func (t *target) start(ctx context.Context) error {
	rig.CloseIdle()
	if len(t.command) == 0 {
		if !t.ready(ctx) {
			return fmt.Errorf("nobody listens at %s", t.url)
		}
		return nil
	}
	p, err := rig.Start(ctx, t.log, t.env, t.command...)
	if err != nil {
		return err
	}
	t.process, t.pid = p, p.Pid
	if err := p.Ready(ctx, t.ready); err != nil {
		return fmt.Errorf("%w\n%s", err, t.logged())
	}
	return nil
}

// stop ends the program if it was started here.
func (t *target) stop(s syscall.Signal) error {
	if t.process == nil {
		return nil
	}
	return t.process.Stop(s)
}

func (t *target) close() error { return t.log.Close() }

// logged is the end of what the program wrote.
func (t *target) logged() string {
	data, err := os.ReadFile(t.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-3000):])
}

// build compiles filelessd into dir.
func build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "filelessd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/filelessd/filelessd/cmd/filelessd") //nolint:gosec // into a directory of our own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// version asks filelessd for its own.
func (b *bench) version(ctx context.Context) string {
	if b.url != "" {
		return b.url
	}
	cmd := exec.CommandContext(ctx, b.binary, "version") //nolint:gosec // the program under test
	cmd.Env = append(os.Environ(), b.env...)
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
