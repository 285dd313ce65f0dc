package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const token = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2Vj"

// receiver holds requests against the API of Alertmanager (api/v2/openapi.yaml), as strictly as its
// validation does. Each alert is one element of what it got.
type receiver struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	status   int
	after    string // Retry-After
	refuse   string // a 400 for requests that hold it
	got      [][]byte
	requests int
	held     chan struct{}
	arrived  chan struct{}
}

func newReceiver(t *testing.T, secure bool) *receiver {
	r := &receiver{t: t, status: http.StatusOK, arrived: make(chan struct{}, 1)}
	r.server = httptest.NewUnstartedServer(r)
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
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
	if req.Header.Get("Authorization") != "Bearer "+token {
		r.t.Errorf("Authorization %q", req.Header.Get("Authorization"))
	}
	if req.Method == http.MethodGet && req.URL.Path == "/am-"+token+"/api/v2/status" {
		return
	}
	if req.Method != http.MethodPost || req.URL.Path != "/am-"+token+"/api/v2/alerts" || req.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s %s, %v", req.Method, req.URL, req.Header)
	}
	alerts, err := parse(body)
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
	r.requests++
	status := r.status
	if r.refuse != "" && bytes.Contains(body, []byte(r.refuse)) {
		status = http.StatusBadRequest
	}
	if r.after != "" {
		w.Header().Set("Retry-After", r.after)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		r.got = append(r.got, alerts...)
		return
	}
	fmt.Fprintf(w, "cannot %s %s%s with %v", req.Method, req.Host, req.RequestURI, req.Header)
}

// parse takes the alerts of a request apart.
func parse(body []byte) ([][]byte, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	var alerts [][]byte
	for _, one := range all {
		if _, err := texts(one); err != nil {
			return nil, err
		}
		alerts = append(alerts, one)
	}
	return alerts, nil
}

// texts checks an alert and returns what a person is shown of it.
func texts(one []byte) ([]string, error) {
	var a struct {
		Labels, Annotations map[string]string
		StartsAt, EndsAt    time.Time
		GeneratorURL        string
	}
	d := json.NewDecoder(bytes.NewReader(one))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, err
	}
	if a.Labels["alertname"] == "" || a.StartsAt.IsZero() || a.EndsAt.Before(a.StartsAt) || !a.EndsAt.After(time.Now()) {
		return nil, fmt.Errorf("label alertname %q, from %s to %s", a.Labels["alertname"], a.StartsAt, a.EndsAt)
	}
	if _, err := url.Parse(a.GeneratorURL); err != nil {
		return nil, err
	}
	var all []string
	for _, set := range []map[string]string{a.Labels, a.Annotations} {
		for name, value := range set {
			if !labelName.MatchString(name) || value == "" {
				return nil, fmt.Errorf("%q is %q", name, value)
			}
			if name != "description" && strings.Contains(value, "\n") {
				return nil, errors.New(name + " has several lines")
			}
			all = append(all, value)
		}
	}
	return all, nil
}

func (r *receiver) answer(status int, after string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.after = status, after
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
	c := Kind.Default()
	c.URLs = []sink.Secret{sink.Secret(r.server.URL + "/am-" + token + "/?x=" + token)}
	c.Headers = map[string]sink.Secret{"Authorization": "Bearer " + token}
	c.Labels = map[string]string{"cluster": "prod"}
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

func openSink(t testing.TB, c Config) *alertmanager {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*alertmanager)
}
