package alertmanager

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// medium is an alert as the receivers of Alertmanager get it.
var medium = sinktest.Medium{Texts: texts, Lines: true, Longest: maxDescription, Measure: sink.Runes, Size: 64 << 10}

func TestConformance(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				r := newReceiver(t, secure)
				config := r.config()
				return sinktest.Harness{
					Open: func() (sink.Sink, error) {
						return Kind.Open(context.Background(), config, sinktest.Env())
					},
					Received: r.received,
					Inert:    medium.Inert,
					Accept:   func() { r.answer(http.StatusOK, "") },
					Reject:   func() { r.answer(http.StatusBadRequest, "") },
					Throttle: func() time.Duration {
						r.answer(http.StatusTooManyRequests, "7")
						return 7 * time.Second
					},
					Fail:   func() { r.answer(http.StatusServiceUnavailable, "") },
					Leave:  r.server.Close,
					Hold:   r.hold,
					Secret: token,
				}
			})
		})
	}
}

// TestOutcomes: what each answer does to the report.
func TestOutcomes(t *testing.T) {
	for status, want := range map[int]string{200: "delivered", 400: "final", 422: "final", 401: "passing", 403: "passing", 404: "passing", 408: "passing", 429: "passing", 500: "passing"} {
		r := newReceiver(t, false)
		r.answer(status, "")
		err := openSink(t, r.config()).Deliver(t.Context(), sinktest.Ordinary())
		got := "passing"
		if err == nil {
			got = "delivered"
		} else if sink.IsPermanent(err) {
			got = "final"
		}
		if got != want || r.requests != 1 {
			t.Errorf("%d: %s after %d requests, want %s: %v", status, got, r.requests, want, err)
		}
	}
}

// TestWrongCA: a certificate that nobody vouches for is passing, and nothing is sent.
func TestWrongCA(t *testing.T) {
	r := newReceiver(t, true)
	c := r.config()
	c.TLS.CAFile = ""
	err := openSink(t, c).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") || r.requests != 0 {
		t.Errorf("%v after %d requests", err, r.requests)
	}
}

// TestCutAfterRead: Alertmanager had it, nobody said so, it comes again and is the same alert.
func TestCutAfterRead(t *testing.T) {
	r := newReceiver(t, false)
	var whole atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if whole.Load() {
			r.ServeHTTP(w, req)
			return
		}
		r.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	c := r.config()
	c.URLs[0] = sink.Secret(strings.Replace(string(c.URLs[0]), r.server.URL, server.URL, 1))
	s := openSink(t, c)
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
		t.Fatalf("%v", err)
	}
	whole.Store(true)
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	if n := len(distinct(t, r.received())); n != 1 {
		t.Errorf("%d alerts", n)
	}
}

// TestBatchIsOneRequest: and the answer to it is that of each, so that each is then tried alone.
func TestBatchIsOneRequest(t *testing.T) {
	r := newReceiver(t, false)
	good, bad, other := sinktest.Ordinary(), sinktest.Summary(), sinktest.Loss()
	s := openSink(t, r.config())
	if errs := s.DeliverBatch(t.Context(), []*report.Report{good, other}); errors.Join(errs...) != nil || r.requests != 1 {
		t.Errorf("%v after %d requests", errs, r.requests)
	}
	r.refuse = bad.ID
	for _, err := range s.DeliverBatch(t.Context(), []*report.Report{good, bad, other}) {
		if !sink.IsPermanent(err) {
			t.Error(err)
		}
	}
}

// TestCluster: every Alertmanager gets the alert, one that takes it is enough, and Probe wants all.
func TestCluster(t *testing.T) {
	one, two := newReceiver(t, false), newReceiver(t, false)
	c := one.config()
	c.URLs = append(c.URLs, two.config().URLs...)
	s := openSink(t, c)
	if err := errors.Join(s.Deliver(t.Context(), sinktest.Ordinary()), s.Probe(t.Context())); err != nil {
		t.Fatal(err)
	}
	if len(one.received()) != 1 || len(two.received()) != 1 {
		t.Errorf("%d and %d", len(one.received()), len(two.received()))
	}
	for _, tt := range []struct {
		one, two    int
		final, good bool
	}{{503, 200, false, true}, {400, 200, false, true}, {400, 503, false, false}, {503, 429, false, false}, {400, 422, true, false}} {
		one.answer(tt.one, "")
		two.answer(tt.two, "9")
		err := s.Deliver(t.Context(), sinktest.Ordinary())
		if (err == nil) != tt.good || sink.IsPermanent(err) != tt.final {
			t.Errorf("%d and %d: %v", tt.one, tt.two, err)
		}
		if want := 9 * time.Second; tt.two == 429 && sink.Delay(err) != want {
			t.Errorf("Delay is %s", sink.Delay(err))
		}
	}
	two.server.Close()
	if err := s.Probe(t.Context()); err == nil {
		t.Error("one is away, and Probe has nothing to say")
	}
}

func TestProxy(t *testing.T) {
	transport := openSink(t, newReceiver(t, false).config()).client.Transport.(*http.Transport)
	if transport.Proxy == nil {
		t.Error("the environment's proxy is not asked")
	}
	if _, err := transport.Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "am.test"}}); err != nil {
		t.Error(err)
	}
}

func TestTargets(t *testing.T) {
	for raw, want := range map[sink.Secret]string{
		"http://am:9093": "http://am:9093/api/v2/alerts", "http://am/": "http://am/api/v2/alerts",
		"https://u:p@am/a%2Fb/?x=1": "https://u:p@am/a%2Fb/api/v2/alerts?x=1",
	} {
		alerts, _, err := Config{URLs: []sink.Secret{raw}}.targets()
		if err != nil || alerts[0].String() != want || !strings.HasPrefix(alerts[0].Path, "/") {
			t.Errorf("%v: %v, want %s", alerts, err, want)
		}
	}
}
