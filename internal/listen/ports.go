package listen

import (
	"context"
	"crypto/tls"
	"net"
)

// Ports is how a daemon opens its ports. Its zero value opens them with nothing of what a daemon has.
type Ports struct {
	Sockets      *Sockets      // that systemd has passed; nil for none
	Certificates *Certificates // what can be renewed; nil for nothing
}

// Open listens on address (host:port).
func (p Ports) Open(ctx context.Context, address string, t TLS) (net.Listener, error) {
	config, err := p.Certificates.Config(address, t)
	if err != nil {
		return nil, err
	}
	l, err := p.Sockets.Open(ctx, address)
	if err != nil || config == nil {
		return l, err
	}
	return tls.NewListener(l, config), nil
}
