// Package syslog is the sink that sends reports as messages of RFC 5424 over UDP (RFC 5426), TCP
// (RFC 6587), TLS (RFC 5425) or a socket of this machine.
//
// Syslog has no acknowledgement. On a stream the nearest thing is the end of the connection: this side
// closes its half, and the receiver, which reads that end only after all that came before, closes the
// other. So each delivery has a connection of its own, and a batch shares one. Connections that stay
// open were tried and rejected: what a receiver had not read when it stopped is lost without an error,
// and the first message into a connection that was closed while idle as well.
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "syslog",
	Summary: "sends messages of RFC 5424 over UDP, TCP, TLS or a socket",
	Default: defaults,
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	w, err := newWriter(c, env)
	if err != nil {
		return nil, err
	}
	s := &syslog{config: c, write: w}
	if c.Network == "tls" {
		if s.tls, err = c.TLS.Config(); err != nil {
			return nil, err
		}
		// A connection for each delivery: the second greets in one round trip.
		s.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return s, nil
}

func newWriter(c Config, env sink.Env) (writer, error) {
	w := writer{
		facility: facilityNumber(c.Facility), hostname: c.Hostname, appName: c.AppName, version: env.Version,
		sdID: c.SDID, limit: c.limit(), link: c.Link, format: c.Format,
	}
	if w.hostname == "" {
		own, err := os.Hostname()
		if w.hostname = own; err != nil || own == "" || !headerText(own, longestHost) {
			w.hostname = "-"
		}
	}
	if c.Format == "text" {
		return w, nil
	}
	render, err := c.Line(env)
	w.render = render
	return w, err
}

type syslog struct {
	config Config
	write  writer
	tls    *tls.Config
}

// Deliver sends r.
func (s *syslog) Deliver(ctx context.Context, r *report.Report) error {
	return s.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch sends reports over one connection. If that fails, all of them come again, since nothing
// tells how far the receiver was.
func (s *syslog) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	var messages [][]byte
	var of []int // the report of each message
	for i, r := range rs {
		message, err := s.write.message(r)
		if errs[i] = err; err == nil {
			messages, of = append(messages, message), append(of, i)
		}
	}
	if len(messages) == 0 {
		return errs
	}
	for i, err := range s.send(ctx, messages) {
		errs[of[i]] = err
	}
	return errs
}

// send returns what became of each message.
func (s *syslog) send(ctx context.Context, messages [][]byte) []error {
	errs := make([]error, len(messages))
	conn, datagrams, err := s.dial(ctx)
	switch {
	case err != nil:
	case datagrams:
		defer conn.Close()
		defer sink.Until(ctx, conn)()
		for i, m := range messages {
			errs[i] = s.datagram(ctx, conn, m)
		}
		return errs
	default:
		err = s.stream(ctx, conn, messages)
	}
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// dial connects, and says whether the connection is one of datagrams.
func (s *syslog) dial(ctx context.Context) (conn net.Conn, datagrams bool, err error) {
	d := sink.Dialer{Network: s.config.Network, Address: s.config.Address, TLS: s.tls}
	switch s.config.Network {
	case "udp":
		conn, err = d.Dial(ctx)
		return conn, true, err
	case "unix":
		d.Network = "unixgram"
		conn, err = d.Dial(ctx)
		if !errors.Is(err, syscall.EPROTOTYPE) {
			return conn, true, err
		}
		d.Network = "unix" // it is a socket of streams
	case "tls":
		d.Network = "tcp"
	}
	conn, err = d.Dial(ctx)
	return conn, false, err
}

// datagram sends one message. One that is too long for the network will never be taken.
func (s *syslog) datagram(ctx context.Context, conn net.Conn, message []byte) error {
	_, err := conn.Write(message)
	if errors.Is(err, syscall.EMSGSIZE) {
		return sink.Permanent(s.failed(ctx, "send", fmt.Errorf("a message of %d bytes is too long: lower max_bytes", len(message))))
	}
	return s.failed(ctx, "send", err)
}

// stream sends messages, closes, and waits for the receiver to do so too.
func (s *syslog) stream(ctx context.Context, conn net.Conn, messages [][]byte) error {
	defer conn.Close()
	defer sink.Until(ctx, conn)()
	var all net.Buffers
	for _, m := range messages {
		if s.config.Framing == "newline" {
			all = append(all, m, []byte("\n"))
		} else {
			all = append(all, []byte(strconv.Itoa(len(m))+" "), m)
		}
	}
	if _, err := all.WriteTo(conn); err != nil {
		return s.failed(ctx, "send", err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return s.failed(ctx, "send", err)
		}
	}
	if !s.config.Confirm {
		return nil
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return s.failed(ctx, "wait for the receiver to close", err)
	}
	return nil
}

// failed is err with where it happened, and what the context says of it. Nil stays nil.
func (s *syslog) failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err // without the addresses, which are said once
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%s %s: %s: %w", s.config.Network, s.config.Address, what, err)
}

// Probe connects, with the greeting of TLS, and sends nothing. Of UDP it shows no more than that the
// name resolves.
func (s *syslog) Probe(ctx context.Context) error {
	conn, _, err := s.dial(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Close has nothing to give back.
func (s *syslog) Close() error { return nil }
