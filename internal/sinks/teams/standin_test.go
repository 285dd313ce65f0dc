package teams

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
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/filelessd/filelessd/pkg/sink"
)

// token is the signature in the URL.
const token = "s3cr3t-signature-of-a-workflow"

// standIn plays the trigger of a workflow: it answers 202 without a body, refuses what is not by the
// published form of messages and of Adaptive Cards 1.2, and repeats the URL when it refuses.
type standIn struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	status  int
	header  http.Header
	code    string // error.code of a refusal
	got     [][]byte
	held    chan struct{}
	arrived chan struct{}
}

func newStandIn(t *testing.T, secure bool) *standIn {
	s := &standIn{t: t, status: http.StatusAccepted, code: "Refused", arrived: make(chan struct{}, 1)}
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
	if held != nil && r.Method == http.MethodPost {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := func(status int, code, why string) {
		for name, values := range s.header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`, code, why+" "+r.RequestURI)
	}
	switch {
	case r.URL.Query().Get("sig") != token:
		refuse(http.StatusUnauthorized, "DirectApiAuthorizationRequired", "the signature is wrong")
	case s.status != http.StatusAccepted:
		refuse(s.status, s.code, "no")
	case r.Method != http.MethodPost:
		refuse(http.StatusNotFound, wrongMethod, "want POST")
	default:
		if err := checkRequest(r.Header, body); err != nil {
			s.t.Errorf("%v: %.2000s", err, body)
			refuse(http.StatusBadRequest, "InvalidBody", err.Error())
			return
		}
		s.got = append(s.got, body)
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *standIn) answer(status int, code string, header http.Header) {
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
	c.URL = sink.Secret(s.server.URL + "/workflows/0a1b/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=" + token)
	c.Mentions = []string{"Jane Doe <jane@example.com>", "oncall@example.com"}
	c.Link = "https://filelessd.example/reports/{id}"
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

// checkRequest says what of the published form a request violates.
func checkRequest(header http.Header, body []byte) error {
	if !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("content type %q", header.Get("Content-Type"))
	}
	if units := len(utf16.Encode([]rune(string(body)))); len(body) > 28<<10 || 2*units > 28<<10 {
		return fmt.Errorf("%d bytes, %d units", len(body), units)
	}
	_, err := readCard(body)
	return err
}

// shown is what a card shows: paragraphs without markup, and texts from which markup is read.
type shown struct {
	plain, marked []string
	ids, targets  []string
	entities      []string // their texts
	buttons       []string
}

// readCard reads a message strictly.
func readCard(body []byte) (shown, error) {
	var m struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string          `json:"contentType"`
			ContentURL  *string         `json:"contentUrl"`
			Content     json.RawMessage `json:"content"`
		} `json:"attachments"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return shown{}, err
	}
	if m.Type != "message" || len(m.Attachments) != 1 ||
		m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || m.Attachments[0].ContentURL != nil {
		return shown{}, errors.New("not a message with one card")
	}
	var card map[string]any
	if err := json.Unmarshal(m.Attachments[0].Content, &card); err != nil {
		return shown{}, err
	}
	var s shown
	if err := s.read(card); err != nil {
		return s, err
	}
	for _, target := range s.targets {
		if !slices.Contains(s.ids, target) {
			return s, fmt.Errorf("a button for %s, which is not there", target)
		}
	}
	if len(s.targets) != len(s.ids) {
		return s, fmt.Errorf("%d hidden parts and %d targets", len(s.ids), len(s.targets))
	}
	return s, nil
}

// properties of the types of Adaptive Cards 1.2 that the sink may use, with the values of enums.
var properties = map[string]map[string][]string{
	"AdaptiveCard":            {"$schema": nil, "version": {"1.2"}, "fallbackText": nil, "msteams": nil, "body": nil, "actions": nil},
	"Container":               {"style": {"attention", "warning", "emphasis", "good", "accent", "default"}, "bleed": nil, "items": nil, "isVisible": nil, "id": nil},
	"RichTextBlock":           {"inlines": nil, "spacing": {"None", "Small", "Default", "Medium", "Large"}, "separator": nil},
	"TextRun":                 {"text": nil, "weight": {"Bolder", "Default"}, "size": {"Small", "Default", "Large"}, "fontType": {"Monospace"}, "isSubtle": nil},
	"TextBlock":               {"text": nil, "wrap": nil},
	"Action.ToggleVisibility": {"title": nil, "targetElements": nil},
	"Action.OpenUrl":          {"title": nil, "url": nil},
}

func (s *shown) read(element map[string]any) error {
	kind, _ := element["type"].(string)
	allowed, ok := properties[kind]
	if !ok {
		return fmt.Errorf("an element of type %q", kind)
	}
	for name, value := range element {
		values, ok := allowed[name]
		if text, _ := value.(string); !ok && name != "type" || values != nil && !slices.Contains(values, text) {
			return fmt.Errorf("%s has %s: %v", kind, name, value)
		}
	}
	if id, ok := element["id"].(string); ok {
		s.ids = append(s.ids, id)
	}
	if fallback, ok := element["fallbackText"].(string); ok {
		s.plain = append(s.plain, fallback)
	}
	switch kind {
	case "TextBlock":
		text, _ := element["text"].(string)
		s.marked = append(s.marked, text)
	case "RichTextBlock":
		s.plain = append(s.plain, "")
	case "TextRun":
		text, _ := element["text"].(string)
		if text == "" {
			return errors.New("a TextRun without text")
		}
		s.plain[len(s.plain)-1] += text
	case "Action.OpenUrl":
		s.buttons = append(s.buttons, fmt.Sprint(element["url"]))
	}
	return s.readInside(element)
}

func (s *shown) readInside(element map[string]any) error {
	if teams, ok := element["msteams"].(map[string]any); ok {
		entities, _ := teams["entities"].([]any)
		for _, e := range entities {
			entity, _ := e.(map[string]any)
			mentioned, _ := entity["mentioned"].(map[string]any)
			if entity["type"] != "mention" || mentioned["id"] == "" || entity["text"] != "<at>"+fmt.Sprint(mentioned["name"])+"</at>" {
				return fmt.Errorf("entity %v", entity)
			}
			s.entities = append(s.entities, fmt.Sprint(entity["text"]))
		}
	}
	targets, _ := element["targetElements"].([]any)
	for _, target := range targets {
		s.targets = append(s.targets, fmt.Sprint(target))
	}
	for _, name := range []string{"body", "items", "inlines", "actions"} {
		list, ok := element[name].([]any)
		if _, there := element[name]; there && (!ok || len(list) == 0) {
			return fmt.Errorf("%v has an empty %s", element["type"], name)
		}
		for _, e := range list {
			child, _ := e.(map[string]any)
			if err := s.read(child); err != nil {
				return err
			}
		}
	}
	return nil
}
