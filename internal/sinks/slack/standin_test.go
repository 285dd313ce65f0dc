package slack

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/filelessd/filelessd/pkg/sink"
)

const token = "xoxb-0123456789-s3cr3t"

// standIn plays Slack by its published description: an incoming webhook, chat.postMessage and auth.test, the
// form of messages and of blocks with their limits, and the names of errors. It repeats what it knows of the
// sender when it refuses.
type standIn struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	status  int
	refusal string // error name; empty: accept
	header  http.Header
	got     [][]byte
	posted  []posted
	held    chan struct{}
	arrived chan struct{}
}

// posted is a message as the API has it.
type posted struct {
	message
	ts string
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
	for name, values := range s.header {
		w.Header()[name] = values
	}
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || kind != "application/json" || parameters["charset"] != "utf-8" {
		s.t.Errorf("%s with %s", r.Method, r.Header.Get("Content-Type"))
	}
	switch r.URL.Path {
	case "/services/T000/B000/" + token:
		s.webhook(w, body)
	case "/api/chat.postMessage", "/api/auth.test":
		s.api(w, r, body)
	default:
		http.Error(w, "no_service "+r.URL.Path, http.StatusNotFound)
	}
}

func (s *standIn) webhook(w http.ResponseWriter, body []byte) {
	switch {
	case s.refusal != "":
		http.Error(w, s.refusal, s.status)
	case string(bytes.TrimSpace(body)) == "{}":
		http.Error(w, "no_text", http.StatusBadRequest)
	default:
		if m, err := readMessage(body); err != nil || m.Channel != "" || m.Thread != "" {
			s.t.Errorf("%v: %.500s", err, body)
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		s.got = append(s.got, body)
		_, _ = io.WriteString(w, "ok")
	}
}

func (s *standIn) api(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	refuse := func(name string, more ...string) {
		answer, _ := json.Marshal(map[string]any{"ok": false, "error": name, "response_metadata": map[string]any{"messages": more}})
		_, _ = w.Write(answer)
	}
	switch {
	case s.status != http.StatusOK:
		w.WriteHeader(s.status)
		fmt.Fprintf(w, `{"ok":false,"error":%q,"sent":%q}`, s.refusal, r.Header.Get("Authorization"))
		return
	case s.refusal != "":
		refuse(s.refusal, "[ERROR] for "+r.Header.Get("Authorization"))
		return
	case r.Header.Get("Authorization") != "Bearer "+token:
		refuse("invalid_auth")
		return
	case strings.HasSuffix(r.URL.Path, "auth.test"):
		_, _ = io.WriteString(w, `{"ok":true,"team":"x","user":"filelessd"}`)
		return
	}
	m, err := readMessage(body)
	if err != nil {
		s.t.Errorf("%v: %.500s", err, body)
		refuse("invalid_blocks", err.Error())
		return
	}
	if m.Channel != "C0123456789" {
		refuse("channel_not_found")
		return
	}
	if m.Thread != "" && !slices.ContainsFunc(s.posted, func(p posted) bool { return p.ts == m.Thread && p.Thread == "" }) {
		refuse("thread_not_found")
		return
	}
	ts := fmt.Sprintf("1700000000.%06d", len(s.got))
	s.got, s.posted = append(s.got, body), append(s.posted, posted{message: m, ts: ts})
	fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":%q,"message":{}}`, m.Channel, ts)
}

// readMessage reads a message strictly, by what Slack publishes of blocks.
func readMessage(body []byte) (message, error) {
	var m message
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, err
	}
	if m.Text == "" || m.UnfurlLinks || m.UnfurlMedia || m.LinkNames || m.Parse != "none" || m.Mrkdwn {
		return m, fmt.Errorf("around the blocks: %+v", m)
	}
	if len(m.Blocks) == 0 || len(m.Blocks) > 50 {
		return m, fmt.Errorf("%d blocks", len(m.Blocks))
	}
	all := 0
	for _, b := range m.Blocks {
		texts, longest := b.Elements, 3000
		switch {
		case b.Type == "header" && b.Text != nil && b.Text.Type == "plain_text" && b.Elements == nil:
			texts, longest = []text{*b.Text}, 150
		case b.Type == "section" && b.Text != nil && b.Elements == nil:
			texts = []text{*b.Text}
		case b.Type == "context" && b.Text == nil && len(b.Elements) > 0 && len(b.Elements) <= 10:
		default:
			return m, fmt.Errorf("block %+v", b)
		}
		for _, t := range texts {
			n := len(utf16.Encode([]rune(t.Text)))
			all += n
			if n == 0 || n > longest {
				return m, fmt.Errorf("%s with a text of %d characters", b.Type, n)
			}
			if err := checkText(t); err != nil {
				return m, err
			}
		}
	}
	if all+125*len(m.Blocks) > 13_000 {
		return m, fmt.Errorf("msg_blocks_too_long: %d in %d blocks", all, len(m.Blocks))
	}
	return m, nil
}

var control = regexp.MustCompile(`<([^>]*)>`)

// checkText: only what the configuration says acts.
func checkText(t text) error {
	switch {
	case t.Type == "plain_text" && (t.Emoji == nil || *t.Emoji || t.Verbatim):
		return errors.New("plain text with emoji")
	case t.Type == "mrkdwn" && (t.Emoji != nil || !t.Verbatim):
		return errors.New("markup that is not verbatim")
	case t.Type != "plain_text" && t.Type != "mrkdwn":
		return fmt.Errorf("text of type %q", t.Type)
	}
	for _, found := range control.FindAllStringSubmatch(t.Text, -1) {
		if t.Type == "plain_text" || !slices.Contains(ours, found[1]) && !strings.HasPrefix(found[1], linked) {
			return fmt.Errorf("%s acts", found[0])
		}
	}
	if strings.Count(t.Text, "<") != strings.Count(t.Text, ">") || strings.Count(t.Text, "<") != len(control.FindAllString(t.Text, -1)) {
		return fmt.Errorf("a < or > alone: %.300q", t.Text)
	}
	if regexp.MustCompile(`&(?:$|[^alg])`).MatchString(t.Text) {
		return fmt.Errorf("a & alone: %.300q", t.Text)
	}
	return nil
}

// ours and linked are what config has act.
var ours = []string{"!channel", "@U0123456789", "!subteam^S0123456789"}

const linked = "https://filelessd.example/reports/"

func (s *standIn) answer(status int, refusal string, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.refusal, s.header = status, refusal, header
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

func (s *standIn) config(bot bool) Config {
	c := Kind.Default()
	c.Mentions, c.Link = []string{"channel", "U0123456789", "S0123456789"}, linked+"{id}"
	if bot {
		c.Token, c.Channel, c.APIURL = token, "C0123456789", s.server.URL+"/api"
	} else {
		c.URL = sink.Secret(s.server.URL + "/services/T000/B000/" + token)
	}
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
