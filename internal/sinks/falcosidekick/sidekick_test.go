package falcosidekick

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const password = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"

// sidekick stands in for Falcosidekick, after its handlers.go and types/types.go of August 2026: what
// it refuses, and what it would end with a panic on.
type sidekick struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	status  int // of a proxy before it; 0 is its own answer
	header  http.Header
	got     [][]byte
	held    chan struct{}
	arrived chan struct{}
	user    bool // whether a password is asked for
}

func newSidekick(t *testing.T, secure bool) *sidekick {
	s := &sidekick{t: t, header: http.Header{}, arrived: make(chan struct{}, 1), user: true}
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong\n") })
	mux.HandleFunc("/", s.alert)
	s.server = httptest.NewUnstartedServer(mux)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	t.Cleanup(s.server.Close)
	return s
}

func (s *sidekick) alert(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, given, _ := r.BasicAuth()
	switch {
	case s.user && given != password:
		http.Error(w, "who?", http.StatusUnauthorized)
	case s.status == -1:
		panic(http.ErrAbortHandler)
	case s.status != 0:
		for name, values := range s.header {
			w.Header()[name] = values
		}
		w.WriteHeader(s.status)
		fmt.Fprintf(w, "cannot take this with %v", r.Header)
	case r.Method != http.MethodPost:
		http.Error(w, "Please send with post http method", http.StatusBadRequest)
	default:
		if _, err := read(body); err != nil {
			s.t.Errorf("Falcosidekick refuses it: %v", err)
			http.Error(w, "Please send a valid request body", http.StatusBadRequest)
			return
		}
		s.got = append(s.got, body)
	}
}

// payload is what Falcosidekick decodes.
type payload struct {
	UUID         string         `json:"uuid"`
	Output       string         `json:"output"`
	Priority     string         `json:"priority"`
	Rule         string         `json:"rule"`
	Time         time.Time      `json:"time"`
	OutputFields map[string]any `json:"output_fields"`
	Source       string         `json:"source"`
	Tags         []string       `json:"tags"`
	Hostname     string         `json:"hostname"`
}

func read(body []byte) (p payload, err error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	priorities := []string{"debug", "informational", "notice", "warning", "error", "critical", "alert", "emergency"}
	switch {
	case !slices.Contains(priorities, strings.ToLower(p.Priority)):
		return p, fmt.Errorf("priority %q", p.Priority)
	case p.Rule == "":
		return p, fmt.Errorf("no rule")
	case p.Rule == "Test rule":
		return p, fmt.Errorf("the rule of Falcosidekick's own test")
	case p.Time.IsZero():
		return p, fmt.Errorf("no time")
	case len(p.OutputFields) == 0:
		return p, fmt.Errorf("no output_fields")
	}
	for name, value := range p.OutputFields {
		if _, ok := value.(string); !ok {
			return p, fmt.Errorf("%s is a %T, where outputs take a string", name, value)
		}
	}
	return p, nil
}

// texts is for sinktest.Medium.
func texts(body []byte) ([]string, error) {
	p, err := read(body)
	all := append([]string{p.Output, p.Rule, p.Source, p.Hostname}, p.Tags...)
	for name, value := range p.OutputFields {
		text, _ := value.(string)
		all = append(all, name, text)
	}
	return all, err
}

func (s *sidekick) answer(status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.header = status, header
}

func (s *sidekick) received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *sidekick) hold() (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return s.arrived, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = nil
		close(held)
	}
}

func (s *sidekick) config() Config {
	c := Config{URL: sink.Secret(strings.Replace(s.server.URL, "://", "://operator:"+password+"@", 1) + "/")}
	if cert := s.server.Certificate(); cert != nil {
		c.TLS.CAFile = filepath.Join(s.t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(c.TLS.CAFile, block, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return c
}

func openSink(t testing.TB, c Config) sink.Sink {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	to, err := Kind.Open(t.Context(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	return to
}
