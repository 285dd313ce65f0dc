package source

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/testca"
)

func TestHTTPMutualTLS(t *testing.T) {
	a, later := testca.New(t, t.TempDir(), "ca"), time.Now().Add(time.Hour)
	a.IssueFor(t, "server", later, "localhost")
	good := a.IssueFor(t, "client", later)
	foreign := testca.New(t, t.TempDir(), "ca").IssueFor(t, "foreign", later)
	f := runHTTP(t, HTTPConfig{Listen: "0.0.0.0:0", TLS: listen.TLS{ // client certificates are enough
		CertFile: a.File("server.pem"), KeyFile: a.File("server.key"), ClientCAFile: a.File("ca.pem"),
	}})
	_, port, err := net.SplitHostPort(f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	post := func(scheme string, certs ...tls.Certificate) (reply, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool(), Certificates: certs}}
		defer transport.CloseIdleConnections()
		return postTo(t, &http.Client{Transport: transport}, scheme+"://localhost:"+port, smallAlert, nil)
	}
	if got, err := post("https", good); got.status != http.StatusOK {
		t.Errorf("with a good certificate: %d, %v", got.status, err)
	}
	if got, err := post("https"); err == nil {
		t.Errorf("with no certificate: %d", got.status)
	}
	if got, err := post("https", foreign); err == nil {
		t.Errorf("with a certificate of another authority: %d", got.status)
	}
	if got, err := post("http"); err == nil && got.status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", got.status)
	}
	if n := len(f.ids()); n != 1 {
		t.Errorf("%d alerts taken, want 1", n)
	}
}
