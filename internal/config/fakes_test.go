package config

import (
	"context"
	"errors"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

// stdoutConfig and webhookConfig stand for the kinds of sinks that a program brings.
type stdoutConfig struct {
	Format string `yaml:"format"`
}

func (c stdoutConfig) Validate() error { return sink.CheckFormat("format", c.Format) }

type webhookConfig struct {
	URL     string                 `yaml:"url"`
	Secret  sink.Secret            `yaml:"secret"`
	Headers map[string]sink.Secret `yaml:"headers"`
	Tokens  []sink.Secret          `yaml:"tokens"`
	TLS     sink.TLS               `yaml:"tls"`
	Extra   any                    `yaml:"extra"`
	Ratio   float64                `yaml:"ratio"`
	Max     *uint8                 `yaml:"max"`
	Untagged
	Ignored string `yaml:"-"`
}

type Untagged struct{ Plain string }

func (c webhookConfig) Validate() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, errors.New("url: missing"))
	}
	return errors.Join(append(errs, c.TLS.Validate())...)
}

func registry() *sink.Registry {
	r := new(sink.Registry)
	sink.Register(r, sink.Kind[stdoutConfig]{
		Name: "stdout", Default: func() stdoutConfig { return stdoutConfig{Format: "json"} },
		Open: func(context.Context, stdoutConfig, sink.Env) (sink.Sink, error) { return nil, errors.ErrUnsupported },
	})
	sink.Register(r, sink.Kind[*webhookConfig]{
		Name: "webhook", Default: func() *webhookConfig { return &webhookConfig{Ignored: "kept"} },
		Open: func(context.Context, *webhookConfig, sink.Env) (sink.Sink, error) { return nil, errors.ErrUnsupported },
	})
	return r
}

// testEnv reads with the variables of vars, in the middle of 2026.
func testEnv(vars map[string]string) Env {
	return Env{
		Lookup:     func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Sinks:      registry(),
		Techniques: []string{"memfd_exec", "fd_exec"},
		Now:        time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
}
