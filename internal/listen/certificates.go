package listen

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/filelessd/filelessd/internal/smallfile"
)

// Certificates are those of the listeners of a daemon, which can be renewed while they listen: a
// connection is let in by what the files said when they were read last.
//
// A nil *Certificates renews none. Methods may be called from any goroutine.
type Certificates struct {
	mu  sync.Mutex
	all []*certificate
}

// certificate is the one of a listener.
type certificate struct {
	address string
	tls     TLS
	sum     [sha256.Size]byte // of the files
	inForce atomic.Pointer[tls.Config]
}

// Config reads the files of the listener on address; nil without any.
func (c *Certificates) Config(address string, t TLS) (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	config, sum, err := t.read()
	if err != nil || c == nil {
		return config, err
	}
	k := &certificate{address: address, tls: t, sum: sum}
	k.inForce.Store(config)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, k)
	return &tls.Config{
		MinVersion: config.MinVersion, // of what is never used, for those who look
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return k.inForce.Load(), nil
		},
	}, nil
}

// Renew reads the files of the listeners again that stay as they are; others keep what they have, and their
// files may be gone. apply puts in place what they hold now, which can not fail and is for connections that
// begin after it; changed are the addresses where that is something else.
func (c *Certificates) Renew(stays func(address string, t TLS) bool) (apply func(), changed []string, err error) {
	if c == nil {
		return func() {}, nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var applies []func()
	for _, k := range c.all {
		if !stays(k.address, k.tls) {
			continue
		}
		config, sum, err := k.tls.read()
		if err != nil {
			return nil, nil, fmt.Errorf("the listener on %s: %w", k.address, err)
		}
		if sum == k.sum {
			continue
		}
		changed = append(changed, k.address)
		applies = append(applies, func() {
			k.sum = sum
			k.inForce.Store(config)
		})
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range applies {
			f()
		}
	}, changed, nil
}

// read returns what the files hold, and what stands for it.
func (t TLS) read() (_ *tls.Config, sum [sha256.Size]byte, err error) {
	held := map[string][]byte{}
	h := sha256.New()
	for _, f := range []struct{ key, name string }{
		{"cert_file", t.CertFile}, {"key_file", t.KeyFile}, {"client_ca_file", t.ClientCAFile},
	} {
		if f.name == "" {
			continue
		}
		text, err := smallfile.ReadRegular(f.name)
		if err != nil {
			return nil, sum, fmt.Errorf("tls.%s: %w", f.key, naming(f.name, err))
		}
		held[f.key] = text
		fmt.Fprintf(h, "%s %d\n%s", f.key, len(text), text)
	}
	pair, err := tls.X509KeyPair(held["cert_file"], held["key_file"])
	if err != nil {
		return nil, sum, fmt.Errorf("tls.cert_file: %s with %s: %w", t.CertFile, t.KeyFile, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.Mutual() {
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		config.SessionTicketsDisabled = true // a session that goes on would not be asked for a certificate that is good now
		if !config.ClientCAs.AppendCertsFromPEM(held["client_ca_file"]) {
			return nil, sum, fmt.Errorf("tls.client_ca_file: no certificate in %s", t.ClientCAFile)
		}
	}
	return config, [sha256.Size]byte(h.Sum(nil)), nil
}

// naming adds the file to an error that does not name it.
func naming(file string, err error) error {
	var named *os.PathError
	if errors.As(err, &named) {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}
