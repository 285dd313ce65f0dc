package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Dialer connects a sink that does not speak HTTP. It asks no proxy: those of the environment are for
// HTTP.
//
//	conn, err := sink.Dialer{Network: "tcp", Address: c.Address, TLS: config}.Dial(ctx)
type Dialer struct {
	// Network is tcp, udp, unix or unixgram.
	Network string
	// Address is host:port, or the path of a socket. See CheckAddress.
	Address string
	// TLS is that of TLS.Config; nil connects without. Where the protocol begins plain (STARTTLS), dial
	// without and call Secure.
	TLS *tls.Config
}

// CheckAddress returns an error that begins with key unless address is host:port, with a port between 1
// and 65535.
func CheckAddress(key, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("%s: want host:port", key)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%s: the port is not between 1 and 65535", key)
	}
	return nil
}

// Dial connects, and greets for TLS, until ctx ends. Its errors are passing: what is not there now may
// be there later, and a certificate that is wrong is the receiver's fault or the configuration's, not
// the report's.
func (d Dialer) Dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, d.Network, d.Address)
	if err != nil {
		return nil, d.failed(ctx, "connect", err)
	}
	if d.TLS == nil {
		return conn, nil
	}
	return d.Secure(ctx, conn)
}

// Secure greets for TLS on conn, which it closes after an error. The server's name is that of the
// configuration, or the host of the address.
func (d Dialer) Secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	config := d.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = d.Address
		if host, _, err := net.SplitHostPort(d.Address); err == nil {
			config.ServerName = host
		}
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, d.failed(ctx, "TLS", err)
	}
	return secure, nil
}

// failed is err with where it happened. What ended because ctx did says so.
func (d Dialer) failed(ctx context.Context, what string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err // without the addresses, which are said once
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%s %s %s: %w", what, d.Network, d.Address, err)
}

// Until makes reads and writes on conn end with ctx, whose own end they can not see. The function that
// it returns takes that back; it is to be called before the connection is used for the next report,
// and reports whether ctx had no part in it: if not, the connection is in the middle of something and
// must be closed.
//
//	release := sink.Until(ctx, conn)
//	_, err := conn.Write(message)
//	if !release() || err != nil {
//		conn.Close()
//	}
func Until(ctx context.Context, conn net.Conn) (release func() bool) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	return func() bool {
		if !stop() {
			<-interrupted // else the deadline could come after the next line
			_ = conn.SetDeadline(time.Time{})
			return false
		}
		_ = conn.SetDeadline(time.Time{})
		return true
	}
}
