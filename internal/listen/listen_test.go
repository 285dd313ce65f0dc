package listen

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testca"
)

func TestCheckAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:2801": true, "[::1]:2801": true, ":2801": true, "localhost:0": true,
		"": false, "127.0.0.1": false, "127.0.0.1:": false, "::1:2801": false, "h:http": false, "h:65536": false,
	} {
		if err := CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false,
		"localhost.example:1": false, "127.0.0.1.example:1": false, "127.0.0.1": false,
	} {
		if got := Loopback(address); got != want {
			t.Errorf("%q: %t", address, got)
		}
	}
}

func TestAuthorized(t *testing.T) {
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"Bearer s3cret", true},
		{"bearer s3cret", true},
		{basic("falco", "s3cret"), true},
		{basic("", "s3cret"), true},
		{"", false},
		{"s3cret", false},
		{"Bearer", false},
		{"Bearer s3cre", false},
		{"Bearer s3crets", false},
		{"Digest s3cret", false},
		{"Basic s3cret", false},
		{basic("s3cret", ""), false},
	} {
		r := &http.Request{Header: http.Header{"Authorization": {tt.header}}}
		if got := Authorized(r, "s3cret"); got != tt.want {
			t.Errorf("%q: %t", tt.header, got)
		}
	}
	if Authorized(&http.Request{Header: http.Header{}}, "") {
		t.Error("no header shows an empty token")
	}
}

func TestTLSValidate(t *testing.T) {
	for _, tt := range []struct {
		tls    TLS
		ok     bool
		mutual bool
	}{
		{TLS{}, true, false},
		{TLS{CertFile: "c", KeyFile: "k"}, true, false},
		{TLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}, true, true},
		{TLS{CertFile: "c"}, false, false},
		{TLS{KeyFile: "k"}, false, false},
		{TLS{ClientCAFile: "a"}, false, true},
	} {
		if err := tt.tls.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.tls, err)
		}
		if got := tt.tls.Mutual(); got != tt.mutual {
			t.Errorf("%+v: mutual %t", tt.tls, got)
		}
	}
}

func TestTLSConfigNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	a := testca.New(t, dir, "ca")
	a.Issue(t, "server")
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	for _, tt := range []struct {
		tls  TLS
		want string
	}{
		{TLS{CertFile: "/no/cert", KeyFile: key}, "cert_file"},
		{TLS{CertFile: cert, KeyFile: junk}, "cert_file"},
		{TLS{CertFile: dir, KeyFile: key}, "cert_file: " + dir + ": not a regular file"},
		{TLS{CertFile: cert, KeyFile: key, ClientCAFile: "/no/ca"}, "client_ca_file"},
		{TLS{CertFile: cert, KeyFile: key, ClientCAFile: junk}, "client_ca_file"},
	} {
		if _, err := new(Ports).Open(t.Context(), "127.0.0.1:0", tt.tls); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want an error with %q", tt.tls, err, tt.want)
		}
	}
}

func TestOpenPlain(t *testing.T) {
	l, err := new(Ports).Open(t.Context(), "127.0.0.1:0", TLS{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got := exchange(t, l, nil); got != "hello" {
		t.Errorf("got %q", got)
	}
	if again, err := new(Ports).Open(t.Context(), l.Addr().String(), TLS{}); err == nil {
		_ = again.Close()
		t.Error("a port was opened twice")
	} else if !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("%v does not name the address", err)
	}
}

func TestOpenTLS(t *testing.T) {
	dir := t.TempDir()
	ca, other := testca.New(t, dir, "ca"), testca.New(t, dir, "other")
	ca.Issue(t, "server")
	good, foreign := ca.Issue(t, "client"), other.Issue(t, "foreign")
	alone := TLS{CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key")}
	mutual := alone
	mutual.ClientCAFile = filepath.Join(dir, "ca.pem")

	client := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: certs}
	}
	old := client()
	old.MaxVersion = tls.VersionTLS11
	for _, tt := range []struct {
		name   string
		server TLS
		client *tls.Config
		ok     bool
	}{
		{"alone", alone, client(), true},
		{"alone, TLS 1.1", alone, old, false},
		{"mutual", mutual, client(good), true},
		{"mutual, no certificate", mutual, client(), false},
		{"mutual, certificate of another authority", mutual, client(foreign), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := new(Ports).Open(t.Context(), "127.0.0.1:0", tt.server)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			if got := exchange(t, l, tt.client); (got == "hello") != tt.ok {
				t.Errorf("got %q", got)
			}
		})
	}
}

// exchange has a client send a word to a listener and returns it as that heard it.
func exchange(t *testing.T, l net.Listener, config *tls.Config) string {
	t.Helper()
	heard := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			heard <- ""
			return
		}
		word, _ := io.ReadAll(c)
		_ = c.Close()
		heard <- string(word)
	}()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	_, _ = conn.Write([]byte("hello"))
	_ = conn.Close()
	return <-heard
}
