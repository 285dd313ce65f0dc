// Package nats is the sink that publishes reports to JetStream, the streams of NATS.
//
// The server folds repeats by the header Nats-Msg-Id, which is the report's ID. A connection is made when the
// first report comes and given up when it breaks: the program that holds the queue is what tries again, and the
// library's own reconnecting, which buffers messages meanwhile, would say "accepted" too early.
package nats

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "nats",
	Summary: "publishes reports to a stream of NATS JetStream",
	Default: defaults,
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	s := &natsSink{config: c, name: "filelessd " + env.Name, hosts: c.hosts(), secrets: c.secrets()}
	var err error
	if s.subject, err = parseSubject(c.Subject); err != nil {
		return nil, err
	}
	if s.render, err = c.Render(env); err != nil {
		return nil, err
	}
	if s.tls, err = c.TLS.Config(); err != nil {
		return nil, err
	}
	if _, err := c.servers(); err != nil {
		return nil, err
	}
	return s, nil
}

type natsSink struct {
	config  Config
	name    string
	hosts   string // for messages
	secrets []sink.Secret
	subject []part
	render  func(*report.Report) ([]byte, error)
	tls     *tls.Config

	complaint atomic.Pointer[string] // what the server said that is no answer: a subject that is not allowed

	mu     sync.Mutex // held while connecting
	conn   *nats.Conn // nil before the first report
	closed bool
}

// Deliver publishes r and waits for the stream's answer.
func (s *natsSink) Deliver(ctx context.Context, r *report.Report) error {
	return s.failed(s.deliver(ctx, r))
}

func (s *natsSink) deliver(ctx context.Context, r *report.Report) error {
	conn, err := s.connection(ctx)
	if err != nil {
		return err
	}
	m, err := s.message(ctx, r, conn.MaxPayload())
	if err != nil {
		return sink.Permanent(err)
	}
	s.complaint.Store(nil)
	reply, err := conn.RequestMsgWithContext(ctx, m)
	complaint := s.complaint.Load()
	switch {
	case err != nil && complaint != nil:
		return fmt.Errorf("%w: the server said %q", err, *complaint)
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("no stream takes the subject %s", m.Subject)
	case errors.Is(err, nats.ErrMaxPayload):
		return sink.Permanent(err)
	case err != nil:
		return err
	}
	return answer(reply.Data)
}

// DeliverBatch publishes reports without waiting for one answer before the next: they share a connection.
func (s *natsSink) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	var group sync.WaitGroup
	for i, r := range rs {
		group.Go(func() { errs[i] = s.Deliver(ctx, r) })
	}
	group.Wait()
	return errs
}

// Codes of JetStream's errors that are about the message.
const errMessageTooLarge = 10054

// answer reads what the stream says.
func answer(data []byte) error {
	var ack struct {
		Stream string
		Error  *struct {
			Code        int
			ErrCode     int `json:"err_code"`
			Description string
		}
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return fmt.Errorf("not an answer of JetStream: %.100q", data)
	}
	switch {
	case ack.Error != nil:
		err := fmt.Errorf("JetStream refused it: %q (%d)", ack.Error.Description, ack.Error.ErrCode)
		if ack.Error.ErrCode == errMessageTooLarge {
			return sink.Permanent(err)
		}
		return err
	case ack.Stream == "":
		return fmt.Errorf("not an answer of JetStream, but of somebody who listens to the subject: %.100q", data)
	}
	return nil
}

// connection returns the one that there is, or a new one.
func (s *natsSink) connection(ctx context.Context) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the sink is closed")
	}
	if s.conn != nil && s.conn.IsConnected() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	conn, err := s.connect(ctx)
	s.conn = conn
	return conn, err
}

// connect tries each server once.
func (s *natsSink) connect(ctx context.Context) (*nats.Conn, error) {
	dialer := &contextDialer{ctx: ctx}
	defer dialer.release()
	options, err := s.options(dialer)
	if err != nil {
		return nil, err
	}
	var urls []string
	servers, _ := s.config.servers()
	for _, u := range servers {
		urls = append(urls, u.String())
	}
	conn, err := nats.Connect(strings.Join(urls, ","), options...)
	switch {
	case ctx.Err() != nil:
		if conn != nil {
			conn.Close()
		}
		return nil, ctx.Err()
	case err != nil && dialer.failed != nil && errors.Is(err, nats.ErrNoServers):
		return nil, dialer.failed // which says more
	}
	return conn, err
}

func (s *natsSink) options(dialer *contextDialer) ([]nats.Option, error) {
	c := s.config
	timeout := 10 * time.Second
	if deadline, ok := dialer.ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Millisecond)
	}
	options := []nats.Option{
		nats.Name(s.name), nats.NoReconnect(), nats.IgnoreDiscoveredServers(), nats.SkipHostLookup(), nats.SetCustomDialer(dialer),
		nats.Timeout(timeout), nats.PingInterval(15 * time.Second), nats.NoEcho(), nats.NoCallbacksAfterClientClose(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { // without one the library prints it
			text := err.Error()
			s.complaint.Store(&text)
		}),
	}
	switch {
	case c.Credentials != "":
		options = append(options, nats.UserCredentialBytes([]byte(c.Credentials)))
	case c.NKeySeed != "":
		public, sign, err := c.nkey()
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(public, sign))
	case c.Token != "":
		options = append(options, nats.Token(string(c.Token)))
	case c.Username != "":
		options = append(options, nats.UserInfo(c.Username, string(c.Password)))
	}
	if c.TLS != (sink.TLS{}) || strings.Contains(string(c.URL), "tls://") {
		options = append(options, nats.Secure(s.tls.Clone()))
	}
	return options, nil
}

// contextDialer has the library's connecting end with a context, which it does not take.
type contextDialer struct {
	ctx    context.Context
	stops  []func() bool
	failed error
}

// Dial is for nats.CustomDialer.
func (d *contextDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := sink.Dialer{Network: network, Address: address}.Dial(d.ctx)
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.stops = append(d.stops, context.AfterFunc(d.ctx, func() { _ = conn.Close() }))
	return conn, nil
}

// release lets the connection outlive the context.
func (d *contextDialer) release() {
	for _, stop := range d.stops {
		stop()
	}
}

func (s *natsSink) failed(err error) error {
	if err == nil {
		return nil
	}
	// %w keeps the class.
	return sink.Hide(fmt.Errorf("%s: %w", s.hosts, err), s.secrets...)
}

// Probe connects, shows who it is, and waits for the server's answer.
func (s *natsSink) Probe(ctx context.Context) error {
	conn, err := s.connection(ctx)
	if err == nil {
		if _, ok := ctx.Deadline(); !ok { // the library insists on one
			var cancel func()
			ctx, cancel = context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
		}
		err = conn.FlushWithContext(ctx)
	}
	return s.failed(err)
}

// Close closes the connection.
func (s *natsSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	return nil
}
