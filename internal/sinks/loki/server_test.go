package loki

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

// server is a stand-in for Loki, which holds requests to the limits that Loki has by default and says of
// what it refuses the same words.
type server struct {
	*fixture.Receiver
	t testing.TB

	mu      sync.Mutex
	lines   map[string]line // by stream, time, line and metadata: what is the same twice is stored once
	oldest  time.Time
	longest int
}

type line struct {
	Labels, Metadata map[string]string
	At               time.Time
	Text             string
}

func newServer(t testing.TB, secure bool) *server {
	s := &server{t: t, lines: map[string]line{}, longest: 256 << 10}
	s.Receiver = fixture.NewReceiver(t, secure, s.take)
	return s
}

func (s *server) take(w http.ResponseWriter, r *http.Request, body []byte) (taken [][]byte) {
	if r.Method == http.MethodGet && r.URL.Path == "/loki/api/v1/labels" {
		fmt.Fprint(w, `{"status":"success"}`)
		return nil
	}
	if r.Method != http.MethodPost || r.URL.Path != "/loki/api/v1/push" || r.Header.Get("Content-Type") != "application/json" {
		http.NotFound(w, r)
		return nil
	}
	var push struct {
		Streams []struct {
			Stream map[string]string   `json:"stream"`
			Values [][]json.RawMessage `json:"values"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(body, &push); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refusal := ""
	for _, stream := range push.Streams {
		for _, value := range stream.Values {
			l := line{Labels: stream.Stream}
			if why := s.read(&l, value); why != "" {
				refusal = fmt.Sprintf("entry for stream '%v' has %s", stream.Stream, why)
				continue
			}
			s.lines[fmt.Sprint(l)] = l
			taken = append(taken, []byte(l.Text))
		}
	}
	if refusal != "" {
		http.Error(w, refusal, http.StatusBadRequest)
		return taken
	}
	w.WriteHeader(http.StatusNoContent)
	return taken
}

// read takes one value, and says why Loki would not.
func (s *server) read(l *line, value []json.RawMessage) string {
	var at string
	if len(value) < 2 || len(value) > 3 || json.Unmarshal(value[0], &at) != nil || json.Unmarshal(value[1], &l.Text) != nil {
		s.t.Fatalf("value %s", value)
	}
	ns, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	l.At = time.Unix(0, ns)
	if len(value) == 3 {
		if err := json.Unmarshal(value[2], &l.Metadata); err != nil {
			s.t.Fatal(err)
		}
	}
	size := 0
	for name, text := range l.Metadata {
		size += len(name) + len(text)
	}
	switch {
	case len(l.Labels) == 0 || len(l.Labels) > 15:
		return fmt.Sprintf("%d label names; limit 15", len(l.Labels))
	case size > 64<<10 || len(l.Metadata) > 128:
		return fmt.Sprintf("structured metadata too large: '%d' bytes", size)
	case len(l.Text) > s.longest:
		return fmt.Sprintf("max entry size '%d' bytes exceeded", s.longest)
	case l.At.Before(s.oldest):
		return fmt.Sprintf("timestamp too old: %v, oldest acceptable timestamp is: %v", l.At, s.oldest)
	}
	for name, text := range l.Labels {
		if !labelName.MatchString(name) || text == "" || len(text) > 2048 {
			return fmt.Sprintf("label value too long: '%s'", text)
		}
	}
	return ""
}

func (s *server) stored() (all []line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		all = append(all, l)
	}
	return all
}
