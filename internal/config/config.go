package config

import (
	"crypto/sha256"
	"time"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the whole configuration.
type Config struct {
	// DataDir is where the store and the control socket live. It is made if it does not exist.
	DataDir string `yaml:"data_dir"`
	// Log is what the program says about itself, on stderr.
	Log Log `yaml:"log"`
	// HTTP is the plain server: /healthz, /readyz, /statusz and /metrics.
	HTTP server.Config `yaml:"http"`
	// DrainTimeout is how long delivery may go on once the program was told to stop.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// Store is the log of reports on disk.
	Store store.Config `yaml:"store"`
	// Grouping folds repeats of one attack into summaries, for each sink by itself.
	Grouping deliver.Grouping `yaml:"grouping"`
	// Match says which alerts are fileless execution.
	Match match.Config `yaml:"match"`
	// GRPC is the report service: other programs read the log of reports through it.
	GRPC server.GRPCConfig `yaml:"grpc"`
	// Reload is when a running daemon reads this configuration again by itself.
	Reload Reload `yaml:"reload"`
	// Pprof serves profiles of the program itself, on a listener of their own.
	Pprof server.PprofConfig `yaml:"pprof"`
	// Sources are where alerts come from, by name.
	Sources map[string]Source `yaml:"sources"`
	// Sinks are where reports go, by name.
	Sinks map[string]Sink `yaml:"sinks"`

	// Warnings are remarks on a configuration that is valid, each with its place.
	Warnings []string `yaml:"-"`

	origin *origin // nil if the configuration was not read from a file
}

// Log is how the program logs.
type Log struct {
	// Level is the least urgent level that is logged: debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json, one object a line, or console, for people.
	Format string `yaml:"format"`
}

// Source is a source under its name. Of GRPC, HTTP and File, the one of its type is set.
type Source struct {
	Name, Type string
	Pos        Pos

	GRPC *source.GRPCConfig
	HTTP *source.HTTPConfig
	File *source.FileConfig
}

// Sink is a sink under its name.
type Sink struct {
	Name, Type string
	Pos        Pos

	Kind   sink.AnyKind
	Config sink.Config // of the kind
	Policy deliver.Policy
	When   *when.Program // what Policy.When says

	// Files are those that keys of Config name, with the SHA-256 of what they held.
	Files map[string][sha256.Size]byte
}

// Default returns what a configuration starts from.
func Default() *Config {
	return &Config{
		DataDir:      "/var/lib/filelessd",
		Log:          Log{Level: "info", Format: "json"},
		HTTP:         server.DefaultConfig(),
		DrainTimeout: 10 * time.Second,
		Store:        store.DefaultConfig(),
		Grouping:     deliver.DefaultGrouping(),
		Match:        match.DefaultConfig(),
		Reload:       Reload{Watch: true},
		Sources:      map[string]Source{},
		Sinks:        map[string]Sink{},
	}
}

// FalcoSocket is where Falco's gRPC server listens if its configuration says no more than that it
// is enabled.
const FalcoSocket = "/run/falco/falco.sock"

// BuiltIn returns the configuration of a start without a file: alerts by HTTP on loopback, and by
// gRPC if exists finds Falco's socket; reports to stdout.
func BuiltIn(sinks *sink.Registry, exists func(path string) bool) (*Config, error) {
	c := Default()
	http := source.DefaultHTTPConfig()
	c.Sources["falco_http"] = Source{Name: "falco_http", Type: "falco_http", HTTP: &http}
	if exists(FalcoSocket) {
		grpc := source.DefaultGRPCConfig()
		c.Sources["falco_grpc"] = Source{Name: "falco_grpc", Type: "falco_grpc", GRPC: &grpc}
	}
	if kind, ok := sinks.Kind("stdout"); ok {
		c.Sinks["stdout"] = Sink{
			Name: "stdout", Type: kind.Name, Kind: kind, Config: kind.Default(), Policy: deliver.DefaultPolicy(),
		}
	}
	return c, c.Validate()
}
