package server

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/pprof" //nolint:gosec // what it adds to http.DefaultServeMux nobody serves
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
)

// PprofConfig is the configuration of the server of profiles.
type PprofConfig struct {
	// Listen is its address, 127.0.0.1:6060 for instance, or unix:///path; empty for none. It has to be
	// on loopback: a profile can show what the program holds in memory, and taking one costs time. A unix
	// socket is for the user that the program runs as, and root.
	Listen string `yaml:"listen"`
}

// Validate says what is wrong with c.
func (c PprofConfig) Validate() error {
	if c.Listen == "" {
		return nil
	}
	unix, err := checkUnixOr(c.Listen)
	if err == nil && !unix && !listen.Loopback(c.Listen) {
		return errors.New("listen: want an address on loopback, or unix:///path: profiles are for those on this machine")
	}
	return err
}

// Pprof serves profiles, and nothing else.
type Pprof struct {
	listener net.Listener
	http     *http.Server
}

// OpenPprof binds the address.
func OpenPprof(ctx context.Context, c PprofConfig, logger zerolog.Logger) (*Pprof, error) {
	var l net.Listener
	var err error
	if path, ok := strings.CutPrefix(c.Listen, unixPrefix); ok {
		l, err = listen.Unix(ctx, path)
	} else {
		l, err = listen.Ports{}.Open(ctx, c.Listen, listen.TLS{})
	}
	if err != nil {
		return nil, err
	}
	// No WriteTimeout: a profile takes as many seconds as were asked for.
	return &Pprof{l, &http.Server{
		Handler: profiles(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(debugLog{logger}, "", 0),
		ConnState: listen.NewCrowd(mostVisitors).State,
	}}, nil
}

// Addr is the address that the server listens on.
func (p *Pprof) Addr() net.Addr { return p.listener.Addr() }

// Run serves until ctx ends, which cuts a profile that is being taken short.
func (p *Pprof) Run(ctx context.Context) error { return serve(ctx, p.http, p.listener) }

// Close ends everything at once, and frees the address if the server was never run.
func (p *Pprof) Close() error {
	err := p.http.Close()
	if closed := p.listener.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	return err
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
