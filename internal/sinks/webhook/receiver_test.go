package webhook

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/filelessd/filelessd/pkg/sink"
)

// token is every secret that a webhook can have: of its URL, its headers, its signature.
const token = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2Vj"

// receiver is a webhook's other end.
type receiver struct {
	t      *testing.T
	server *httptest.Server
	opened atomic.Int32 // connections

	mu      sync.Mutex
	status  int
	header  http.Header // of the answer
	got     [][]byte
	held    chan struct{}
	arrived chan struct{}
}

func newReceiver(t *testing.T, secure bool) *receiver {
	r := &receiver{t: t, status: http.StatusNoContent, header: http.Header{}, arrived: make(chan struct{}, 1)}
	r.server = httptest.NewUnstartedServer(r)
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.opened.Add(1)
		}
	}
	if secure {
		r.server.EnableHTTP2 = true
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender has gone
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_" + token)
	if err == nil {
		err = verifier.Verify(body, req.Header)
	}
	if err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := r.held; held != nil {
		select {
		case r.arrived <- struct{}{}:
		default:
		}
		r.mu.Unlock()
		<-held
		r.mu.Lock()
	}
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	if r.status/100 == 2 {
		r.got = append(r.got, body)
		return
	}
	fmt.Fprintf(w, "cannot %s %s%s with %v", req.Method, req.Host, req.RequestURI, req.Header)
}

func (r *receiver) answer(status int, header http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.header = status, header
}

func (r *receiver) received() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) hold() (<-chan struct{}, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := make(chan struct{})
	r.held = held
	return r.arrived, sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = nil
		close(held)
	})
}

// config is one that the receiver accepts, with the token wherever it can be.
func (r *receiver) config() Config {
	u, err := url.Parse(r.server.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	u.User = url.UserPassword("operator", token)
	u.Path, u.RawQuery = "/hook/"+token, "key="+token
	c := Config{
		URL: sink.Secret(u.String()), Secret: "whsec_" + token,
		Headers: map[string]sink.Secret{"Authorization": "Bearer " + token, "X-Key": token},
	}
	if cert := r.server.Certificate(); cert != nil {
		c.TLS.CAFile = filepath.Join(r.t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(c.TLS.CAFile, block, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := c.Validate(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// seen is one request as it arrived.
type seen struct {
	Method, URI string
	Header      http.Header
	Length      int64
	Body        string
}

// record starts a server that answers with status and returns its address and what it has seen.
func record(t *testing.T, status int) (address string, requests func() []seen) {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, seen{r.Method, r.RequestURI, r.Header, r.ContentLength, string(body)})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), func() []seen {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// raw answers each request on its connections with what answer returns; nil closes the connection.
func raw(t *testing.T, answer func(connection, request int) []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for connection := 0; ; connection++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for request := 0; ; request++ {
					req, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					data := answer(connection, request)
					if data == nil {
						return
					}
					_, _ = conn.Write(data)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); group.Wait() })
	return l.Addr().String()
}
