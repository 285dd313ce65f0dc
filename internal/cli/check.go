package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/pkg/sink"
)

type checkCommand struct {
	Config  string `short:"c" placeholder:"FILE" help:"Configuration; without it the one that run would take."`
	Connect bool   `help:"Also try each source and sink. Of a Falco only the version is asked; no alert is taken away."`
}

// connectTimeout bounds one try of a source or sink.
const connectTimeout = 10 * time.Second

// Run validates.
func (c *checkCommand) Run(p *program) error {
	conf, err := p.loadConfig(c.Config)
	if err != nil {
		return usage(err)
	}
	for _, w := range conf.Warnings {
		fmt.Fprintf(p.Stdout, "warning: %s\n", w)
	}
	needs := conf.Needs()
	for _, n := range needs {
		fmt.Fprintf(p.Stdout, "note: %s\n", n)
	}
	if fragment := config.AppendOutput(needs); fragment != "" {
		fmt.Fprintf(p.Stdout, "\nFalco sends those fields with this in falco.yaml (0.39 and later):\n\n%s\n", fragment)
	}
	if c.Connect {
		if err := p.connect(conf); err != nil {
			return usage(err)
		}
	}
	fmt.Fprintf(p.Stdout, "valid: %d sources, %d sinks\n", len(conf.Sources), len(conf.Sinks))
	return nil
}

// connect tries each source and sink and says how it went.
func (p *program) connect(conf *config.Config) error {
	failed := 0
	say := func(what string, message string, err error) {
		if err != nil {
			failed++
			message = err.Error()
		}
		fmt.Fprintf(p.Stdout, "%s: %s\n", what, message)
	}
	for _, name := range slices.Sorted(maps.Keys(conf.Sources)) {
		message, err := p.trySource(conf.Sources[name])
		say("source "+name, message, err)
	}
	for _, name := range slices.Sorted(maps.Keys(conf.Sinks)) {
		message, err := p.trySink(conf.Sinks[name])
		say("sink "+name, message, err)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d can not be reached", failed, len(conf.Sources)+len(conf.Sinks))
	}
	return nil
}

func (p *program) trySource(c config.Source) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, connectTimeout)
	defer cancel()
	env := source.Env{Name: c.Name, Log: zerolog.Nop(), Rejected: func(string) {}, Stamp: source.NewStamp()}
	switch {
	case c.GRPC != nil:
		g, err := source.OpenGRPC(*c.GRPC, env)
		if err != nil {
			return "", err
		}
		if err := g.Probe(ctx); err != nil {
			return "", err
		}
		return g.Status().Peer, nil
	case c.HTTP != nil:
		h, err := source.OpenHTTP(ctx, *c.HTTP, env)
		if errors.Is(err, syscall.EADDRINUSE) && systemdListens(ctx, c.HTTP.Listen) {
			return "systemd listens on " + c.HTTP.Listen + " for it", nil
		}
		if err != nil {
			return "", err
		}
		return "can listen on " + c.HTTP.Listen, h.Close()
	case c.File != nil:
		return tryFile(c.File.Path)
	default:
		return "", errors.New("unknown type")
	}
}

// systemdListens reports whether a .socket unit listens on address, as systemctl says. To connect would
// tell too, but start the daemon.
func systemdListens(ctx context.Context, address string) bool {
	out, err := exec.CommandContext(ctx, "systemctl", "list-sockets", "--no-legend", "--no-pager").Output()
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			if bound, err := netip.ParseAddrPort(fields[0]); err == nil && listen.Same(ctx, address, bound) {
				return true
			}
		}
	}
	return false
}

// tryFile reads nothing. A file that is not there yet is waited for.
func tryFile(path string) (string, error) {
	switch err := source.ProbeFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "waits for " + path + ", which does not exist yet", nil
	case err != nil:
		return "", err
	}
	return "can read " + path, nil
}

func (p *program) trySink(c config.Sink) (message string, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, connectTimeout)
	defer cancel()
	s, err := c.Kind.Open(ctx, c.Config, sink.Env{Name: c.Name, Version: Version(), Render: render.Render, Stdout: p.Stdout, State: new(deliver.Memory)})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	prober, ok := s.(sink.Prober)
	if !ok {
		return "can be opened", nil
	}
	return "reached", prober.Probe(ctx)
}
