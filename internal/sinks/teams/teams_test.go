package teams

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTeams(t testing.TB, c Config) *teams {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*teams)
}

// medium is what no text of an alert may do in a card. Texts with markup are those of the
// configuration, or the test of mentions finds more.
func medium(t *testing.T) sinktest.Medium {
	return sinktest.Medium{
		Texts: func(received []byte) ([]string, error) {
			s, err := readCard(received)
			if err != nil {
				return nil, err
			}
			if want := []string{"<at>Jane Doe</at> <at>oncall@example.com</at>"}; len(s.marked) > 0 && !slices.Equal(s.marked, want) {
				t.Errorf("text from which Teams reads markup: %q", s.marked)
			}
			var lines []string
			for _, text := range s.plain { // commands alone have several lines, each of which is one command's
				lines = append(lines, strings.Split(text, "\n")...)
			}
			return lines, nil
		},
		Forbidden: []string{"<at", "</at"},
		Pattern:   regexp.MustCompile(`\{\{(DATE|TIME)\(`),
		Size:      28 << 10,
	}
}

func TestConformance(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				s := newStandIn(t, secure)
				config := s.config()
				return sinktest.Harness{
					Open:     func() (sink.Sink, error) { return Kind.Open(context.Background(), config, sinktest.Env()) },
					Received: s.received,
					Inert:    medium(t).Inert,
					Accept:   func() { s.answer(http.StatusAccepted, "", nil) },
					Reject:   func() { s.answer(http.StatusBadRequest, "InvalidRequestContent", nil) },
					Throttle: func() time.Duration {
						s.answer(http.StatusTooManyRequests, "TooManyRequests", http.Header{"Retry-After": {"7"}})
						return 7 * time.Second
					},
					Fail:   func() { s.answer(http.StatusBadGateway, "NoResponse", nil) },
					Leave:  s.server.Close,
					Hold:   s.hold,
					Secret: token,
				}
			})
		})
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		status    int
		code      string
		permanent bool
		says      string
	}{
		{http.StatusBadRequest, "TriggerInputSchemaMismatch", true, "answered 400"},
		{http.StatusBadRequest, turnedOff, false, "the workflow is turned off or was deleted: POST http"},
		{http.StatusUnauthorized, "DirectApiInvalidAuthorizationScheme", false, "answered 401"},
		{http.StatusForbidden, "Blocked", false, "answered 403"},
		{http.StatusNotFound, "WorkflowNotFound", false, "answered 404"},
		{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", true, "answered 413"},
		{http.StatusTooManyRequests, "TooManyConcurrentRequests", false, "answered 429"},
		{http.StatusInternalServerError, "InternalServerError", false, "answered 500"},
		{http.StatusFound, "Moved", true, "answered 302"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			s := newStandIn(t, false)
			to := openTeams(t, s.config())
			s.answer(tt.status, tt.code, nil)
			err := to.Deliver(t.Context(), sinktest.Ordinary())
			if err == nil || sink.IsPermanent(err) != tt.permanent || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("permanent %v: %v", sink.IsPermanent(err), err)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		status int
		code   string
		want   string // empty for nil
	}{
		{http.StatusAccepted, "", ""},
		{http.StatusNotFound, wrongMethod, ""},
		{http.StatusBadRequest, wrongMethod, ""},
		{http.StatusMethodNotAllowed, "", ""},
		{http.StatusBadRequest, turnedOff, "the workflow is turned off"},
		{http.StatusNotFound, "WorkflowNotFound", "answered 404"},
		{http.StatusUnauthorized, "", "answered 401"},
		{http.StatusFound, "", "answered 302"},
		{http.StatusBadGateway, "", "answered 502"},
	}
	for _, tt := range tests {
		s := newStandIn(t, false)
		s.answer(tt.status, tt.code, nil)
		err := openTeams(t, s.config()).Probe(t.Context())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%d %s: %v", tt.status, tt.code, err)
		}
	}
}

// A certificate of nobody known, or of another name, is a failure that passes: it is mended at the
// receiver or in the configuration, and no report is lost meanwhile.
func TestWrongCertificate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"certificate signed by unknown authority": func(c *Config) { c.TLS = sink.TLS{} },
		"not other.test": func(c *Config) { c.TLS.ServerName = "other.test" },
	} {
		s := newStandIn(t, true)
		config := s.config()
		change(&config)
		err := openTeams(t, config).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("want %s, got %v", want, err)
		}
		if len(s.received()) != 0 {
			t.Error("a report went out")
		}
	}
}

// A connection that is cut after the request was read leaves open whether the card was posted: the
// sink says that it failed, and posts nothing again by itself, though a connection was open before.
func TestCutAfterTheRequest(t *testing.T) {
	s := newStandIn(t, false)
	to := openTeams(t, s.config())
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	reads := 0
	s.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reads++
		panic(http.ErrAbortHandler)
	})
	err := to.Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_ = to.Close()
	s.server.Close()
	if reads != 1 {
		t.Errorf("posted %d times", reads)
	}
}

func TestOpenReadsTheFiles(t *testing.T) {
	for want, config := range map[string]Config{
		"url: missing":            {},
		"tls.ca_file: open /none": {URL: "http://x", TLS: sink.TLS{CAFile: "/none"}},
		"mentions: want NAME":     {URL: "http://x", Mentions: []string{"<"}},
	} {
		if _, err := Kind.Open(t.Context(), config, sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
