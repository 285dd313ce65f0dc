// Package server is what the program can be asked through: the plain HTTP server that shows how it
// is doing (/healthz, /readyz, /statusz, /metrics) and only reads, and the control socket, which takes
// commands.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
)

// Backend is what the server shows.
type Backend struct {
	// Ready returns what keeps the program from taking alerts; none means ready. A sink or a
	// source in trouble is no reason: an unready pod leaves its Service, and Falco's posts with it.
	Ready func() []string
	// Summary is the state of sources and sinks in a word each, without their error texts.
	Summary func() any
	// Reload reads the configuration again, and says what came of it.
	Reload func(ctx context.Context) (any, error)
	// Status is everything, as JSON.
	Status  func(ctx context.Context) any
	Metrics prometheus.Gatherer
	Log     zerolog.Logger
	// Ports is how the daemon opens its ports.
	Ports listen.Ports
}

// Server serves a Backend.
type Server struct {
	config   Config
	backend  Backend
	listener net.Listener
	http     *http.Server
}

// mostVisitors bounds the connections of a server that is looked at, so that the descriptors that there are
// stay for those that bring alerts, and for the log.
const mostVisitors = 256

// Open binds the address, so that a port in use is known at the start.
func Open(ctx context.Context, c Config, b Backend) (*Server, error) {
	l, err := b.Ports.Open(ctx, c.Listen, c.TLS)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, backend: b, listener: l}
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(debugLog{b.Log}, "", 0), ConnState: listen.NewCrowd(mostVisitors).State,
	}
	return s, nil
}

// debugLog takes what net/http has to say. That is failed handshakes mostly, which anybody can cause any
// number of; on stderr they would stand between the lines of the log, which are JSON.
type debugLog struct{ log zerolog.Logger }

func (l debugLog) Write(line []byte) (int, error) {
	l.log.Debug().Str("detail", strings.TrimSpace(string(line))).Msg("http")
	return len(line), nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error { return serve(ctx, s.http, s.listener) }

func serve(ctx context.Context, s *http.Server, l net.Listener) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close frees the address of a server that was never run.
func (s *Server) Close() error { return s.http.Close() }

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.guard(promhttp.HandlerFor(s.backend.Metrics, promhttp.HandlerOpts{})))
	if s.trusted() {
		mux.Handle("GET /statusz", s.guard(http.HandlerFunc(s.status)))
	}
	if s.trusted() && s.config.Reload {
		// A page from elsewhere can have a browser on this machine post, too.
		mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(s.guard(http.HandlerFunc(s.reload))))
	}
	return mux
}

// trusted reports whether those who can ask may see everything: only this machine can, or they
// show a token or a certificate.
func (s *Server) trusted() bool {
	return listen.Loopback(s.config.Listen) || s.config.Token != "" || s.config.TLS.Mutual()
}

// guard asks for the token, if there is one. Health and readiness stay open: what asks for them
// can often not be told a token.
func (s *Server) guard(h http.Handler) http.Handler {
	if s.config.Token == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listen.Authorized(r, string(s.config.Token)) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="filelessd"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	problems := s.backend.Ready()
	body := struct {
		Ready    bool     `json:"ready"`
		Problems []string `json:"problems"`
		Parts    any      `json:"parts"`
	}{len(problems) == 0, append([]string{}, problems...), s.backend.Summary()}
	code := http.StatusOK
	if !body.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, body)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.backend.Status(r.Context()))
}

// reload answers as Prometheus and Alertmanager do: 200, or 500 with what is wrong with the configuration.
// It takes as long as the deliveries that are under way.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a recorder of a test has none
	did, err := s.backend.Reload(r.Context())
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, Refusal{"the configuration was rejected: " + err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, did)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(data, '\n'))
}
