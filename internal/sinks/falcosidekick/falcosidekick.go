// Package falcosidekick is the sink that hands reports to Falcosidekick in the form of Falco's alerts, so that
// all of its outputs are reached.
package falcosidekick

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "falcosidekick",
	Summary: "hands reports to Falcosidekick as alerts, for all of its outputs",
	Default: func() Config { return Config{} },
	Open:    open,
}

// Config is the configuration of a sink of type falcosidekick.
type Config struct {
	// URL is Falcosidekick's address, such as http://falcosidekick:2801/; with user:password@ for a
	// proxy before it that wants Basic authentication. It is treated as a secret as a whole; messages
	// name its scheme and host only.
	URL sink.Secret `yaml:"url"`
	// Link is where filelessd.report says the whole report is; {id} stands for the report's ID. Empty
	// names the command that shows it.
	Link string `yaml:"link"`
	// TLS is about certificates; Falcosidekick's tlsserver.mutualtls wants one of the client.
	TLS sink.TLS `yaml:"tls"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if _, err := sink.ParseURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	return errors.Join(append(errs, sink.CheckLink("link", c.Link), c.TLS.Validate())...)
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	target, err := sink.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	s := &falcosidekick{url: target, link: c.Link, agent: "filelessd", client: client}
	if env.Version != "" {
		s.agent += "/" + env.Version
	}
	if password, ok := target.User.Password(); ok { // net/http sends both as one text in base64
		s.secrets = []sink.Secret{sink.Secret(password), sink.Secret(target.User.Username() + ":" + password)}
	}
	return s, nil
}

type falcosidekick struct {
	url     *url.URL
	link    string
	agent   string
	secrets []sink.Secret
	client  *http.Client
}

// Deliver posts r. Falcosidekick answers before its outputs have done anything, and gives each alert an
// ID of its own, so a repeat is a second message everywhere.
func (s *falcosidekick) Deliver(ctx context.Context, r *report.Report) error {
	body, err := alertOf(r, s.link)
	if err != nil {
		return sink.Permanent(err)
	}
	return s.send(ctx, http.MethodPost, s.url, body)
}

// Probe asks for /ping, which Falcosidekick answers without an alert.
func (s *falcosidekick) Probe(ctx context.Context) error {
	ping := s.url.JoinPath("ping")
	ping.RawQuery = ""
	return s.send(ctx, http.MethodGet, ping, nil)
}

func (s *falcosidekick) send(ctx context.Context, method string, to *url.URL, body []byte) error {
	req := &http.Request{
		Method: method, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"User-Agent": {s.agent},
			// An empty value is not sent. It tells the transport that a repeat is allowed, so that a
			// connection which the receiver closed while it was idle costs a new one, not a delivery.
			"Idempotency-Key": {},
		},
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.ContentLength = int64(len(body))
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return sink.Hide(sink.Send(s.client, req.WithContext(ctx)), s.secrets...)
}

// Close gives back idle connections.
func (s *falcosidekick) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
