package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestCrowd: who opens connections and says nothing takes no more than their places, and keeps out nobody.
func TestCrowd(t *testing.T) {
	problems := []string{}
	shown, err := Open(t.Context(), Config{Listen: "127.0.0.1:0"}, newBackend(&problems))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := OpenPprof(t.Context(), PprofConfig{Listen: "127.0.0.1:0"}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- shown.Run(ctx) }()
	go func() { ended <- profiles.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	for url, address := range map[string]net.Addr{"/healthz": shown.Addr(), "/debug/pprof/cmdline": profiles.Addr()} {
		var first net.Conn
		for range mostVisitors + 1 {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if first == nil {
				first = c
			}
		}
		transport := &http.Transport{}
		if code, _ := getURL(t, &http.Client{Transport: transport}, "http://"+address.String()+url); code != http.StatusOK {
			t.Errorf("%s: %d", url, code)
		}
		transport.CloseIdleConnections()
		// Before the bound on the time of a silent one ends it.
		if err := first.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // a Conn returns it as it is
			t.Errorf("%s: the first of too many got %v", url, err)
		}
	}
}
