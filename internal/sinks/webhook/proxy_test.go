package webhook

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// The environment is read once in a process, so the delivery through a proxy happens in another.
func TestProxy(t *testing.T) {
	var asked atomic.Pointer[http.Request]
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked.Store(r)
	}))
	defer proxy.Close()
	address := proxy.Listener.Addr().String()

	run := func(proxyURL string) string {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyChild$", "-test.v")
		cmd.Env = append(os.Environ(), "FILELESSD_TEST_PROXY=1", "HTTP_PROXY="+proxyURL, "NO_PROXY=", "no_proxy=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}

	out := run("http://user:pr0xy-password@" + address)
	if !strings.Contains(out, "deliver: <nil>") || !strings.Contains(out, "probe: <nil>") {
		t.Errorf("got %s", out)
	}
	if r := asked.Load(); r == nil || r.RequestURI != "http://receiver.test/T000/SECRET" {
		t.Errorf("the proxy was asked for %+v", r)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	out = run("http://user:pr0xy-password@" + closed)
	if !strings.Contains(out, "probe: connect to the proxy http://"+closed+" of http://receiver.test: ") ||
		!strings.Contains(out, "deliver: POST http://receiver.test: proxyconnect tcp: ") {
		t.Errorf("got %s", out)
	}
	if strings.Contains(out, "pr0xy-password") || strings.Contains(out, "SECRET") {
		t.Errorf("shows a secret: %s", out)
	}
}

func TestProxyChild(t *testing.T) {
	if os.Getenv("FILELESSD_TEST_PROXY") == "" {
		t.Skip("for TestProxy")
	}
	w := openWebhook(t, Config{URL: "http://receiver.test/T000/SECRET"})
	t.Logf("deliver: %v", w.Deliver(t.Context(), sinktest.Ordinary()))
	t.Logf("probe: %v", w.Probe(t.Context()))
}
