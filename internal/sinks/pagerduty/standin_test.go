package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// standIn plays events.pagerduty.com by its published API (PagerDuty/api-schema, events-v2) and the limits of
// its documentation; where an event breaks one it answers as PagerDuty does, and the test fails.
type standIn struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	status  int
	answer  string // instead of that of the status
	after   string
	cut     bool // the connection, after the event was taken
	got     [][]byte
	alerts  map[string]int // by dedup_key
	held    chan struct{}
	arrived chan struct{}
}

func newStandIn(t *testing.T) (*standIn, Config) {
	s := &standIn{t: t, status: http.StatusAccepted, alerts: map[string]int{}, arrived: make(chan struct{}, 1)}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	c := Kind.Default()
	c.RoutingKey, c.URL, c.Link = key, s.server.URL+"/v2/enqueue", "https://filelessd.example/{id}"
	c.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	if err := os.WriteFile(c.TLS.CAFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.URL.Path != "/v2/enqueue" || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s %v", r.URL, r.Header)
	}
	e, err := check(body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.held; held != nil {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		s.mu.Unlock()
		<-held
		s.mu.Lock()
	}
	if s.after != "" {
		w.Header().Set("Retry-After", s.after)
	}
	if s.status == http.StatusAccepted {
		s.got = append(s.got, body)
		s.alerts[e.DedupKey]++
		if s.cut {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(s.status)
		fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q}`, e.DedupKey)
		return
	}
	w.WriteHeader(s.status)
	if s.answer == "" {
		s.answer = fmt.Sprintf(`{"status":"invalid event","message":"Event object is invalid: %s"}`, e.RoutingKey)
	}
	_, _ = io.WriteString(w, s.answer)
}

// checked is an event as the schema has it.
type checked struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Client     string `json:"client"`
	ClientURL  string `json:"client_url"`
	Links      []struct{ Href, Text string }
	Images     []struct{ Src, Href, Alt string }
	Payload    struct {
		Summary, Timestamp, Severity, Source, Component, Group, Class string
		Details                                                       map[string]string `json:"custom_details"`
	}
}

func check(body []byte) (checked, error) {
	var e checked
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, err
	}
	_, timeErr := time.Parse(time.RFC3339, e.Payload.Timestamp)
	for what, bad := range map[string]bool{
		"Length of 'routing_key' is incorrect (should be 32 characters)": len(e.RoutingKey) != 32,
		"event_action": e.Action != "trigger",
		"dedup_key":    e.DedupKey == "" || sink.UTF16(e.DedupKey) > 255,
		"'summary' is too long (maximum is 1024 characters)": e.Payload.Summary == "" || sink.UTF16(e.Payload.Summary) > 1024,
		"source":    e.Payload.Source == "",
		"severity":  !slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity),
		"timestamp": timeErr != nil,
		"512 KB":    len(body) > 512<<10,
	} {
		if bad {
			return e, fmt.Errorf("invalid event: %s: %.500s", what, body)
		}
	}
	for _, l := range e.Links {
		if u, err := url.Parse(l.Href); err != nil || u.Scheme != "https" {
			return e, fmt.Errorf("the link %q", l.Href)
		}
	}
	return e, nil
}

// medium is an event as PagerDuty shows it.
var medium = sinktest.Medium{
	Texts: func(received []byte) ([]string, error) {
		e, err := check(received)
		if err != nil {
			return nil, err
		}
		p := e.Payload
		shown := []string{p.Summary, p.Source, p.Component, p.Group, p.Class, e.DedupKey}
		for name, value := range p.Details {
			shown = append(shown, name, value)
		}
		return shown, nil
	},
	Pattern: regexp.MustCompile(`[^\[]://`), Longest: maxText, Measure: sink.UTF16, Size: 64 << 10,
}

func (s *standIn) set(status int, answer, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.answer, s.after = status, answer, after
}

func (s *standIn) harness(c Config) sinktest.Harness {
	return sinktest.Harness{
		Open: func() (sink.Sink, error) { return Kind.Open(context.Background(), c, sinktest.Env()) },
		Received: func() [][]byte {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.Clone(s.got)
		},
		Inert:  medium.Inert,
		Accept: func() { s.set(http.StatusAccepted, "", "") },
		Reject: func() { s.set(http.StatusBadRequest, "", "") },
		Throttle: func() time.Duration {
			s.set(http.StatusTooManyRequests, "", "7")
			return 7 * time.Second
		},
		Fail:  func() { s.set(http.StatusInternalServerError, "", "") },
		Leave: s.server.Close,
		Hold: func() (<-chan struct{}, func()) {
			s.mu.Lock()
			defer s.mu.Unlock()
			held := make(chan struct{})
			s.held = held
			return s.arrived, sync.OnceFunc(func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.held = nil
				close(held)
			})
		},
		Secret: key,
	}
}
