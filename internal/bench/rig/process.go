package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is the program under test, running.
type Process struct {
	Pid   int
	Began time.Time
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a command, with its output going to log.
func Start(ctx context.Context, log *os.File, env []string, command ...string) (*Process, error) {
	if len(command) == 0 {
		return nil, errors.New("no command")
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the operator's command
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	p := &Process{Began: time.Now(), cmd: cmd, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.Pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // the state has what there is to know
		close(p.ended)
	}()
	return p, nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop sends a signal and waits for the end.
func (p *Process) Stop(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// Kill ends the process, if it still runs.
func (p *Process) Kill() error { return p.Stop(syscall.SIGKILL) }

// Terminate asks the process to end.
func (p *Process) Terminate() error { return p.Stop(syscall.SIGTERM) }

// ExitCode is that of an ended process; -1 for one that a signal ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// pollEvery is how often what can only be asked for is asked for.
const pollEvery = 5 * time.Millisecond

// Ready waits until ok says so, and fails if the process ends before or ctx does.
func (p *Process) Ready(ctx context.Context, ok func(context.Context) bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("the program ended before it was ready: %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
	return nil
}

// Answers reports whether a GET of url is answered with 200.
func Answers(ctx context.Context, url string) bool {
	_, err := get(ctx, url)
	return err == nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// An answer that is compressed costs the program under test a megabyte of memory each time.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

// Listens reports whether somebody listens at address.
func Listens(ctx context.Context, address string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// FreePort is a loopback address that nobody listens on.
func FreePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
