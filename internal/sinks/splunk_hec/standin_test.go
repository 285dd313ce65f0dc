package splunkhec

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
)

const token = "0b1ff2a4-5e7c-4c7e-9a55-6f0d1c2b3a49"

// standIn plays an event collector by Splunk's published description: its paths, the form of events, and the
// codes of its answers. When it refuses, it repeats the header.
type standIn struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	status   int
	code     int
	header   http.Header
	requests int
	got      [][]byte
	held     chan struct{}
	arrived  chan struct{}
}

func newStandIn(t *testing.T, secure bool) *standIn {
	s := &standIn{t: t, status: http.StatusOK, arrived: make(chan struct{}, 1)}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	t.Cleanup(s.server.Close)
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
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
	answer := func(status, code int, more string) {
		for name, values := range s.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		text := "Success"
		if status != http.StatusOK {
			text = "refused with " + r.Header.Get("Authorization")
		}
		fmt.Fprintf(w, `{"text":%q,"code":%d%s}`, text, code, more)
	}
	switch known := r.Header.Get("Authorization") == "Splunk "+token; {
	case r.Method == http.MethodGet && r.URL.Path == "/services/collector/health":
		if s.status == http.StatusOK && known {
			answer(http.StatusOK, 17, "")
		} else if s.status == http.StatusOK {
			answer(http.StatusBadRequest, 21, "")
		} else {
			answer(s.status, s.code, "")
		}
	case r.Method != http.MethodPost || r.URL.Path != "/services/collector/event":
		answer(http.StatusNotFound, 404, "")
	case !known:
		answer(http.StatusForbidden, 4, "")
	case s.status != http.StatusOK:
		s.requests++
		answer(s.status, s.code, "")
	default:
		s.requests++
		events, code, err := readEvents(body)
		if err != nil {
			answer(http.StatusBadRequest, code, fmt.Sprintf(`,"invalid-event-number":%d`, len(events)))
			return
		}
		s.got = append(s.got, events...)
		answer(http.StatusOK, 0, "")
	}
}

// readEvents takes a request apart as the collector does: objects one behind the other, with or without
// space between.
func readEvents(body []byte) (events [][]byte, code int, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return events, 6, err
		}
		if _, code, err := readEvent(raw); err != nil {
			return events, code, err
		}
		events = append(events, raw)
	}
	if len(events) == 0 {
		return nil, 5, errors.New("no data")
	}
	return events, 0, nil
}

type event struct {
	Time       *float64          `json:"time"`
	Host       string            `json:"host"`
	Source     string            `json:"source"`
	SourceType string            `json:"sourcetype"`
	Index      string            `json:"index"`
	Fields     map[string]string `json:"fields"` // flat
	Event      json.RawMessage   `json:"event"`
}

func readEvent(raw []byte) (event, int, error) {
	var e event
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&e)
	switch {
	case err != nil:
		return e, 6, err
	case e.Time == nil || *e.Time < 1e9 || *e.Time > 1e10:
		return e, 6, errors.New("the time is not in seconds")
	case e.Index != "" && e.Index != "security":
		return e, 7, errors.New("incorrect index")
	case len(e.Event) == 0:
		return e, 12, errors.New("event field is required")
	case string(e.Event) == `""`, string(e.Event) == "null", string(e.Event) == "{}":
		return e, 13, errors.New("event field cannot be blank")
	}
	return e, 0, nil
}

func (s *standIn) answer(status, code int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.code, s.header = status, code, header
}

func (s *standIn) received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *standIn) hold() (<-chan struct{}, func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
	return s.arrived, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = nil
		close(held)
	})
}

func (s *standIn) config() Config {
	c := Kind.Default()
	c.URL, c.Token, c.Index = sink.Secret(s.server.URL), token, "security"
	if cert := s.server.Certificate(); cert != nil {
		c.TLS.CAFile = filepath.Join(s.t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(c.TLS.CAFile, block, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := c.Validate(); err != nil {
		s.t.Fatal(err)
	}
	return c
}
