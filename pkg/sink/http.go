package sink

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// TLS is how sinks are told about certificates.
type TLS struct {
	// CAFile holds the certificates of the authorities to trust instead of the system's (PEM).
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile hold the client's own certificate and key (PEM), for mutual TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name that the server's certificate must have, if not the host of the URL.
	ServerName string `yaml:"server_name"`
}

// Validate checks that a certificate comes with its key.
func (t TLS) Validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("tls: cert_file and key_file go together")
	}
	return nil
}

// Config reads the files.
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

// HTTPClient returns a client for a sink that speaks HTTP: it follows no redirect, takes its proxy
// from the environment, keeps idle connections for as many deliveries as go at once, and sets no
// time limit of its own, since each delivery's context has one.
func HTTPClient(t TLS) (*http.Client, error) {
	config, err := t.Config()
	if err != nil {
		return nil, err
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("http.DefaultTransport is a %T", http.DefaultTransport)
	}
	transport = transport.Clone()
	transport.TLSClientConfig = config
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// CheckResponse reads what is left of resp, closes it, and returns nil for a 2xx status or else an
// error of the class that the status asks for:
//
//   - 408, 425, 429 and 5xx are tried again, after what Retry-After says;
//   - 401, 403 and 404 are the receiver's fault, not the report's, and tried again too;
//   - anything else, a redirect included, is final.
func CheckResponse(resp *http.Response) error {
	// A little of the body explains the status; reading it to its end keeps the connection.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	_, _ = io.CopyN(io.Discard, resp.Body, 256<<10)
	resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("answered %s%s", resp.Status, quoteFirstLine(body))
	switch code := resp.StatusCode; {
	case code == 408, code == 425, code == 429, code/100 == 5:
		return RetryAfter(err, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	case code == 401, code == 403, code == 404:
		return err
	default:
		return Permanent(err)
	}
}

// retryAfter reads a Retry-After header: seconds or an HTTP date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func quoteFirstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	if len(line) == 0 {
		return ""
	}
	const most = 200
	text := strings.ToValidUTF8(string(line), "\ufffd")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return ": " + strconv.Quote(text)
}
