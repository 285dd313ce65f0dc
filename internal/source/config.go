package source

import (
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/pkg/sink"
)

// GRPCConfig is the configuration of a source of type falco_grpc.
type GRPCConfig struct {
	// Address of Falco's gRPC server: unix:///path, or host:port, which needs tls.
	Address string `yaml:"address"`
	// Mode is how alerts are asked for: get, again and again, or sub, one stream. With an open sub a
	// reload of Falco's configuration can make Falco abort.
	Mode string `yaml:"mode"`
	// Poll is how long to wait before asking again when Falco had nothing.
	Poll time.Duration `yaml:"poll"`
	// TLS for host:port: Falco asks for a client certificate.
	TLS sink.TLS `yaml:"tls"`
	// Quiet is when a Falco that is not heard is a report of its own, of severity high: nobody watches then.
	Quiet GRPCQuiet `yaml:"quiet"`
}

// GRPCQuiet says when a Falco that is asked over gRPC counts as quiet.
type GRPCQuiet struct {
	// Unreachable is how long Falco may give no answer; 0 for ever.
	Unreachable time.Duration `yaml:"unreachable"`
	// Restarts tells when Falco is another process than before: whoever can crash it has a moment
	// without it. Known on a unix socket of the same PID namespace, and with metrics.enabled.
	Restarts bool `yaml:"restarts"`
	// After is how long nothing at all may come, not even Falco's messages about itself; 0 for ever. A
	// Falco with nothing to tell says nothing for days: with metrics.enabled and metrics.output_rule in
	// falco.yaml it speaks every metrics.interval, and three times that is a good value.
	After time.Duration `yaml:"after"`
}

// Quiet says when a Falco that comes by itself counts as quiet.
type Quiet struct {
	// Restarts tells when Falco started anew; with metrics.enabled it says so.
	Restarts bool `yaml:"restarts"`
	// After is how long nothing at all may come, not even Falco's messages about itself; 0 for ever. A
	// Falco with nothing to tell says nothing for days: with metrics.enabled and metrics.output_rule in
	// falco.yaml it speaks every metrics.interval, and three times that is a good value.
	After time.Duration `yaml:"after"`
}

// Rules returns what a Watch goes by.
func (q GRPCQuiet) Rules() QuietRules {
	return QuietRules{After: q.After, Unreachable: q.Unreachable, Restarts: q.Restarts}
}

// Rules returns what a Watch goes by.
func (q Quiet) Rules() QuietRules { return QuietRules{After: q.After, Restarts: q.Restarts} }

func notNegative(name string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: want 0 or more, got %s", name, d)
	}
	return nil
}

// DefaultGRPCConfig is what a configuration starts from.
func DefaultGRPCConfig() GRPCConfig {
	return GRPCConfig{
		Address: "unix:///run/falco/falco.sock", Mode: "get", Poll: 100 * time.Millisecond,
		Quiet: GRPCQuiet{Unreachable: 2 * time.Minute, Restarts: true},
	}
}

// HTTPConfig is the configuration of a source of type falco_http.
type HTTPConfig struct {
	// Listen is the address that Falco's http_output.url names. Beyond loopback it needs a token,
	// mutual TLS, or insecure.
	Listen string `yaml:"listen"`
	// Token that the sender must show: as a bearer token, or as the password of Basic with any user.
	Token sink.Secret `yaml:"token"`
	// TLS of the listener.
	TLS listen.TLS `yaml:"tls"`
	// Insecure allows listening beyond loopback with neither token nor mutual TLS.
	Insecure bool `yaml:"insecure"`
	// Quiet is when a Falco that is not heard is a report of its own, of severity high: nobody watches then.
	Quiet Quiet `yaml:"quiet"`
}

// DefaultHTTPConfig is what a configuration starts from.
func DefaultHTTPConfig() HTTPConfig {
	return HTTPConfig{Listen: "127.0.0.1:2801", Quiet: Quiet{Restarts: true}}
}

// FileConfig is the configuration of a source of type file.
type FileConfig struct {
	// Path of the file that Falco's file_output writes, with json_output: true.
	Path string `yaml:"path"`
	// From is where to begin while no offset is stored: end or beginning.
	From string `yaml:"from"`
	// Quiet is when a Falco that is not heard is a report of its own, of severity high: nobody watches then.
	Quiet Quiet `yaml:"quiet"`
}

// DefaultFileConfig is what a configuration starts from.
func DefaultFileConfig() FileConfig {
	return FileConfig{Path: "/var/log/falco/events.json", From: "end", Quiet: Quiet{Restarts: true}}
}

// Validate says what is wrong with c.
func (c GRPCConfig) Validate() error {
	var errs []error
	if c.Mode != "get" && c.Mode != "sub" {
		errs = append(errs, fmt.Errorf("mode: want get or sub, got %q", c.Mode))
	}
	if c.Poll < time.Millisecond || c.Poll > time.Minute {
		errs = append(errs, fmt.Errorf("poll: want 1ms to 1m, got %s", c.Poll))
	}
	return errors.Join(append(errs, c.validateAddress(), c.TLS.Validate(),
		notNegative("quiet.unreachable", c.Quiet.Unreachable), notNegative("quiet.after", c.Quiet.After))...)
}

// Validate says what is wrong with c.
func (c FileConfig) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("path: missing"))
	}
	if c.From != "end" && c.From != "beginning" {
		errs = append(errs, fmt.Errorf("from: want end or beginning, got %q", c.From))
	}
	return errors.Join(append(errs, notNegative("quiet.after", c.Quiet.After))...)
}

// Validate says what is wrong with c.
func (c HTTPConfig) Validate() error {
	var errs []error
	if err := listen.CheckAddress(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen: %w", err))
	} else if !listen.Loopback(c.Listen) && c.Token == "" && !c.TLS.Mutual() && !c.Insecure {
		errs = append(errs, fmt.Errorf("listen: %s can be reached from other machines: set token or "+
			"tls.client_ca_file, or write insecure: true", c.Listen))
	}
	return errors.Join(append(errs, c.TLS.Validate(), notNegative("quiet.after", c.Quiet.After))...)
}
