// Package daemon is the filelessd program as a function, so that others can build one with kinds of
// sinks of their own:
//
//	func main() {
//		ctx, stop := daemon.Signals()
//		defer stop()
//		sinks := daemon.Builtin()
//		sink.Register(sinks, mine.Kind)
//		os.Exit(daemon.Main(ctx, os.Args[1:], daemon.OS(), sinks))
//	}
package daemon

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"github.com/filelessd/filelessd/internal/cli"
	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/sink"
)

// IO is what the program has of the world around it.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// StdoutIsTerminal and StderrIsTerminal say whether a person reads along.
	StdoutIsTerminal, StderrIsTerminal bool
	// Columns is how wide the terminal at Stdout is; 0 if that is not known.
	Columns   int
	LookupEnv func(name string) (string, bool)
}

// OS is the process's own input, output and environment.
func OS() IO {
	return IO{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		StdoutIsTerminal: isatty.IsTerminal(os.Stdout.Fd()),
		StderrIsTerminal: isatty.IsTerminal(os.Stderr.Fd()),
		Columns:          columns(os.Stdout),
		LookupEnv:        os.LookupEnv,
	}
}

func columns(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// Signals returns a context that ends at SIGINT or SIGTERM. A second signal ends the process at
// once.
func Signals() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Builtin returns a registry of the kinds of sinks that come with filelessd, to which others may be
// added.
func Builtin() *sink.Registry { return sinks.Builtin() }

// Main runs the command that args (without the program's name) ask for, with the kinds of sinks in
// the registry, and returns the exit status: 0 done, 1 failed while running, 2 wrong usage or
// configuration, 3 done but some input was bad. When ctx ends, the daemon stops in order.
func Main(ctx context.Context, args []string, streams IO, kinds *sink.Registry) int {
	return cli.Main(ctx, args, cli.IO(streams), kinds)
}
