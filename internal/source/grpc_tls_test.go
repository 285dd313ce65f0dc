package source

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/sink"
)

// An authority signs certificates, in files of a test's directory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes NAME.pem and NAME.key.
func (a *authority) issue(t *testing.T, name string, notAfter time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", der)
	a.write(t, name+".key", "EC PRIVATE KEY", keyDER)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestGRPCMutualTLS(t *testing.T) {
	noLeak(t)
	ours, foreign := newAuthority(t), newAuthority(t)
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	falco := falcosim.New(falcosim.Options{})
	if err := falco.ListenTLS("127.0.0.1:0", ours.issue(t, "falco", later, "localhost"), ours.pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(falco.Abort)
	ours.issue(t, "client", later)
	ours.issue(t, "expired", earlier)
	foreign.issue(t, "client", later)

	stale := falcosim.New(falcosim.Options{})
	if err := stale.ListenTLS("127.0.0.1:0", ours.issue(t, "stale", earlier, "localhost"), ours.pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stale.Abort)
	plain := falcosim.New(falcosim.Options{})
	if err := plain.Listen(func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Abort)

	good := sink.TLS{
		CAFile: ours.file("ca.pem"), CertFile: ours.file("client.pem"), KeyFile: ours.file("client.key"),
		ServerName: "localhost",
	}
	with := func(change func(*sink.TLS)) sink.TLS {
		c := good
		change(&c)
		return c
	}
	tests := []struct {
		name    string
		server  *falcosim.Server
		tls     sink.TLS
		says    string
		details string
	}{
		{name: "good", server: falco, tls: good},
		{
			name: "no client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = "", "" }),
			says: "shows no certificate: set tls.cert_file and tls.key_file",
		},
		{
			name: "foreign client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = foreign.file("client.pem"), foreign.file("client.key") }),
			says: "no authority in its grpc.root_certs has signed: Falco's log has the reason",
		},
		{
			name: "expired client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = ours.file("expired.pem"), ours.file("expired.key") }),
			says: "tls.cert_file ended at " + earlier.UTC().Format(time.RFC3339),
		},
		{
			name: "wrong authority", server: falco,
			tls:     with(func(c *sink.TLS) { c.CAFile = foreign.file("ca.pem") }),
			says:    "not signed by an authority in tls.ca_file",
			details: "certificate signed by unknown authority",
		},
		{
			name: "wrong server name", server: falco,
			tls:     with(func(c *sink.TLS) { c.ServerName = "falco.example" }),
			says:    "set tls.server_name",
			details: "certificate is valid for localhost, not falco.example",
		},
		{
			name: "server name from the address", server: falco,
			tls:  with(func(c *sink.TLS) { c.ServerName = "" }),
			says: "the certificate of ADDRESS is for another name: set tls.server_name", details: "127.0.0.1",
		},
		{
			name: "expired server certificate", server: stale, tls: good,
			says: "has expired or is not valid yet", details: "expired",
		},
		{
			name: "server without TLS", server: plain, tls: good,
			says: "does not speak TLS", details: "first record does not look like a TLS handshake",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := tt.server.Addr().String()
			c := GRPCConfig{Address: address, Mode: "get", Poll: time.Millisecond, TLS: tt.tls}
			err := openGRPC(t, c, testEnv(t)).Probe(t.Context())
			if tt.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			says := strings.ReplaceAll(tt.says, "ADDRESS", address)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), tt.details) {
				t.Errorf("got  %v\nwant %q, %q", err, says, tt.details)
			}
		})
	}

	// Alerts come over it too, in both modes.
	for _, mode := range []string{"get", "sub"} {
		k := newTaker()
		c := GRPCConfig{Address: falco.Addr().String(), Mode: mode, Poll: time.Millisecond, TLS: good}
		stop := run(t, openGRPC(t, c, testEnv(t)), k.handle)
		falco.Push(numbered(0, 500)...)
		wantRules(t, k.wait(t, 500), rules(0, 500))
		stop()
	}
}

// TestGRPCPlainAgainstTLS has a client without TLS meet a server with it.
func TestGRPCPlainAgainstTLS(t *testing.T) {
	a := newAuthority(t)
	falco := falcosim.New(falcosim.Options{})
	if err := falco.ListenTLS("127.0.0.1:0", a.issue(t, "falco", time.Now().Add(time.Hour), "localhost"), a.pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(falco.Abort)
	g := openGRPC(t, DefaultGRPCConfig(), testEnv(t))
	g.dial = func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", falco.Addr().String())
	}
	err := g.Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "or it wants TLS") {
		t.Errorf("got %v", err)
	}
}
