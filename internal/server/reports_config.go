package server

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/pkg/sink"
)

// GRPCConfig is the configuration of the report service.
type GRPCConfig struct {
	// Listen is its address, host:port or unix:///path; empty for none. Beyond loopback it needs
	// tls.client_ca_file, or token and tls.cert_file. A unix socket is for the user that the program
	// runs as, and root.
	Listen string `yaml:"listen"`
	// Token that a client must show in its metadata: authorization, Bearer and the token.
	Token sink.Secret `yaml:"token"`
	// TLS of the listener.
	TLS listen.TLS `yaml:"tls"`
}

const unixPrefix = "unix://"

// Validate says what is wrong with c.
func (c GRPCConfig) Validate() error {
	return errors.Join(c.checkListen(), c.TLS.Validate())
}

func (c GRPCConfig) checkListen() error {
	if c.Listen == "" {
		return nil
	}
	unix, err := checkUnixOr(c.Listen)
	if err != nil || unix {
		return err
	}
	if !listen.Loopback(c.Listen) && !c.TLS.Mutual() && (c.Token == "" || c.TLS.CertFile == "") {
		return errors.New("listen: beyond loopback set tls.client_ca_file, or token and tls.cert_file: reports tell an attacker what is known of him")
	}
	return nil
}

// checkUnixOr says what is wrong with an address that may be host:port or unix:///path, and which it is.
func checkUnixOr(address string) (unix bool, err error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		if !filepath.IsAbs(path) {
			return true, fmt.Errorf("listen: want unix:///path with an absolute path, got %q", address)
		}
		return true, nil
	}
	if err := listen.CheckAddress(address); err != nil {
		return false, fmt.Errorf("listen: %w, or unix:///path", err)
	}
	return false, nil
}
