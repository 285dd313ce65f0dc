package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// Probe connects to the receiver, for https with the TLS handshake, and sends nothing.
//
// It proves that the name resolves, that somebody listens, and that the certificate is good. It
// does not prove that there is a webhook under the path, that the receiver takes the credentials,
// the client certificate (which TLS 1.3 refuses only after the handshake) or the signature, nor,
// behind a proxy, anything of the receiver: then it is the proxy that it connects to.
func (w *webhook) Probe(ctx context.Context) error {
	target, what := w.url, w.url.Scheme+"://"+w.url.Host
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: w.url})
	if err != nil {
		return fmt.Errorf("find the proxy of %s: %w", what, err)
	}
	if proxy != nil {
		target, what = proxy, fmt.Sprintf("the proxy %s://%s of %s", proxy.Scheme, proxy.Host, what)
	}
	if err := connect(ctx, target, w.tls.Clone()); err != nil {
		return fmt.Errorf("connect to %s: %w", what, err)
	}
	return nil
}

func connect(ctx context.Context, target *url.URL, config *tls.Config) error {
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[target.Scheme]
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(target.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if target.Scheme != "https" {
		return nil
	}
	if config.ServerName == "" {
		config.ServerName = target.Hostname()
	}
	return tls.Client(conn, config).HandshakeContext(ctx)
}
