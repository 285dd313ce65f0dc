package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openWebhook(t testing.TB, c Config) *webhook {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*webhook)
}

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
					Inert:    sinktest.CheckJSON,
					Accept:   func() { r.answer(http.StatusNoContent, nil) },
					Reject:   func() { r.answer(http.StatusBadRequest, nil) },
					Throttle: func() time.Duration {
						r.answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}})
						return 7 * time.Second
					},
					Fail:   func() { r.answer(http.StatusServiceUnavailable, nil) },
					Leave:  r.server.Close,
					Hold:   r.hold,
					Secret: token,
				}
			})
		})
	}
}

func TestWire(t *testing.T) {
	address, requests := record(t, http.StatusOK)
	w := openWebhook(t, Config{
		URL:     sink.Secret("http://" + address + "/a%2Fb?x=1#not-sent"),
		Headers: map[string]sink.Secret{"x-team": "blue", "User-Agent": "ours"},
	})
	r := sinktest.Ordinary()
	before := time.Now().Unix()
	if err := w.Deliver(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	body, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got := requests()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	var timestamp int64
	if _, err := fmt.Sscan(got[0].Header.Get("webhook-timestamp"), &timestamp); err != nil {
		t.Error(err)
	}
	if timestamp < before || timestamp > time.Now().Unix() {
		t.Errorf("webhook-timestamp %d, now is %d", timestamp, time.Now().Unix())
	}
	want := seen{
		Method: "POST", URI: "/a%2Fb?x=1", Length: int64(len(body)), Body: string(body),
		Header: http.Header{
			"Content-Type":      {"application/json"},
			"Content-Length":    {fmt.Sprint(len(body))},
			"User-Agent":        {"ours"},
			"Webhook-Id":        {r.ID},
			"Webhook-Timestamp": got[0].Header["Webhook-Timestamp"],
			"X-Team":            {"blue"},
		},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestURLCredentials(t *testing.T) {
	address, requests := record(t, http.StatusOK)
	w := openWebhook(t, Config{URL: sink.Secret("http://operator:hunter2@" + address)})
	if err := w.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	req := http.Request{Header: requests()[0].Header}
	if user, password, _ := req.BasicAuth(); user != "operator" || password != "hunter2" {
		t.Errorf("got %s and %s", user, password)
	}
}

func TestUserAgent(t *testing.T) {
	for version, want := range map[string]string{"": "filelessd", "1.2.3": "filelessd/1.2.3"} {
		if got := (Config{}).header(version).Get("User-Agent"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The example of the specification.
func TestSignature(t *testing.T) {
	key, err := (Config{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}).key()
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A repeat is signed anew: receivers refuse old timestamps.
func TestRepeatKeepsItsID(t *testing.T) {
	w := openWebhook(t, Config{URL: "http://localhost", Secret: "whsec_" + token})
	at := time.Unix(1_800_000_000, 999)
	first := w.request(t.Context(), "id", []byte("body"), at).Header
	second := w.request(t.Context(), "id", []byte("body"), at.Add(time.Minute)).Header
	if first.Get("webhook-id") != "id" || second.Get("webhook-id") != "id" {
		t.Error("the id changed")
	}
	if first.Get("webhook-timestamp") != "1800000000" || second.Get("webhook-timestamp") != "1800000060" {
		t.Errorf("timestamps %s and %s", first.Get("webhook-timestamp"), second.Get("webhook-timestamp"))
	}
	if first.Get("webhook-signature") == second.Get("webhook-signature") {
		t.Error("the signature did not change with the timestamp")
	}
}

func TestAnswers(t *testing.T) {
	for status, class := range map[int]string{
		200: "accepted", 204: "accepted", 301: "final", 307: "final", 400: "final", 401: "passing", 403: "passing",
		404: "passing", 408: "passing", 410: "final", 413: "final", 425: "passing", 429: "passing", 500: "passing", 503: "passing",
	} {
		address, requests := record(t, status)
		w := openWebhook(t, Config{URL: sink.Secret("http://" + address + "/SECRET-PATH")})
		err := w.Deliver(t.Context(), sinktest.Ordinary())
		got := "passing"
		switch {
		case err == nil:
			got = "accepted"
		case sink.IsPermanent(err):
			got = "final"
		}
		if got != class || len(requests()) != 1 {
			t.Errorf("%d is %s after %d requests, want %s after 1: %v", status, got, len(requests()), class, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("POST http://%s: answered %d", address, status)) {
			t.Errorf("got %v", err)
		}
	}
}

// An answer that never ends neither holds up the delivery nor fills the memory.
func TestEndlessAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	w := openWebhook(t, Config{URL: sink.Secret(server.URL)})
	if err := w.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
}

func TestConnectionClosedWhileIdle(t *testing.T) {
	var connections atomic.Int32
	address := raw(t, func(connection, request int) []byte {
		connections.Store(int32(connection) + 1)
		if connection == 0 && request == 1 {
			return nil
		}
		return []byte("HTTP/1.1 204 No Content\r\n\r\n")
	})
	w := openWebhook(t, Config{URL: sink.Secret("http://" + address)})
	for range 2 {
		if err := w.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Error(err)
		}
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	_ = w.Close()
}

func TestSwitchedProtocol(t *testing.T) {
	address := raw(t, func(int, int) []byte {
		return []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	})
	w := openWebhook(t, Config{URL: sink.Secret("http://" + address)})
	if err := w.Deliver(t.Context(), sinktest.Ordinary()); !sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentDeliveriesShareConnections(t *testing.T) {
	for _, status := range []int{http.StatusNoContent, http.StatusServiceUnavailable} {
		r := newReceiver(t, false)
		r.answer(status, nil)
		w := openWebhook(t, r.config())
		const workers = 16
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for range 20 {
					if err := w.Deliver(t.Context(), sinktest.Ordinary()); (err == nil) != (status/100 == 2) {
						t.Errorf("%d: %v", status, err)
					}
				}
			})
		}
		group.Wait()
		// A delivery that finds no idle connection dials, and may take one that came free meanwhile.
		if n := r.opened.Load(); n > 2*workers {
			t.Errorf("%d: %d deliveries by %d workers took %d connections", status, 20*workers, workers, n)
		}
		_ = w.Close()
	}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name   string
		secure bool
		change func(*Config)
		want   string
	}{
		{"http", false, func(*Config) {}, ""},
		{"https", true, func(*Config) {}, ""},
		{"unknown authority", true, func(c *Config) { c.TLS = sink.TLS{} }, "certificate signed by unknown authority"},
		{"another name", true, func(c *Config) { c.TLS.ServerName = "other.test" }, "not other.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, tt.secure)
			config := r.config()
			tt.change(&config)
			err := openWebhook(t, config).Probe(t.Context())
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("shows the secret: %v", err)
			}
		})
	}
	t.Run("sends nothing", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := openWebhook(t, Config{URL: sink.Secret("http://" + l.Addr().String())}).Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if sent, err := io.ReadAll(conn); err != nil || len(sent) != 0 {
			t.Errorf("sent %q, %v", sent, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := newReceiver(t, true)
		if err := openWebhook(t, r.config()).Probe(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenReadsTheFiles(t *testing.T) {
	for want, config := range map[string]Config{
		"url: missing":            {},
		"secret: want whsec_":     {URL: "http://x", Secret: token},
		"tls.ca_file: open /none": {URL: "http://x", TLS: sink.TLS{CAFile: "/none"}},
	} {
		if _, err := Kind.Open(t.Context(), config, sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
