package falcosim

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wiretap is an HTTP server that keeps the bytes of each connection and answers every request with
// the next of answers, or 200.
type wiretap struct {
	url   string
	mu    sync.Mutex
	conns []*bytes.Buffer
}

func tap(t *testing.T, answer func(request int) string) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{url: "http://" + l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for n := 0; ; {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n = w.serve(conn, n, answer)
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return w
}

func (w *wiretap) serve(conn net.Conn, n int, answer func(int) string) int {
	defer conn.Close()
	seen := new(bytes.Buffer)
	w.mu.Lock()
	w.conns = append(w.conns, seen)
	w.mu.Unlock()
	in := bufio.NewReader(io.TeeReader(conn, seen))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return n
		}
		_, _ = io.Copy(io.Discard, r.Body)
		seen.WriteByte('\n')
		n++
		text, hangsUp := strings.CutSuffix(answer(n), hangUp)
		if _, err := io.WriteString(conn, text); err != nil || hangsUp {
			return n
		}
	}
}

// hangUp behind an answer closes the connection after it.
const hangUp = "hang up"

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestHTTPOutputBytes(t *testing.T) {
	tests := []struct {
		name   string
		output HTTPOutput
	}{
		{"http-json", HTTPOutput{}},
		{"http-json-compress", HTTPOutput{Compress: true}},
		{"http-text", HTTPOutput{Text: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			recorded, err := os.ReadFile(recordings + tt.name + ".http-requests")
			if err != nil {
				t.Fatal(err)
			}
			w := tap(t, func(int) string { return ok })
			tt.output.URL = w.url + "/falco"
			for _, body := range bodies(t, recorded) {
				if err := tt.output.Send(t.Context(), body); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.output.Close(); err != nil {
				t.Fatal(err)
			}
			if len(w.conns) != 1 {
				t.Fatalf("%d connections, want one that is kept", len(w.conns))
			}
			host := strings.TrimPrefix(w.url, "http://")
			got := strings.ReplaceAll(w.conns[0].String(), host, "127.0.0.1:2801")
			if diff := cmp.Diff(string(recorded), got); diff != "" {
				t.Errorf("requests (-recorded +sent):\n%s", diff)
			}
		})
	}
}

// bodies takes the bodies out of recorded requests.
func bodies(t *testing.T, recorded []byte) (all [][]byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(recorded))
	for {
		r, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
		if _, err := in.Discard(1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHTTPOutputFailures(t *testing.T) { // H1, H2
	w := tap(t, func(n int) string {
		if n == 1 {
			return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
		}
		return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" + hangUp
	})
	o := HTTPOutput{URL: w.url}
	if status, err := o.Post(t.Context(), []byte(`{}`)); status != http.StatusServiceUnavailable || err != nil {
		t.Fatalf("Post returned %d, %v", status, err)
	}
	for range 2 {
		if err := o.Send(t.Context(), []byte(`{}`)); err != nil {
			t.Fatalf("an answer of any status is none of Falco's business: %v", err)
		}
	}
	requests := 0
	for _, c := range w.conns {
		requests += strings.Count(c.String(), "POST / ")
	}
	if requests != 3 {
		t.Errorf("%d requests, want 3: no retry", requests)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	gone := HTTPOutput{URL: "http://" + l.Addr().String()}
	if err := gone.Send(t.Context(), []byte(`{}`)); err == nil {
		t.Error("nobody listens, and no error")
	}
}

func TestHTTPOutputBlocks(t *testing.T) { // H3
	asked, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "falco" || password != "secret" {
			t.Errorf("authentication %q %q", user, password)
		}
		asked <- struct{}{}
		<-release
	}))
	defer srv.Close()
	o := HTTPOutput{URL: strings.Replace(srv.URL, "https://", "https://falco:secret@", 1)}
	o.TLS = srv.Client().Transport.(*http.Transport).TLSClientConfig
	defer o.Close()
	sent := make(chan error, 1)
	go func() { sent <- o.Send(t.Context(), []byte(`{}`)) }()
	<-asked
	select {
	case err := <-sent:
		t.Fatalf("Send did not wait for the answer: %v", err)
	default:
	}
	release <- struct{}{}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { sent <- o.Send(ctx, []byte(`{}`)) }()
	<-asked
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
}

// TestHTTPOutputFreshConnection has a server that closes each connection after its answer, and does
// not say so.
func TestHTTPOutputFreshConnection(t *testing.T) {
	w := tap(t, func(int) string { return ok + hangUp })
	o := HTTPOutput{URL: w.url}
	defer o.Close()
	for range 3 {
		if err := o.Send(t.Context(), []byte(`{}`)); err != nil {
			t.Errorf("the kept connection was dead, and no new one was made: %v", err)
		}
	}
}

func TestFileOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.json")
	for _, keep := range []bool{false, true} {
		o := FileOutput{Path: path, KeepAlive: keep}
		for _, line := range []string{"a", "b\n"} {
			if err := o.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := o.Write([]byte("c")); err != nil {
			t.Fatal(err)
		}
		if err := o.Reopen(); err != nil {
			t.Fatal(err)
		}
		if err := o.Write([]byte("d")); err != nil {
			t.Fatal(err)
		}
		if err := o.Reopen(); err != nil {
			t.Fatal(err)
		}
		want := map[bool][2]string{false: {"a\nb\n", "c\nd\n"}, true: {"a\nb\nc\n", "d\n"}}[keep]
		for i, name := range []string{path + ".1", path} {
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want[i] {
				t.Errorf("keep_alive %t: %s holds %q, want %q", keep, name, got, want[i])
			}
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}
