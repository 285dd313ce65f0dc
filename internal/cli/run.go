package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/grpclog"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/listen"
)

// defaultConfig is read if no other file is named and it exists.
const defaultConfig = "/etc/filelessd/config.yaml"

type runCommand struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration. Without it /etc/filelessd/config.yaml if it exists, else alerts on 127.0.0.1:2801 and from /run/falco/falco.sock, reports to stdout."`

	Linger time.Duration `placeholder:"DURATION" help:"If the daemon can not start, it ends no earlier than this. For a sidecar: Kubernetes starts the containers behind one only when it has seen it run."`
}

// Run is the daemon.
func (c *runCommand) Run(p *program) error {
	p.stayUntil = time.Now().Add(c.Linger)
	conf, err := p.loadConfig(c.Config)
	if err != nil {
		return usage(err)
	}
	log := newLogger(conf.Log, p.Stderr, p.StderrIsTerminal)
	for _, w := range conf.Warnings {
		log.Warn().Msg(w)
	}
	// A reader of stdout or stderr that goes away is a failed write, not the end of the daemon.
	signal.Ignore(syscall.SIGPIPE)
	p.collectLess()
	// What grpc has to say of a connection, the source says in better words.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	a, err := app.New(p.ctx, app.Options{
		Config: conf, Version: Version(), Stdout: &lockedWriter{w: p.Stdout}, Log: log,
		Load: p.loadAgain(c.Config, conf), Hangup: hangup,
		Sockets: listen.FromSystemd(),
	})
	if err != nil {
		return err
	}
	return a.Run(p.ctx)
}

// collectLess lets the heap grow to three times what is in use before garbage is collected, where Go
// would collect at twice. Little is in use, a few MB, and an alert leaves some 100 KB of garbage behind: in
// a flood that is an eighth of the processor time for a dozen MB. Who sets GOGC knows better.
func (p *program) collectLess() {
	if _, set := p.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(200)
	}
}

// loadConfig reads the file that is named, or the one that is there, or makes do without.
func (p *program) loadConfig(path string) (*config.Config, error) {
	// One that is there and can not be read is a mistake, not a reason to run without.
	if path == "" && !missing(defaultConfig) {
		path = defaultConfig
	}
	if path == "" {
		return config.BuiltIn(p.sinks, fileExists)
	}
	env, err := p.configEnv()
	if err != nil {
		return nil, err
	}
	return config.Load(path, env)
}

// loadAgain returns what reads the configuration of a running daemon again; path is what loadConfig was
// called with, and first what it returned. A daemon that has its configuration from a file never does
// without: one that is away, if only for a moment, is no wish for sinks to go and reports to come to stdout.
func (p *program) loadAgain(path string, first *config.Config) func() (*config.Config, error) {
	path = cmp.Or(first.File(), path)
	return func() (*config.Config, error) {
		// `run -c <(...)` is good for one time. To open that pipe again is to wait for ever.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: not a regular file, so it can not be read again", path)
		}
		conf, err := p.loadConfig(path)
		if err == nil {
			path = conf.File()
		}
		return conf, err
	}
}

func (p *program) configEnv() (config.Env, error) {
	base, err := knowledge.Load()
	if err != nil {
		return config.Env{}, err
	}
	env := config.Env{Lookup: p.LookupEnv, Sinks: p.sinks, Now: time.Now()}
	for _, t := range base.Techniques {
		env.Techniques = append(env.Techniques, string(t.ID))
	}
	return env, nil
}

func newLogger(c config.Log, w io.Writer, terminal bool) zerolog.Logger {
	if c.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !terminal, TimeFormat: time.RFC3339}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
