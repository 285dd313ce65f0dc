package sink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how sinks are told about certificates, alike for all protocols. There is no key that leaves the
// server's certificate unchecked (insecure_skip_verify): reports say what an attack on a host found, and
// credentials of the receiver go along, so whoever stands in between must be kept out. A certificate that
// signs itself is trusted by ca_file, one of another name by server_name.
type TLS struct {
	// CAFile holds the certificates of the authorities to trust instead of the system's (PEM).
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile hold the client's own certificate and key (PEM), for mutual TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name that the server's certificate must have, if not the host of the URL.
	ServerName string `yaml:"server_name"`
	// MinVersion is the oldest version to accept: TLS12, which is the default, or TLS13.
	MinVersion string `yaml:"min_version"`
}

// oldest is the number of MinVersion.
func (t TLS) oldest() (uint16, error) {
	switch t.MinVersion {
	case "", "TLS12":
		return tls.VersionTLS12, nil
	case "TLS13":
		return tls.VersionTLS13, nil
	default:
		return 0, fmt.Errorf("tls.min_version: want TLS12 or TLS13, got %q", t.MinVersion)
	}
}

// Validate checks that a certificate comes with its key, and the version.
func (t TLS) Validate() error {
	_, err := t.oldest()
	if (t.CertFile == "") != (t.KeyFile == "") {
		err = errors.Join(err, errors.New("tls: cert_file and key_file go together"))
	}
	return err
}

// Config reads the files. A sink that hands the result to a library of its own, and not to a Dialer, sets
// ServerName to the receiver's host if it is empty and the library does not.
func (t TLS) Config() (*tls.Config, error) {
	oldest, err := t.oldest()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: oldest, ServerName: t.ServerName}
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
