package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
)

// servePprof runs the server at an address until the test ends, and returns how to ask it.
func servePprof(t *testing.T, address string) (base string, client *http.Client) {
	t.Helper()
	p, err := OpenPprof(t.Context(), PprofConfig{Listen: address}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return listen.DialPrivate(ctx, path) }
		return "http://unix", &http.Client{Transport: transport}
	}
	return "http://" + p.Addr().String(), &http.Client{Transport: transport}
}

func getURL(t *testing.T, client *http.Client, url string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestPprof(t *testing.T) {
	base, client := servePprof(t, "127.0.0.1:0")
	if code, body := getURL(t, client, base+"/debug/pprof/"); code != 200 || !bytes.Contains(body, []byte("goroutine")) {
		t.Errorf("the index: %d %s", code, body)
	}
	for _, name := range []string{"heap", "goroutine", "allocs", "mutex", "block", "threadcreate", "profile?seconds=1", "trace?seconds=0.01"} {
		code, body := getURL(t, client, base+"/debug/pprof/"+name)
		want := "\x1f\x8b" // a profile is packed
		if strings.HasPrefix(name, "trace") {
			want = "go 1."
		}
		if code != 200 || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: %d, %d bytes, %.20q", name, code, len(body), body)
		}
	}
	for _, path := range []string{"/", "/metrics", "/statusz", "/debug/vars"} {
		if code, body := getURL(t, client, base+path); code != 404 {
			t.Errorf("%s: %d %s; it serves profiles only", path, code, body)
		}
	}
}

// TestPprofOnASocket: it belongs to the user of the program alone, and is gone afterwards.
func TestPprofOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pprof.sock")
	t.Run("serve", func(t *testing.T) {
		base, client := servePprof(t, unixPrefix+path)
		if code, _ := getURL(t, client, base+"/debug/pprof/heap"); code != 200 {
			t.Errorf("%d", code)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %s", info.Mode())
		}
	})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestPprofCloses frees the address of a server that was never run.
func TestPprofCloses(t *testing.T) {
	address := "127.0.0.1:0"
	for range 2 {
		p, err := OpenPprof(t.Context(), PprofConfig{Listen: address}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		address = p.Addr().String()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPprofConfig(t *testing.T) {
	for listen, want := range map[string]string{
		"": "", "127.0.0.1:6060": "", "[::1]:6060": "", "localhost:0": "", "unix:///run/filelessd/pprof.sock": "",
		"0.0.0.0:6060": "loopback", ":6060": "loopback", "192.0.2.1:6060": "loopback", "[::]:6060": "loopback",
		"6060": "host:port", "unix://pprof.sock": "absolute",
	} {
		err := PprofConfig{Listen: listen}.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "listen: ") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", listen, err, want)
		}
	}
}
