// Package exec is the sink that runs a program for each report, with the report on its standard
// input. There is no shell, and neither arguments nor environment hold what an alert says, so that
// an attacker has nothing to put a command into: what the program does with its input is its own.
package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "exec",
	Summary: "runs a program with the report on its standard input",
	Default: func() Config { return Config{Directory: "/", Output: sink.Output{Format: "json"}} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	render, err := c.Render(env)
	if err != nil {
		return nil, err
	}
	e := &execSink{command: c.Command, directory: c.Directory, render: render}
	e.environ, e.secrets = c.environ(env.Name)
	// A program that is missing is a mistake in the configuration, like a file of certificates.
	return e, e.check()
}

type execSink struct {
	command   []string
	directory string
	environ   []string
	secrets   []sink.Secret
	render    func(*report.Report) ([]byte, error)
}

// Deliver runs the program and waits for it. When ctx ends, the program is killed with all that it
// started and that is still in its process group.
func (e *execSink) Deliver(ctx context.Context, r *report.Report) error {
	body, err := e.render(r)
	if err != nil {
		return sink.Permanent(err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("run %s: %w", e.command[0], err)
	}
	return e.run(ctx, r, body)
}

// exitData is EX_DATAERR of sysexits.h: the input can not be taken, at no time.
const exitData = 65

func (e *execSink) run(ctx context.Context, r *report.Report, body []byte) error {
	var said beginning
	cmd := exec.CommandContext(ctx, e.command[0], e.command[1:]...) //nolint:gosec // what the operator configured
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.directory, bytes.NewReader(body), &said, &said
	cmd.Env = append(e.environ[:len(e.environ):len(e.environ)],
		"FILELESSD_ID="+r.ID, "FILELESSD_KIND="+string(r.Kind), "FILELESSD_SEVERITY="+string(r.Severity))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = killGroup
	// What left the group can hold the pipes open. It is not waited for.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", e.command[0], err)
	}
	_ = cmd.Wait() // the state says what happened
	// What the program left behind goes with it: nobody would ever end it, and the next report starts more.
	// The group's number is not given to another while it has members, and no member is no error.
	_ = killGroup()
	state := cmd.ProcessState
	switch {
	case state.Success():
		return nil
	case state.ExitCode() == exitData:
		return sink.Permanent(e.failed(errors.New(state.String()), &said))
	case ctx.Err() != nil && !state.Exited():
		return e.failed(fmt.Errorf("killed: %w", context.Cause(ctx)), &said)
	default:
		return e.failed(errors.New(state.String()), &said)
	}
}

// failed is an error with the beginning of what the program said, which can repeat its secrets and
// the report.
func (e *execSink) failed(err error, said *beginning) error {
	const most = 300
	text := sink.Hide(errors.New(said.String()), e.secrets...).Error()
	text = report.Visible(strings.Join(strings.Fields(text), " "))
	if text == "" {
		return fmt.Errorf("run %s: %w", e.command[0], err)
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Errorf("run %s: %w: %q", e.command[0], err, text)
}

// Probe says whether the program and the directory are there. It runs nothing.
func (e *execSink) Probe(context.Context) error { return e.check() }

func (e *execSink) check() error {
	if _, err := exec.LookPath(e.command[0]); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	if err := syscall.Access(e.directory+"/.", 1); err != nil { // to enter it
		return fmt.Errorf("directory: %s: %w", e.directory, err)
	}
	return nil
}

// Close does nothing: no program runs when no Deliver does.
func (e *execSink) Close() error { return nil }

// beginning keeps the beginning of what a program writes, for the error. The rest is read and
// dropped: a program that is not listened to would wait for ever.
type beginning struct{ bytes.Buffer }

const maxSaid = 4 << 10

func (b *beginning) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), maxSaid-b.Len())])
	return len(p), nil
}
