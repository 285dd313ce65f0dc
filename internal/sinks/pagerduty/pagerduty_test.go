package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const key = "0123456789abcdefABCDEF9876543210"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		s, c := newStandIn(t)
		return s.harness(c)
	})
}

func openSink(t testing.TB, c Config) *pagerduty {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*pagerduty)
}

// TestOutcomes: what PagerDuty answers, and what becomes of the report.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		status int
		answer string
		want   string
	}{
		{202, "", "delivered"},
		{400, `{"status":"invalid event","message":"Event object is invalid","errors":["'summary' is too long"]}`, "final"},
		{400, `{"status":"invalid event","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`, "passing"},
		{400, "Invalid routing key", "passing"},
		{403, "", "passing"}, {404, "", "passing"}, {413, "", "final"}, {429, "", "passing"}, {500, "", "passing"}, {503, "", "passing"},
		{301, "", "final"},
	} {
		s, c := newStandIn(t)
		s.set(tt.status, tt.answer, "")
		err := openSink(t, c).Deliver(t.Context(), sinktest.Ordinary())
		got := "passing"
		if err == nil {
			got = "delivered"
		} else if sink.IsPermanent(err) {
			got = "final"
		}
		if got != tt.want {
			t.Errorf("%d %s: %s, want %s: %v", tt.status, tt.answer, got, tt.want, err)
		}
	}
}

// TestCutAfterRead: the event was taken, nobody said so, it comes again and is the same alert; so is what
// follows in its group.
func TestCutAfterRead(t *testing.T) {
	s, c := newStandIn(t)
	to, first, summary := openSink(t, c), sinktest.Ordinary(), sinktest.Summary()
	ctx := sink.WithThreads(t.Context(), map[string]string{first.ID: summary.Group.Key})
	s.mu.Lock()
	s.cut = true
	s.mu.Unlock()
	if err := to.Deliver(ctx, first); err == nil || sink.IsPermanent(err) {
		t.Fatalf("%v", err)
	}
	s.mu.Lock()
	s.cut = false
	s.mu.Unlock()
	if err := errors.Join(to.Deliver(ctx, first), to.Deliver(ctx, summary)); err != nil {
		t.Fatal(err)
	}
	if len(s.alerts) != 1 || s.alerts[summary.Group.Key] < 3 {
		t.Errorf("%v", s.alerts)
	}
}

func TestWrongCA(t *testing.T) {
	s, c := newStandIn(t)
	c.TLS.CAFile = ""
	to := openSink(t, c)
	for _, err := range []error{to.Deliver(t.Context(), sinktest.Ordinary()), to.Probe(t.Context())} {
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") || len(s.got) != 0 {
			t.Errorf("%v", err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.RoutingKey = "" }, "routing_key: missing"},
		{func(c *Config) { c.RoutingKey = sink.Secret(key[1:]) }, "routing_key: want the 32 letters and digits of an integration key (Events API v2)"},
		{func(c *Config) { c.RoutingKey = sink.Secret(key[1:] + "\n") }, "routing_key: want the 32 letters and digits of an integration key (Events API v2)"},
		{func(c *Config) { c.URL = "events.pagerduty.com" }, "url: want a URL that begins with http:// or https://"},
		{func(c *Config) { c.Link = "https://x" }, "link: want {id} in it, for the report's id"},
		{func(c *Config) { c.TLS.KeyFile = "/k" }, "tls: cert_file and key_file go together"},
	} {
		c := Kind.Default()
		c.RoutingKey = key
		tt.change(&c)
		err := c.Validate()
		if err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if shown := fmt.Sprintf("%v %+v %#v %v", c, c, c, err); strings.Contains(shown, key[1:]) {
			t.Errorf("shows the key: %s", shown)
		}
	}
}

// BenchmarkDeliver posts to a server in the same process; the API takes one event at a time.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	c := Kind.Default()
	c.RoutingKey, c.URL = key, server.URL
	s := openSink(b, c)
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Deliver(b.Context(), sinktest.Ordinary()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
