package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBackend(problems *[]string) Backend {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "x_total"}))
	return Backend{
		Ready:   func() []string { return *problems },
		Summary: func() any { return map[string]string{"sink soc": "down"} },
		Status:  func(context.Context) any { return map[string]string{"last_error": "detail"} },
		Metrics: reg,
	}
}

// ask sends a request to the handler of a server with that configuration.
func ask(t *testing.T, c Config, method, path string, problems []string, header ...string) (int, string, http.Header) {
	t.Helper()
	s := &Server{config: c, backend: newBackend(&problems)}
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	if len(header) > 0 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestAccess(t *testing.T) {
	open := Config{Listen: "127.0.0.1:0"}
	far := Config{Listen: "0.0.0.0:0"}
	guarded := Config{Listen: "0.0.0.0:0", Token: "hush"}
	for _, c := range []struct {
		name   string
		config Config
		path   string
		header []string
		want   int
	}{
		{"loopback", open, "/statusz", nil, 200},
		{"loopback", open, "/metrics", nil, 200},
		{"far, no access configured", far, "/statusz", nil, 404},
		{"far, no access configured", far, "/metrics", nil, 200},
		{"far, no access configured", far, "/healthz", nil, 200},
		{"far, no access configured", far, "/readyz", nil, 200},
		{"token, none shown", guarded, "/statusz", nil, 401},
		{"token, none shown", guarded, "/metrics", nil, 401},
		{"token, none shown", guarded, "/readyz", nil, 200},
		{"token, wrong", guarded, "/statusz", []string{"Authorization", "Bearer hus"}, 401},
		{"token", guarded, "/statusz", []string{"Authorization", "Bearer hush"}, 200},
		{"token as password", guarded, "/metrics", []string{"Authorization", "Basic eDpodXNo"}, 200},
		{"elsewhere", open, "/", nil, 404},
	} {
		code, body, _ := ask(t, c.config, http.MethodGet, c.path, nil, c.header...)
		if code != c.want || strings.Contains(body, "hush") {
			t.Errorf("%s: %s answers %d %s, want %d", c.name, c.path, code, body, c.want)
		}
	}
	if code, _, _ := ask(t, open, http.MethodPost, "/healthz", nil); code != http.StatusMethodNotAllowed {
		t.Errorf("a post is answered %d", code)
	}
}

func TestReadiness(t *testing.T) {
	c := Config{Listen: "0.0.0.0:0"}
	if code, body, _ := ask(t, c, http.MethodGet, "/readyz", nil); code != 200 || !strings.Contains(body, `"ready": true`) || !strings.Contains(body, `"sink soc": "down"`) {
		t.Errorf("ready: %d %s", code, body)
	}
	code, body, header := ask(t, c, http.MethodGet, "/readyz", []string{"the store can not append"})
	if code != 503 || !strings.Contains(body, "can not append") || header.Get("Content-Type") != "application/json" {
		t.Errorf("not ready: %d %s", code, body)
	}
}

func TestRun(t *testing.T) {
	problems := []string{}
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0"}, newBackend(&problems))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), "x_total 0") {
		t.Errorf("metrics: %s", body)
	}
	if _, err := Open(t.Context(), Config{Listen: s.Addr().String()}, newBackend(&problems)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("the same address again: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLogOfNetHTTP: what clients do wrong is not written on stderr past the log.
func TestLogOfNetHTTP(t *testing.T) {
	var text bytes.Buffer
	b := newBackend(new([]string))
	b.Log = zerolog.New(&text).Level(zerolog.DebugLevel)
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0"}, b)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.http.ErrorLog == nil {
		t.Fatal("net/http writes where it likes")
	}
	s.http.ErrorLog.Print("TLS handshake error\n\x1b[2J")
	if want := `{"level":"debug","detail":"TLS handshake error\n\u001b[2J","message":"http"}` + "\n"; text.String() != want {
		t.Errorf("%q", text.String())
	}
}

// TestReloadIsNoBusinessOfBrowsers: a page from elsewhere can have a browser post to this machine, without
// the page's knowing the answer. Nobody but a person at the command line should have the program reload.
func TestReloadIsNoBusinessOfBrowsers(t *testing.T) {
	asked := 0
	b := newBackend(&[]string{})
	b.Reload = func(context.Context) (any, error) {
		asked++
		return "done", nil
	}
	s := &Server{config: Config{Listen: "127.0.0.1:2804", Reload: true}, backend: b}
	for _, c := range []struct {
		header, value string
		want          int
	}{
		{"Origin", "http://evil.example", http.StatusForbidden},
		{"Origin", "null", http.StatusForbidden},
		{"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"Sec-Fetch-Site", "same-site", http.StatusForbidden},
		{"User-Agent", "curl/8", http.StatusOK},
	} {
		before := asked
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:2804/-/reload", nil)
		r.Header.Set(c.header, c.value)
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != c.want || (asked > before) != (c.want == http.StatusOK) {
			t.Errorf("%s %s: %d, reloaded %t", c.header, c.value, w.Code, asked > before)
		}
	}
}

// TestReloadTakesItsTime: deliveries under way can take longer than any other answer may.
func TestReloadTakesItsTime(t *testing.T) {
	b := newBackend(&[]string{})
	b.Reload = func(context.Context) (any, error) { return "done", nil }
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0", Reload: true}, b)
	if err != nil {
		t.Fatal(err)
	}
	s.http.WriteTimeout = 1 // over before anything is written
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr().String()+"/-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
