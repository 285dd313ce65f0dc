package server

import (
	"errors"
	"fmt"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of the plain HTTP server: health, readiness, status and metrics.
type Config struct {
	// Listen is its address; empty for none. Off loopback without token or client certificates it
	// serves /healthz, /readyz and /metrics and nothing else.
	Listen string `yaml:"listen"`
	// Token that a client must show, as a bearer token or as the password of Basic.
	Token sink.Secret `yaml:"token"`
	// TLS of the listener.
	TLS listen.TLS `yaml:"tls"`
	// Reload allows POST /-/reload, which reads the configuration again.
	Reload bool `yaml:"reload"`
}

// DefaultConfig is what a configuration starts from.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:2804"} }

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Listen != "" {
		if err := listen.CheckAddress(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("listen: %w", err))
		}
	}
	return errors.Join(append(errs, c.TLS.Validate())...)
}
