// Package pagerduty is the sink that wakes people: it triggers alerts by PagerDuty's Events API v2.
//
// It never acknowledges or resolves one. That an attack has stopped making alerts says nothing of whether
// it is over; people decide that.
package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "pagerduty",
	Summary: "triggers alerts in PagerDuty",
	Default: func() Config { return Config{URL: "https://events.pagerduty.com/v2/enqueue"} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	target, err := sink.ParseURL(sink.Secret(c.URL))
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	agent := "filelessd"
	if env.Version != "" {
		agent += "/" + env.Version
	}
	return &pagerduty{config: c, url: target, client: client, now: time.Now, header: http.Header{
		"User-Agent": {agent}, "Content-Type": {"application/json"},
		// An empty value is not sent. It tells the transport that a repeat does no harm: it has the same
		// dedup_key.
		"Idempotency-Key": {},
	}}, nil
}

type pagerduty struct {
	config Config
	url    *url.URL
	client *http.Client
	header http.Header
	now    func() time.Time
}

// Deliver triggers the alert that r belongs to, or adds r to it if it is open.
func (p *pagerduty) Deliver(ctx context.Context, r *report.Report) error {
	body, err := json.Marshal(p.event(r, sink.ThreadKey(ctx, r)))
	if err != nil {
		return sink.Permanent(err)
	}
	return sink.Hide(classify(sink.Send(p.client, p.request(ctx, http.MethodPost, body))), p.config.RoutingKey)
}

// classify makes an unknown routing key passing. PagerDuty answers 400 to it as it does to an event that
// is wrong, but it is the configuration that has to be mended.
func classify(err error) error {
	if !sink.IsPermanent(err) {
		return err
	}
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "routing key") || strings.Contains(text, "routing_key") {
		return sink.RetryAfter(err, 0)
	}
	return err
}

// Probe asks for the address without an event. Any answer of PagerDuty's will do: nothing but an event
// says whether the routing key is right.
func (p *pagerduty) Probe(ctx context.Context) error {
	resp, err := sink.Do(p.client, p.request(ctx, http.MethodGet, nil)) //nolint:bodyclose // CheckResponse closes it
	if err != nil {
		return sink.Hide(err, p.config.RoutingKey)
	}
	status := resp.StatusCode
	if err := sink.CheckResponse(resp); err != nil && (status/100 == 5 || status == http.StatusProxyAuthRequired) {
		return sink.Hide(err, p.config.RoutingKey)
	}
	return nil
}

func (p *pagerduty) request(ctx context.Context, method string, body []byte) *http.Request {
	req := &http.Request{
		Method: method, URL: p.url, Host: p.url.Host, Header: p.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if body != nil {
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.ContentLength = int64(len(body))
	}
	return req.WithContext(ctx)
}

// Close drops idle connections.
func (p *pagerduty) Close() error {
	p.client.CloseIdleConnections()
	return nil
}
