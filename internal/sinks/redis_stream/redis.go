// Package redisstream is the sink that adds reports to a stream of Redis or Valkey.
package redisstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "redis_stream",
	Summary: "adds reports to a stream of Redis or Valkey",
	Default: defaults,
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	s := &redisStream{config: c, target: t, dialer: sink.Dialer{Network: t.network, Address: t.address}}
	if s.render, err = c.Render(env); err != nil {
		return nil, err
	}
	if t.secure {
		if s.dialer.TLS, err = c.TLS.Config(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

type redisStream struct {
	config Config
	target target
	dialer sink.Dialer
	render func(*report.Report) ([]byte, error)

	mu     sync.Mutex
	idle   []*client
	closed bool
}

// addOnce adds an entry unless the key of the report's ID is there, and leaves that key. It is written
// after the entry: a script of Redis that fails halfway is not taken back.
const addOnce = `if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local added = redis.call('XADD', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], added, 'EX', ARGV[1])
return 1`

// command is what adds r.
func (s *redisStream) command(ctx context.Context, r *report.Report) ([]string, error) {
	body, err := s.render(r)
	if err != nil {
		return nil, err
	}
	var entry []string
	if s.config.MaxLen > 0 {
		entry = append(entry, "MAXLEN", "~", strconv.FormatInt(s.config.MaxLen, 10))
	}
	entry = append(entry, "*")
	entry = append(entry, fields(ctx, r)...)
	entry = append(entry, "format", s.config.Format, "report", string(body))
	if s.config.Remember == 0 {
		return append([]string{"XADD", s.config.Stream}, entry...), nil
	}
	// In braces is what a cluster places a key by: both are on the stream's node.
	seen := "{" + s.config.Stream + "}:seen:" + r.ID
	seconds := strconv.FormatInt(int64(s.config.Remember.Seconds()), 10)
	return append([]string{"EVAL", addOnce, "2", s.config.Stream, seen, seconds}, entry...), nil
}

// fields are what a consumer may want to choose by without reading the report. None is missing: consumers
// can take them by their place.
func fields(ctx context.Context, r *report.Report) []string {
	host := ""
	if r.Event != nil {
		host = r.Event.Hostname
	}
	return []string{
		"id", r.ID, "kind", string(r.Kind), "severity", string(r.Severity), "verdict", string(r.Verdict),
		"score", strconv.Itoa(r.Score), "technique", string(r.Technique), "host", report.Visible(host),
		"thread", sink.ThreadKey(ctx, r),
	}
}

// Deliver adds r.
func (s *redisStream) Deliver(ctx context.Context, r *report.Report) error {
	return s.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch adds reports with one round trip.
func (s *redisStream) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	var commands [][]string
	var of []int // the report of each command
	for i, r := range rs {
		command, err := s.command(ctx, r)
		if errs[i] = sink.Permanent(err); err == nil {
			commands, of = append(commands, command), append(of, i)
		}
	}
	if len(commands) == 0 {
		return errs
	}
	replies, err := s.do(ctx, commands)
	for i, at := range of {
		switch {
		case i < len(replies):
			errs[at] = s.failed(replies[i])
		default:
			errs[at] = s.failed(err)
		}
	}
	return errs
}

// do sends commands over a connection that is idle, or a new one. If an idle one turns out to be closed, a
// new one is tried: a server closes what it has not heard from for a while.
func (s *redisStream) do(ctx context.Context, commands [][]string) ([]error, error) {
	for c := s.take(); c != nil; c = s.take() {
		replies, err := s.over(ctx, c, commands)
		if err == nil || len(replies) > 0 || ctx.Err() != nil {
			return replies, err
		}
	}
	c, err := dial(ctx, s.dialer, s.target)
	if err != nil {
		return nil, err
	}
	return s.over(ctx, c, commands)
}

// over sends commands over c, and keeps it if it is whole.
func (s *redisStream) over(ctx context.Context, c *client, commands [][]string) ([]error, error) {
	replies, err := c.do(ctx, commands)
	if _, refused := errors.AsType[replyError](err); err == nil || refused && len(replies) == len(commands) {
		s.give(c)
		return replies, err
	}
	_ = c.conn.Close()
	return replies, err
}

func (s *redisStream) take() *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	c := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return c
}

// mostIdle is how many connections are kept; more deliveries at once have their own.
const mostIdle = 8

func (s *redisStream) give(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.idle) >= mostIdle {
		_ = c.conn.Close()
		return
	}
	s.idle = append(s.idle, c)
}

// failed gives an error its class, and takes secrets out of it.
func (s *redisStream) failed(err error) error {
	if err == nil {
		return nil
	}
	refused, isReply := errors.AsType[replyError](err)
	err = fmt.Errorf("%s: %w", s.target, err)
	if isReply && tooLarge(string(refused)) {
		err = sink.Permanent(err)
	}
	return sink.Hide(err, s.config.URL, sink.Secret(s.target.password), sink.Secret(s.target.username+":"+s.target.password))
}

// tooLarge reports whether a refusal is about the report. All others are about the server or the
// configuration, and are over when those are mended: full, loading, read-only, no permission, a key that
// is no stream.
func tooLarge(refused string) bool {
	return strings.Contains(refused, "invalid bulk length") || strings.Contains(refused, "exceeds maximum allowed size")
}

// Probe connects, shows who it is, and asks for an answer.
func (s *redisStream) Probe(ctx context.Context) error {
	_, err := s.do(ctx, [][]string{{"PING"}})
	return s.failed(err)
}

// Close closes idle connections.
func (s *redisStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.idle {
		_ = c.conn.Close()
	}
	s.idle = nil
	return nil
}
