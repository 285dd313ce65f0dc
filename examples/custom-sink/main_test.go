package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// TestNtfy runs the suite that every sink passes.
func TestNtfy(t *testing.T) { sinktest.Run(t, newHarness) }

func newHarness(t *testing.T) sinktest.Harness {
	s := &server{arrived: make(chan struct{}, 100)}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c := config{URL: sink.Secret(web.URL + "/topic-0123456789"), Token: "tk_secret0123456789"}
	return sinktest.Harness{
		Open:     func() (sink.Sink, error) { return open(t.Context(), c, sinktest.Env()) },
		Received: s.all,
		Inert: func(r *report.Report, received []byte) error {
			return sinktest.CheckText(r, received)
		},
		Accept:   func() { s.answer(http.StatusOK) },
		Reject:   func() { s.answer(http.StatusBadRequest) },
		Throttle: func() time.Duration { s.answer(http.StatusTooManyRequests); return 7 * time.Second },
		Fail:     func() { s.answer(http.StatusBadGateway) },
		Leave:    web.Close,
		Hold:     s.hold,
		Secret:   "tk_secret0123456789",
		Lacks:    map[string]string{"Probe": "ntfy has nothing to ask without sending"},
	}
}

// server is the other end: it keeps what it accepts, and repeats its request in every refusal.
type server struct {
	mu      sync.Mutex
	code    int
	bodies  [][]byte
	held    chan struct{}
	arrived chan struct{}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		s.arrived <- struct{}{}
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.code {
	case 0, http.StatusOK:
		s.bodies = append(s.bodies, body)
	default:
		w.Header().Set("Retry-After", "7")
		http.Error(w, r.URL.Path+r.Header.Get("Authorization"), s.code)
	}
}

func (s *server) answer(code int) { s.mu.Lock(); defer s.mu.Unlock(); s.code = code }

func (s *server) all() [][]byte { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.bodies) }

func (s *server) hold() (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return s.arrived, func() { s.mu.Lock(); s.held = nil; s.mu.Unlock(); close(held) }
}
