package source

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/filelessd/filelessd/internal/listen"
)

const (
	// answerWithin is how long after its headers a request is answered at the latest. Falco blocks
	// all its outputs until it has the answer, whatever that says. 2 s are promised; the rest is
	// for the way there.
	answerWithin = 1900 * time.Millisecond

	headerBound = 5 * time.Second // for TLS's handshake, and for the headers of a request
	writeBound  = 5 * time.Second // for a sender to take its answer, from the headers on

	// senderBound is how long after the last connection was accepted those that are open may take to be
	// done, answers included.
	senderBound = 2 * time.Second

	// idleBound is how long a connection is kept without a request. Falco keeps one, and libcurl
	// does not use one again that was idle for more than 118 s (CURLOPT_MAXAGE_CONN).
	idleBound = 5 * time.Minute

	maxHeader      = 16 << 10
	maxConnections = 4096 // at about 20 KB each
)

// HTTP receives alerts by POST, as Falco's http_output and forwarders send them.
//
// One request carries one alert, a JSON array of them, or JSON lines. It is answered when the
// alerts are on disk: 200, or 400 with what was wrong with some, the others being stored. A sender
// never waits longer than 2 s: then the answer is 503, and storing goes on without it.
type HTTP struct {
	health

	config   HTTPConfig
	listener net.Listener
	small    *semaphore.Weighted // of smallBodies slots
	large    *semaphore.Weighted // of largeBodies slots
	open     *listen.Crowd
	buffers  sync.Pool // of *[]byte with room for smallBody bytes
	gzips    sync.Pool // of *gzip.Reader
}

// OpenHTTP checks c and binds the port, so that a port that is taken stops the start; or it takes the
// socket that systemd has passed for it.
func OpenHTTP(ctx context.Context, c HTTPConfig, env Env) (*HTTP, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	l, err := env.Ports.Open(ctx, c.Listen, c.TLS)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return newHTTP(l, c, env), nil
}

func newHTTP(l net.Listener, c HTTPConfig, env Env) *HTTP {
	h := &HTTP{
		config: c, listener: l, open: listen.NewCrowd(maxConnections),
		small: semaphore.NewWeighted(smallBodies), large: semaphore.NewWeighted(largeBodies),
	}
	h.env = env
	h.enter("listening", "")
	return h
}

// Addr is where it listens.
func (h *HTTP) Addr() net.Addr { return h.listener.Addr() }

// Close frees the port of a source that was never run.
func (h *HTTP) Close() error { return h.listener.Close() }

// Run serves until told ends. Then nothing new is accepted, requests in flight get their answers,
// and what is still being stored for those that already have one may take stopBound.
func (h *HTTP) Run(told context.Context, handle Handle) error {
	ctx, stop := context.WithCancel(told)
	defer stop()
	work, cancel := outlive(ctx)
	defer cancel()
	server := h.server(func(w http.ResponseWriter, r *http.Request) {
		h.serve(work, handle, w, r)
	})
	served := make(chan error, 1)
	go func() {
		defer stop() // should the listener break
		served <- server.Serve(h.listener)
	}()
	<-ctx.Done()
	asked := told.Err() != nil
	_ = h.listener.Close() // Serve says what there is to say
	broken := <-served
	// Shutdown drops a request that comes after it, of a connection that was accepted before. Who is
	// connected still gets an answer, and those behind them wait in the socket, if systemd keeps it.
	server.SetKeepAlivesEnabled(false)
	h.open.Wait(senderBound)
	if err := server.Shutdown(work); err != nil {
		_ = server.Close() // senders that do not take their answers
	}
	// Each body is in a slot until its alerts are stored.
	all := context.WithoutCancel(ctx)
	err := errors.Join(h.small.Acquire(all, smallBodies), h.large.Acquire(all, largeBodies))
	if !asked || !errors.Is(broken, net.ErrClosed) {
		err = fmt.Errorf("serve on %s: %w", h.Addr(), broken)
	}
	return err
}

func (h *HTTP) server(handler http.HandlerFunc) *http.Server {
	return &http.Server{
		Handler:                      handler,
		DisableGeneralOptionsHandler: true, // OPTIONS is answered 405 like all but POST
		ReadHeaderTimeout:            headerBound,
		WriteTimeout:                 writeBound,
		IdleTimeout:                  idleBound,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     log.New(serverLog{&h.health}, "", 0),
		ConnState:                    h.open.State,
	}
}

// serverLog takes what net/http has to say: failed handshakes mostly, which anybody can cause.
type serverLog struct{ health *health }

func (l serverLog) Write(line []byte) (int, error) {
	if held, ok := l.health.mayLog("server", 1); ok {
		l.health.env.Log.Warn().Int("times", held+1).Msg(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}
