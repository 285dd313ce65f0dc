package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/internal/source"
)

type demoCommand struct {
	Once bool `help:"End after the scenario."`
}

const (
	demoPause = 250 * time.Millisecond // between alerts
	demoRest  = 10 * time.Second       // between scenarios
)

// Run is the whole program in one process: a simulated Falco on a socket, the daemon asking it over
// gRPC, reports on the terminal.
func (c *demoCommand) Run(p *program) (err error) {
	dir, err := os.MkdirTemp("", "filelessd-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	falco := falcosim.New(falcosim.Options{})
	socket := filepath.Join(dir, "falco.sock")
	if err := falco.ListenUnix(socket); err != nil {
		return err
	}
	conf, err := p.demoConfig(dir, socket)
	if err != nil {
		return errors.Join(err, falco.Stop())
	}
	a, err := app.New(p.ctx, app.Options{
		Config: conf, Version: Version(), Stdout: &lockedWriter{w: p.Stdout},
		Log: newLogger(conf.Log, p.Stderr, p.StderrIsTerminal),
	})
	if err != nil {
		return errors.Join(err, falco.Stop())
	}
	fmt.Fprintf(p.Stderr, "A simulated Falco plays %d alerts over gRPC on %s.\n\n", len(falcosim.Scenario()), socket)

	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	playErr := c.play(ctx, falco)
	cancel()
	err = errors.Join(playErr, <-ended, falco.Stop())
	if err == nil {
		fmt.Fprintf(p.Stderr, "\n%d alerts came over gRPC; those that show fileless execution are above.\n", falco.Stats().Sent)
	}
	return err
}

func (p *program) demoConfig(dir, socket string) (*config.Config, error) {
	kind, ok := p.sinks.Kind("stdout")
	if !ok {
		return nil, errors.New("this program has no sink of kind stdout")
	}
	format, err := kind.Decode(func(into any) error { return yaml.Unmarshal([]byte("format: text"), into) })
	if err != nil {
		return nil, err
	}
	conf := config.Default()
	conf.DataDir = filepath.Join(dir, "data")
	conf.HTTP.Listen = ""
	conf.Log = config.Log{Level: "warn", Format: "console"}
	conf.Sources["falco"] = config.Source{Name: "falco", Type: "falco_grpc", GRPC: &source.GRPCConfig{
		Address: "unix://" + socket, Mode: "get", Poll: 100 * time.Millisecond,
	}}
	policy := deliver.DefaultPolicy()
	policy.Concurrency = 1 // one after another, as they came
	conf.Sinks["terminal"] = config.Sink{
		Name: "terminal", Type: kind.Name, Kind: kind, Config: format, Policy: policy,
	}
	return conf, nil
}

// play pushes the scenario, once or until ctx ends, and returns when all of it was asked for.
func (c *demoCommand) play(ctx context.Context, falco *falcosim.Server) error {
	for {
		for _, line := range falcosim.Scenario() {
			stamped, err := falcosim.Stamp(line, time.Now())
			if err != nil {
				return err
			}
			if err := falco.PushJSON(stamped); err != nil {
				return err
			}
			if !sleepUntil(ctx, time.Now().Add(demoPause)) {
				return nil
			}
		}
		if c.Once {
			return waitForEmptyQueue(ctx, falco)
		}
		if !sleepUntil(ctx, time.Now().Add(demoRest)) {
			return nil
		}
	}
}

func waitForEmptyQueue(ctx context.Context, falco *falcosim.Server) error {
	deadline := time.Now().Add(30 * time.Second)
	for falco.Stats().Queued > 0 {
		if time.Now().After(deadline) {
			return errors.New("the daemon did not ask for its alerts within 30 s")
		}
		if !sleepUntil(ctx, time.Now().Add(10*time.Millisecond)) {
			return nil
		}
	}
	return nil
}
