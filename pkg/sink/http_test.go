package sink_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseURL(t *testing.T) {
	for _, good := range []sink.Secret{
		"http://localhost", "https://hooks.example/T000/SECRET?x=y", "https://user:pass@[::1]:8443/", "HTTP://x",
	} {
		if u, err := sink.ParseURL(good); err != nil || u.Host == "" {
			t.Errorf("%s: %v, %v", string(good), u, err)
		}
	}
	tests := map[sink.Secret]string{
		"":                                   "missing",
		"hooks.example/SECRET":               "want a URL that begins with http:// or https://",
		"ftp://user:SECRET@x/":               "want a URL that begins with http:// or https://",
		"SECRET://x/":                        "want a URL that begins with http:// or https://",
		"https:///SECRET":                    "the URL names no host",
		"https://:443/SECRET":                "the URL names no host",
		"https://x:99999/SECRET":             "the port of the URL is not between 1 and 65535",
		"https://x:0/SECRET":                 "the port of the URL is not between 1 and 65535",
		"https://x:SECRET/":                  "not a URL",
		"https://user:SEC%RET@x/":            "not a URL",
		"https://x/SECRET\nHost: elsewhere ": "not a URL",
	}
	for bad, want := range tests {
		if _, err := sink.ParseURL(bad); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", string(bad), err, want)
		}
	}
}

// Everything that may not stand in an error.
var requestSecrets = []string{"hunter22", "T000B000", "SEC/RET", "SEC%2FRET", "qu3ry-key", "bearer-token-1"}

func secretRequest(ctx context.Context, t *testing.T, address string) *http.Request {
	t.Helper()
	target := "http://operator:hunter22@" + address + "/hook/T000B000/SEC%2FRET?key=qu3ry-key"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer bearer-token-1")
	return req
}

func checkError(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range requestSecrets {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, secret) {
				t.Errorf("shows %q: %s", secret, text)
			}
		}
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("a *url.Error is in the chain of %v", err)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func newClient(t *testing.T, config sink.TLS) *http.Client {
	t.Helper()
	client, err := sink.HTTPClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// listen serves each connection with handle and returns the address.
func listen(t *testing.T, handle func(net.Conn, *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				handle(conn, req)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestDoHidesTheURL(t *testing.T) {
	client := newClient(t, sink.TLS{})

	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		err = sink.Send(client, secretRequest(t.Context(), t, address))
		checkError(t, err, "POST http://"+address+": ", "connection refused")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v is not ECONNREFUSED", err)
		}
	})
	t.Run("the connection breaks", func(t *testing.T) {
		address := listen(t, func(net.Conn, *http.Request) {})
		checkError(t, sink.Send(client, secretRequest(t.Context(), t, address)), "EOF")
	})
	t.Run("an answer that is not HTTP repeats the request", func(t *testing.T) {
		address := listen(t, func(conn net.Conn, req *http.Request) {
			fmt.Fprintf(conn, "echo: %s %s %s\r\n\r\n", req.RequestURI, req.Header.Get("Authorization"), "hunter22")
		})
		checkError(t, sink.Send(client, secretRequest(t.Context(), t, address)), "malformed HTTP", "[redacted]")
	})
	t.Run("a redirect to nowhere repeats the request", func(t *testing.T) {
		address := listen(t, func(conn net.Conn, req *http.Request) {
			fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: http://[%s\r\n\r\n", req.RequestURI)
		})
		checkError(t, sink.Send(client, secretRequest(t.Context(), t, address)), "Location")
	})
	t.Run("the context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		address := listen(t, func(conn net.Conn, _ *http.Request) {
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		})
		err := sink.Send(client, secretRequest(ctx, t, address))
		checkError(t, err)
		if !errors.Is(err, context.Canceled) || sink.IsPermanent(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckResponseHidesTheRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		user, password, _ := r.BasicAuth()
		fmt.Fprintln(w, "Cannot POST", r.RequestURI, r.URL.Path, r.URL.Query(), r.Header.Values("Authorization"), user, password)
		fmt.Fprintf(w, `{"path":%q, "segment":"T000B000", "v":"v1"}`, strings.ReplaceAll(r.RequestURI, "/", `\/`))
	}))
	defer server.Close()
	client := newClient(t, sink.TLS{})
	address := server.Listener.Addr().String()

	err := sink.Send(client, secretRequest(t.Context(), t, address))
	checkError(t, err, "POST http://"+address+": answered 404 Not Found: ", "Cannot POST [redacted]", "[redacted]")

	req := secretRequest(t.Context(), t, address)
	req.Header.Del("Authorization") // then the client sends user and password of the URL
	checkError(t, sink.Send(client, req), "Cannot POST [redacted]")
}

func TestHTTPClientFollowsNoRedirect(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	client := newClient(t, sink.TLS{})
	err := sink.Send(client, secretRequest(t.Context(), t, server.Listener.Addr().String()))
	if asked.Load() != 1 || !sink.IsPermanent(err) {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestHTTPClientKeepsConnections(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(make([]byte, 64<<10))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := newClient(t, sink.TLS{})
	for range 10 {
		if err := sink.Send(client, secretRequest(t.Context(), t, server.Listener.Addr().String())); err == nil {
			t.Fatal("no error")
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("10 requests took %d connections", n)
	}
}

func TestHTTPClientLimitsTheHeader(t *testing.T) {
	address := listen(t, func(conn net.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	})
	client := newClient(t, sink.TLS{})
	checkError(t, sink.Send(client, secretRequest(t.Context(), t, address)), "exceeded")
}

func TestDoWithoutURL(t *testing.T) {
	req := &http.Request{Method: http.MethodPost}
	if err := sink.Send(newClient(t, sink.TLS{}), req); err == nil || !strings.HasPrefix(err.Error(), "POST: ") {
		t.Errorf("got %v", err)
	}
}
