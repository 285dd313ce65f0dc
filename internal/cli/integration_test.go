//go:build integration

package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The integration tests run the daemon with the programs that stand beside it in real life: sqlite3,
// systemd, logrotate, nginx, curl. `make integration` runs them.

// outputOf runs a program to its end, which must be a good one, and returns what it said on both.
func outputOf(t *testing.T, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := runProgram(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %q: exit status %d\n%s%s", filepath.Base(name), args, code, stdout, stderr)
	}
	return stdout, stderr
}

// runProgram runs a program to its end.
func runProgram(t *testing.T, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, "", err.Error() // it did not start
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// postAll posts all alerts, one after another.
func (d *testDaemon) postAll(lines [][]byte) {
	d.t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i, line := range lines {
		if !d.post(client, line) {
			d.t.Fatalf("alert %d was not accepted", i)
		}
	}
}

// complains returns what the program logged as a warning or worse.
func (p *process) complains() string {
	p.t.Helper()
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if !strings.Contains(line, `"level":"info"`) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// certificates are PEM files of an authority and of a server at 127.0.0.1 and localhost.
type certificates struct{ ca, cert, key string }

func newCertificates(t *testing.T) (c certificates) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sign := func(cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c.ca = write("ca.pem", "CERTIFICATE", sign(ca, ca, caKey, caKey))
	c.cert = write("cert.pem", "CERTIFICATE", sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, key, caKey))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.key = write("key.pem", "PRIVATE KEY", der)
	return c
}
