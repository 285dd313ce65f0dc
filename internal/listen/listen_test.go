package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	a := newCA(t, dir, "ca")
	a.issue(t, dir, "server")
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
		{TLS{CertFile: cert, KeyFile: key, ClientCAFile: "/no/ca"}, "client_ca_file"},
		{TLS{CertFile: cert, KeyFile: key, ClientCAFile: junk}, "client_ca_file"},
	} {
		if _, err := Open(t.Context(), "127.0.0.1:0", tt.tls); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want an error with %q", tt.tls, err, tt.want)
		}
	}
}

func TestOpenPlain(t *testing.T) {
	l, err := Open(t.Context(), "127.0.0.1:0", TLS{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got := exchange(t, l, nil); got != "hello" {
		t.Errorf("got %q", got)
	}
	if again, err := Open(t.Context(), l.Addr().String(), TLS{}); err == nil {
		_ = again.Close()
		t.Error("a port was opened twice")
	} else if !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("%v does not name the address", err)
	}
}

func TestOpenTLS(t *testing.T) {
	dir := t.TempDir()
	ca, other := newCA(t, dir, "ca"), newCA(t, dir, "other")
	ca.issue(t, dir, "server")
	good, foreign := ca.issue(t, dir, "client"), other.issue(t, dir, "foreign")
	alone := TLS{CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key")}
	mutual := alone
	mutual.ClientCAFile = filepath.Join(dir, "ca.pem")

	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	client := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: certs}
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
			l, err := Open(t.Context(), "127.0.0.1:0", tt.server)
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

// A ca signs certificates and leaves them in files.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T, dir, name string) ca {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var a ca
	a.key = newKey(t)
	a.cert = sign(t, template, template, a.key, a.key)
	writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", a.cert.Raw)
	return a
}

// issue makes name.pem and name.key for localhost.
func (a ca) issue(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, key, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", cert.Raw)
	writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", der)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
