// Package webhook is the sink that posts reports as JSON, signed by the Standard Webhooks
// convention (https://www.standardwebhooks.com) if it has a secret.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "webhook",
	Summary: "posts reports as signed JSON",
	Default: func() Config { return Config{} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	target, err := sink.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	key, err := c.key()
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	tlsConfig, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	return &webhook{url: target, key: key, header: c.header(env.Version), tls: tlsConfig, client: client}, nil
}

type webhook struct {
	url    *url.URL
	key    []byte      // of the signature; empty for none
	header http.Header // what is the same in each request
	tls    *tls.Config // of Probe; the client has its own, which it changes
	client *http.Client
}

// Deliver posts r. The receiver can tell a repeat by the webhook-id, which is the report's.
func (w *webhook) Deliver(ctx context.Context, r *report.Report) error {
	body, err := report.Marshal(r)
	if err != nil {
		return sink.Permanent(err)
	}
	return sink.Send(w.client, w.request(ctx, r.ID, body, time.Now()))
}

// request builds the request by hand: the URL was parsed once, and an error of http.NewRequest
// would show it.
func (w *webhook) request(ctx context.Context, id string, body []byte, now time.Time) *http.Request {
	header := make(http.Header, len(w.header)+4)
	for name, values := range w.header {
		header[name] = values // which nobody changes
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header["Webhook-Id"] = []string{id}
	header["Webhook-Timestamp"] = []string{timestamp}
	if len(w.key) > 0 {
		header["Webhook-Signature"] = []string{sign(w.key, id, timestamp, body)}
	}
	req := &http.Request{
		Method: http.MethodPost, URL: w.url, Host: w.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body:          io.NopCloser(bytes.NewReader(body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
		ContentLength: int64(len(body)),
	}
	return req.WithContext(ctx)
}

// sign returns the value of webhook-signature: version 1 is HMAC-SHA256 in base64 over
// id.timestamp.body.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+timestamp+".")
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Close gives back idle connections.
func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}
