package sink_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

func TestDial(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		d := sink.Dialer{Network: network, Address: l.Addr().String()}
		conn, err := d.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Dial(ctx); !errors.Is(err, context.Canceled) || sink.IsPermanent(err) {
			t.Errorf("%s: %v", network, err)
		}
		l.Close()
		_, err = d.Dial(t.Context())
		if err == nil || sink.IsPermanent(err) || strings.Count(err.Error(), d.Address) != 1 ||
			!errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%s: %v", network, err)
		}
	}
}

func TestDialTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	cert, _ := tlsFiles(t, server)
	for want, files := range map[string]sink.TLS{
		"":                  {CAFile: cert},
		"unknown authority": {},
		"not other.test":    {CAFile: cert, ServerName: "other.test"},
		"protocol version":  {CAFile: cert, MinVersion: "TLS13"},
	} {
		config, err := files.Config()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := sink.Dialer{Network: "tcp", Address: server.Listener.Addr().String(), TLS: config}.Dial(t.Context())
		if err == nil {
			conn.Close()
		}
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || sink.IsPermanent(err)) {
			t.Errorf("%v, want %q", err, want)
		}
		if config.ServerName != files.ServerName {
			t.Error("Dial changed the configuration")
		}
	}
}

// TestDialTLSEndsWithItsContext: a server that says nothing does not hold up a delivery.
func TestDialTLSEndsWithItsContext(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	config, _ := sink.TLS{}.Config()
	_, err = sink.Dialer{Network: "tcp", Address: l.Addr().String(), TLS: config}.Dial(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestUntil(t *testing.T) {
	ours, theirs := net.Pipe() // whose writes wait for a reader
	defer theirs.Close()
	defer ours.Close()
	ctx, cancel := context.WithCancel(t.Context())
	release := sink.Until(ctx, ours)
	done := make(chan error, 1)
	go func() { _, err := ours.Write([]byte("x")); done <- err }()
	cancel()
	if err := <-done; err == nil {
		t.Error("the write did not end")
	}
	if release() {
		t.Error("release says that the connection is whole")
	}
	release = sink.Until(t.Context(), ours)
	go func() { _, _ = theirs.Read(make([]byte, 1)) }()
	if _, err := ours.Write([]byte("x")); err != nil || !release() {
		t.Errorf("after release: %v", err)
	}
}

func TestCheckAddress(t *testing.T) {
	for address, good := range map[string]bool{"h:514": true, "[::1]:1": true, "h": false, ":1": false, "h:0": false, "h:70000": false, "h:x": false} {
		if err := sink.CheckAddress("address", address); (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "address: ") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestHide(t *testing.T) {
	const secret = `pa"ss/word%`
	cause := fmt.Errorf("refused %s", secret)
	for _, err := range []error{
		cause, sink.Permanent(fmt.Errorf("bad %q", secret)), sink.RetryAfter(errors.Join(errors.New("x"), cause), time.Minute),
		fmt.Errorf("auth %s: %w", base64.StdEncoding.EncodeToString([]byte(secret)), context.DeadlineExceeded),
		opaque{cause},
	} {
		got := sink.Hide(err, "", "x", secret)
		for e := got; e != nil; e = errors.Unwrap(e) {
			for _, form := range []string{secret, `pa\"ss`, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if strings.Contains(fmt.Sprintf("%+v", e), form) {
					t.Errorf("%v shows the secret", e)
				}
			}
		}
		if sink.IsPermanent(got) != sink.IsPermanent(err) || sink.Delay(got) != sink.Delay(err) ||
			errors.Is(got, context.DeadlineExceeded) != errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v lost its class", got)
		}
	}
	other := errors.New("other")
	if !errors.Is(sink.Hide(other, secret), other) || sink.Hide(nil, secret) != nil {
		t.Error("an error without a secret was changed")
	}
}

// opaque does not tell what it wraps.
type opaque struct{ error }

func (opaque) Error() string   { return "failed" }
func (o opaque) Unwrap() error { return o.error }
