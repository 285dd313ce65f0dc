package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/sink"
)

func TestHTTPSource(t *testing.T) { testSource(t, newHTTPHarness) }

func newHTTPHarness(t *testing.T) harness {
	var mu sync.Mutex
	var url string
	opened := make(chan struct{})
	client := &http.Client{Transport: new(http.Transport)}
	t.Cleanup(client.CloseIdleConnections)

	open := func(t *testing.T, env Env) Source {
		h := mustOpenHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"}, env)
		mu.Lock()
		defer mu.Unlock()
		url = "http://" + h.Addr().String() + "/falco"
		close(opened)
		opened = make(chan struct{})
		return h
	}
	post := func(t *testing.T, line string) {
		for t.Context().Err() == nil {
			mu.Lock()
			url, next := url, opened
			mu.Unlock()
			var answer reply
			var err error
			if url != "" {
				answer, err = postTo(t, client, url, line, nil)
			}
			switch answer.status {
			case 0: // nobody there
			case http.StatusServiceUnavailable:
				continue
			default:
				return
			}
			select { // stopped: go on with the next
			case <-next:
			case <-t.Context().Done():
				t.Error("given up:", err)
			}
		}
	}
	return harness{
		open: open,
		feed: func(t *testing.T, lines ...string) {
			for _, line := range lines {
				post(t, line)
			}
		},
		spoil: func(t *testing.T) { post(t, "no alert") },
	}
}

func mustOpenHTTP(t testing.TB, c HTTPConfig, env Env) *HTTP {
	t.Helper()
	h, err := OpenHTTP(t.Context(), c, env)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
	closed bool // the connection, behind it
}

func readReply(res *http.Response) (reply, error) {
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body), res.Close}, err
}

// postTo posts body. The error is one of the connection.
func postTo(t testing.TB, client *http.Client, url, body string, header http.Header) (reply, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, header)
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	return readReply(res)
}

// An httpFixture is a running HTTP source with what it handed over and rejected.
type httpFixture struct {
	*HTTP
	url string

	mu       sync.Mutex
	batches  [][]event.Event
	rejected tally
	fail     error // what handle returns
	explode  bool  // handle panics
}

func runHTTP(t *testing.T, c HTTPConfig) *httpFixture {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	f := new(httpFixture)
	env := testEnv(t)
	env.Rejected = f.rejected.add
	f.HTTP = mustOpenHTTP(t, c, env)
	f.url = "http://" + f.Addr().String() + "/"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx, f.handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

func (f *httpFixture) handle(_ context.Context, events []event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.explode {
		panic("boom")
	}
	if f.fail == nil {
		f.batches = append(f.batches, events)
	}
	return f.fail
}

// ids returns the IDs of what was handed over, in order.
func (f *httpFixture) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := []string{}
	for _, b := range f.batches {
		for i := range b {
			ids = append(ids, b[i].ID())
		}
	}
	return ids
}

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTTPAnswers(t *testing.T) {
	const good = `{"rule":"a","time":"2026-11-23T14:23:24.000000001Z"}`
	gz := http.Header{"Content-Encoding": {"gzip"}}
	huge := `{"rule":"a","output":"` + strings.Repeat("x", maxBody) + `"}`
	full := `{"rule":"a","output":"` + strings.Repeat("x", maxBody-24) + `"}`
	tests := []struct {
		name   string
		header http.Header
		body   string
		status int
		answer string // part of it
		taken  int
		reason string
	}{
		{"one", nil, good, 200, `{"accepted":1,"rejected":[]}`, 1, ""},
		{"form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, good, 200, `"accepted":1`, 1, ""},
		{"no type", http.Header{"Content-Type": nil}, good, 200, `"accepted":1`, 1, ""},
		{"gzip", gz, zipped(t, good), 200, `"accepted":1`, 1, ""},
		{"two gzips, one after the other", gz, zipped(t, good+"\n") + zipped(t, good), 200, `"accepted":2`, 2, ""},
		{"identity", http.Header{"Content-Encoding": {"identity"}}, good, 200, `"accepted":1`, 1, ""},
		{"nothing matches", nil, `[]`, 200, `{"accepted":0,"rejected":[]}`, 0, ""},
		{"1 MiB", nil, full, 200, `"accepted":1`, 1, ""},
		{"1 MiB unpacked", gz, zipped(t, full), 200, `"accepted":1`, 1, ""},

		{"some", nil, "[" + good + `,{"rule":},` + good + "]", 400, `{"accepted":2,"rejected":[{"index":1,"error":"invalid JSON at byte 9`, 2, ReasonMalformed},
		{"empty", nil, "", 400, `{"accepted":0,"rejected":[{"index":0,"error":"empty body"}]}`, 0, ReasonMalformed},
		{"text", http.Header{"Content-Type": {"text/plain"}}, "x", 400, `set json_output: true`, 0, ReasonText},
		{"text in capitals", http.Header{"Content-Type": {"Text/Plain; charset=utf-8"}}, good, 400, `set json_output: true`, 0, ReasonText},
		{"text of no type", http.Header{"Content-Type": nil}, "14:23 Critical", 400, `json_output: true`, 0, ReasonMalformed},
		{"not gzip", gz, good, 400, `"rejected":[{"index":0,"error":"body: gzip: invalid header"}]`, 0, ReasonMalformed},
		{"half a gzip", gz, zipped(t, good)[:30], 400, `unexpected EOF`, 0, ReasonMalformed},
		{"too large", nil, huge, 413, `{"error":"more than 1 MiB"}`, 0, ReasonTooLarge},
		{"too large unpacked", gz, zipped(t, huge), 413, `more than 1 MiB`, 0, ReasonTooLarge},
		{"other encoding", http.Header{"Content-Encoding": {"br"}}, good, 415, `gzip`, 0, ReasonMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
			client := newClient(t)
			got, err := postTo(t, client, f.url+"any/path?x=1", tt.body, tt.header)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != tt.status || !strings.Contains(got.body, tt.answer) {
				t.Errorf("got %d: %s\nwant %d: %s", got.status, got.body, tt.status, tt.answer)
			}
			if !json.Valid([]byte(got.body)) || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("the answer is no JSON: %+v", got)
			}
			if n := len(f.ids()); n != tt.taken {
				t.Errorf("%d alerts taken, want %d", n, tt.taken)
			}
			want := map[string]int{}
			if tt.reason != "" {
				want[tt.reason] = 1
			}
			if diff := cmp.Diff(want, f.rejected.all()); diff != "" {
				t.Errorf("rejected (-want +got):\n%s", diff)
			}
		})
	}
}

func newClient(t *testing.T) *http.Client {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// Bodies whose length is not known before they are read.
func TestHTTPChunked(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	client := newClient(t)
	alert := func(size int) string { return `{"rule":"a","output":"` + strings.Repeat("x", size-24) + `"}` }
	for _, tt := range []struct {
		name, encoding, body string
		status               int
	}{
		{"small", "", alert(100), 200},
		{"1 MiB", "", alert(maxBody), 200},
		{"too large", "", alert(maxBody + 1), 413},
		{"too large though it unpacks to little", "gzip", strings.Repeat(zipped(t, ""), 50_000), 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := io.MultiReader(strings.NewReader(tt.body))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url, src)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Encoding", tt.encoding)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != tt.status {
				t.Errorf("%s, want %d", res.Status, tt.status)
			}
		})
	}
}

func TestHTTPMethods(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	client := newClient(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "X"} {
		req, err := http.NewRequestWithContext(t.Context(), method, f.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if method == "OPTIONS" {
			req.URL.Opaque = "*"
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s, Allow %q", method, res.Status, res.Header.Get("Allow"))
		}
	}
	if len(f.rejected.all()) != 0 {
		t.Errorf("counted as alerts: %v", f.rejected.all())
	}
}

func TestHTTPToken(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0", Token: "hunter2"})
	client := newClient(t)
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for i, tt := range []struct {
		authorization string
		status        int
	}{
		{"Bearer hunter2", 200},
		{basic("falco", "hunter2"), 200},
		{basic("", "hunter2"), 200},
		{"", 401},
		{"Bearer hunter3", 401},
		{"Bearer ", 401},
		{"hunter2", 401},
		{basic("hunter2", ""), 401},
	} {
		got, err := postTo(t, client, f.url, alertLines(i, 1)[0], http.Header{"Authorization": {tt.authorization}})
		if err != nil {
			t.Fatal(err)
		}
		if got.status != tt.status {
			t.Errorf("%q: %d, want %d", tt.authorization, got.status, tt.status)
		}
		if challenges := got.header["Www-Authenticate"]; got.status == 401 && len(challenges) != 2 {
			t.Errorf("challenges: %q", challenges)
		}
		// Who may not send may not keep one of the places for connections either.
		if got.closed != (got.status == 401) {
			t.Errorf("%q: %d, closed %v", tt.authorization, got.status, got.closed)
		}
	}
	if n := len(f.ids()); n != 3 {
		t.Errorf("%d alerts taken, want 3", n)
	}
	if f.rejected.of(ReasonUnauthorized) != 5 {
		t.Errorf("rejected: %v", f.rejected.all())
	}
}

func TestHTTPHandleFails(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	client := newClient(t)
	lines := strings.Join(alertLines(0, 3), "\n")
	post := func(want int) string {
		t.Helper()
		got, err := postTo(t, client, f.url, lines, nil)
		if got.status != want {
			t.Errorf("status %d, want %d: %v", got.status, want, err)
		}
		return got.body
	}
	f.fail = errors.New("disk full")
	if answer := post(503); strings.Contains(answer, "disk full") {
		t.Errorf("the sender is told of the disk: %s", answer)
	}
	if s := f.Status(); !strings.Contains(s.LastError, "disk full") || f.rejected.of(ReasonStore) != 3 {
		t.Errorf("status %+v, rejected %v", s, f.rejected.all())
	}
	f.fail, f.explode = nil, true
	post(503)
	f.explode = false
	post(200)
	if s := f.Status(); s.LastError != "" || s.Peer == "" || s.State != "listening" {
		t.Errorf("status: %+v", s)
	}
}

func TestOpenHTTPRefuses(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	for _, tt := range []struct {
		name   string
		config HTTPConfig
		want   string
	}{
		{"taken", HTTPConfig{Listen: taken}, taken},
		{"reachable", HTTPConfig{Listen: "0.0.0.0:0"}, "insecure"},
		{"reachable by name", HTTPConfig{Listen: ":0"}, "insecure"},
		{"TLS alone", HTTPConfig{Listen: "0.0.0.0:0", TLS: listen.TLS{CertFile: "c", KeyFile: "k"}}, "insecure"},
		{"no certificate", HTTPConfig{Listen: "127.0.0.1:0", TLS: listen.TLS{CertFile: "c", KeyFile: "k"}}, "cert_file"},
		{"no port", HTTPConfig{Listen: "127.0.0.1"}, "host:port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := OpenHTTP(t.Context(), tt.config, testEnv(t))
			if err == nil {
				_ = h.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not name %q", err, tt.want)
			}
		})
	}
	for _, c := range []HTTPConfig{
		{Listen: "0.0.0.0:0", Token: sink.Secret("x")},
		{Listen: "0.0.0.0:0", Insecure: true},
	} {
		if err := mustOpenHTTP(t, c, testEnv(t)).Close(); err != nil {
			t.Error(err)
		}
	}
}
