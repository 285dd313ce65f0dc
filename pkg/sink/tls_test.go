package sink_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
)

// tlsFiles writes the certificate and key of server, which signs itself, and returns their paths.
func tlsFiles(t *testing.T, server *httptest.Server) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", server.Certificate().Raw), write("key.pem", "PRIVATE KEY", der)
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		} else if len(r.TLS.PeerCertificates) == 0 {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	cert, key := tlsFiles(t, server)

	tests := []struct {
		name   string
		config sink.TLS
		want   string
	}{
		{"own authority and client certificate", sink.TLS{CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "example.com"}, ""},
		{"the system's authorities", sink.TLS{ServerName: "example.com"}, "unknown authority"},
		{"another name", sink.TLS{CAFile: cert, ServerName: "other.test"}, "not other.test"},
		{"no client certificate", sink.TLS{CAFile: cert}, "answered 403"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			err = sink.Send(newClient(t, tt.config), req)
			if tt.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.want == "" {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, config := range map[string]sink.TLS{
		"tls.ca_file: open /none":                 {CAFile: "/none"},
		"tls.ca_file: no certificate in " + empty: {CAFile: empty},
		"tls.cert_file: ":                         {CertFile: empty, KeyFile: empty},
	} {
		if _, err := sink.HTTPClient(config); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, config := range []sink.TLS{{CertFile: "cert"}, {KeyFile: "key"}} {
		if err := config.Validate(); err == nil {
			t.Errorf("%+v is valid", config)
		}
	}
	if err := (sink.TLS{CertFile: "cert", KeyFile: "key"}).Validate(); err != nil {
		t.Error(err)
	}
}
