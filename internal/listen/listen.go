// Package listen is how this program opens its ports: with or without TLS, and with a look at who
// is asking. The source that takes Falco's posts and the status server share it.
package listen

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// TLS is how a listener is told about certificates.
type TLS struct {
	// CertFile holds the server's certificate and what it was signed with (PEM).
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the server's key (PEM).
	KeyFile string `yaml:"key_file"`
	// ClientCAFile holds the authorities of client certificates (PEM); set, each client must show
	// one.
	ClientCAFile string `yaml:"client_ca_file"`
}

// Validate says what is wrong with t.
func (t TLS) Validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("tls: cert_file and key_file go together")
	}
	if t.ClientCAFile != "" && t.CertFile == "" {
		return errors.New("tls: client_ca_file needs cert_file and key_file")
	}
	return nil
}

// Mutual reports whether each client must show a certificate.
func (t TLS) Mutual() bool { return t.ClientCAFile != "" }

// Files are those that t names.
func (t TLS) Files() (names []string) {
	for _, name := range []string{t.CertFile, t.KeyFile, t.ClientCAFile} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// CheckAddress says what is wrong with address as something to listen on.
func CheckAddress(address string) error {
	if address == "" {
		return errors.New("missing")
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("want host:port, got %q", address)
	}
	return nil
}

// Loopback reports whether only this machine can reach address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Authorized reports whether r shows token: as a bearer token, or as the password of Basic with
// any user name, since a URL is all that some senders can be told. It takes the same time for
// every wrong token.
func Authorized(r *http.Request, token string) bool {
	scheme, shown, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		_, shown, ok = r.BasicAuth()
	}
	a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && ok
}
