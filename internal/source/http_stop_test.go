package source

import (
	"context"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/event"
)

// TestHTTPAnswersWhoIsConnected: a request that is sent after the stop began, over a connection that was
// accepted before, is answered. net/http's Shutdown alone would drop it.
func TestHTTPAnswersWhoIsConnected(t *testing.T) {
	h := mustOpenHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"}, testEnv(t))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	taken := 0
	go func() {
		ended <- h.Run(ctx, func(_ context.Context, events []event.Event) error {
			taken += len(events)
			return nil
		})
	}()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for h.open.Open() == 0 {
		runtime.Gosched()
	}
	cancel()
	for { // until the stop has closed the port
		late, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.Addr().String())
		if err != nil {
			break
		}
		late.Close()
	}
	body := `{"rule":"r","time":"2026-11-23T12:00:00Z"}`
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") || !strings.Contains(string(answer), "\r\nConnection: close\r\n") {
		t.Errorf("answered %q, %v", answer, err)
	}
	if err := <-ended; err != nil || taken != 1 {
		t.Errorf("Run: %v, %d alerts", err, taken)
	}
}
