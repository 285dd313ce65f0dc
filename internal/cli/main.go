// Package cli is the command line: one file a command. It turns arguments into the parts that do the
// work, and their errors into messages and exit statuses.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // something went wrong while running
	exitUsage  = 2 // wrong usage or configuration
	exitInput  = 3 // done, but some input was bad
)

// IO is what the program has of the world around it.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// StdoutIsTerminal and StderrIsTerminal say who reads along.
	StdoutIsTerminal, StderrIsTerminal bool
	// Columns is how wide the terminal at Stdout is; 0 if that is not known.
	Columns   int
	LookupEnv func(name string) (string, bool)
}

// program is what every command gets.
type program struct {
	IO
	ctx   context.Context
	sinks *sink.Registry

	offline *app.Offline // the log of a daemon that does not run; nil until a command needs it

	stayUntil time.Time // before which a command that failed does not end, unless it is told to
}

type commands struct {
	Run      runCommand      `cmd:"" help:"Run the daemon."`
	Demo     demoCommand     `cmd:"" help:"Play a scenario: a simulated Falco, the daemon, and its reports on the terminal. Needs nothing else."`
	Analyze  analyzeCommand  `cmd:"" help:"Turn Falco's JSON lines into reports on stdout, offline."`
	Check    checkCommand    `cmd:"" help:"Say what is wrong with a configuration."`
	Simulate simulateCommand `cmd:"" help:"Serve alerts over gRPC as a Falco up to 0.43 does, for development and tests."`

	Status      statusCommand      `cmd:"" help:"Say how the running daemon is doing: its sources, sinks and log."`
	Reload      reloadCommand      `cmd:"" help:"Have the running daemon read its configuration again, and say what came of it."`
	Deadletters deadlettersCommand `cmd:"" help:"Reports that a sink refused for good or that were given up: list, show, retry, drop."`
	Explain     explainCommand     `cmd:"" help:"Say what became of one report: where it came from, what it matched, what each sink made of it."`
	Silence     silenceCommand     `cmd:"" help:"Withhold reports for a while: add, list, expire."`
	Store       storeCommand       `cmd:"" help:"The log of reports: check, compact, export."`

	Sinks    sinksCommand    `cmd:"" help:"The kinds of sinks: list them, or print an example of one."`
	TestSink testSinkCommand `cmd:"" help:"Send a test report to one sink of the configuration, and say what the receiver answered."`

	Convert convertCommand `cmd:"" help:"Make a configuration of one of Falcosidekick, and say line by line what changes."`

	Completion completionCommand `cmd:"" help:"Print what a shell has to read to complete the commands: bash, zsh or fish."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// exit carries an exit status through the layers; err is what to say, if anything is left to say.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage is an error of whoever called the program.
func usage(err error) error { return &exit{exitUsage, err} }

// Main runs one command and returns its exit status. It ends early, and in order, when ctx does.
func Main(ctx context.Context, args []string, streams IO, sinks *sink.Registry) int {
	p := &program{IO: streams, ctx: ctx, sinks: sinks}
	var c commands
	asked := false // for help, which kong prints and then wants to end the process
	parser, err := newParser(&c, streams, func(int) { asked = true })
	if err != nil {
		return p.fail(err)
	}
	command, err := parser.Parse(args)
	switch {
	case asked:
		return exitOK
	case err != nil:
		return p.fail(usage(fmt.Errorf("%w (see filelessd --help)", err)))
	}
	err = command.Run(p)
	if p.offline != nil {
		err = errors.Join(err, p.offline.Close())
	}
	code := p.fail(err)
	if code != exitOK {
		p.stay()
	}
	return code
}

// stay waits until stayUntil, or until the program is told to stop.
func (p *program) stay() {
	select {
	case <-p.ctx.Done():
	case <-time.After(time.Until(p.stayUntil)):
	}
}

func newParser(c *commands, streams IO, exit func(int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("filelessd"),
		kong.Description("Takes Falco's alerts, finds fileless execution, and delivers an analysis report of each."),
		kong.Writers(streams.Stdout, streams.Stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

// fail says what went wrong, if anything did, and returns the exit status for it.
func (p *program) fail(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) && p.ctx.Err() != nil {
		return exitOK // told to stop before it had begun
	}
	code := exitFailed
	if e := new(exit); errors.As(err, &e) {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	fmt.Fprintf(p.Stderr, "filelessd: %v\n", err)
	return code
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
