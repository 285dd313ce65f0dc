// Package slack is the sink that posts reports to a channel of Slack: through an incoming webhook, or as a
// bot, which keeps reports on one attack in one thread.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "slack",
	Summary: "posts to a channel of Slack, one thread for each attack",
	Default: func() Config {
		return Config{APIURL: "https://slack.com/api", MentionSeverity: string(report.High)}
	},
	Open: open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	base := poster{client: client, header: http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"filelessd"},
	}}
	if env.Version != "" {
		base.header.Set("User-Agent", "filelessd/"+env.Version)
	}
	format := layout{mentions: c.Mentions, from: report.Severity(c.MentionSeverity), link: c.Link}
	if c.URL != "" {
		if base.url, err = sink.ParseURL(c.URL); err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
		return &webhook{poster: base, layout: format}, nil
	}
	base.header.Set("Authorization", "Bearer "+string(c.Token))
	b := &bot{poster: base, layout: format, channel: c.Channel, broadcast: c.ReplyBroadcast, state: env.State}
	for name, to := range map[string]**url.URL{"chat.postMessage": &b.url, "auth.test": &b.test} {
		if *to, err = c.method(name); err != nil {
			return nil, fmt.Errorf("api_url: %w", err)
		}
	}
	return b, nil
}

// poster sends requests to Slack.
type poster struct {
	url    *url.URL
	client *http.Client
	header http.Header
}

func (p poster) post(ctx context.Context, to *url.URL, message any) (*http.Response, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return nil, sink.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body.Bytes()))
	if err != nil { // which shows the URL
		return nil, errors.New("can not make a request of the url")
	}
	req.Header = p.header.Clone()
	return sink.Do(p.client, req)
}

// Close gives back idle connections.
func (p poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// webhook posts through an incoming webhook.
type webhook struct {
	poster
	layout layout
}

// Deliver posts a message.
func (w *webhook) Deliver(ctx context.Context, r *report.Report) error {
	resp, err := w.post(ctx, w.url, w.layout.message(r)) //nolint:bodyclose // checkWebhook closes it
	if err != nil {
		return err
	}
	_, err = checkWebhook(resp)
	return err
}

// Probe posts an object without a text, which Slack refuses as that if it knows the webhook.
func (w *webhook) Probe(ctx context.Context) error {
	resp, err := w.post(ctx, w.url, struct{}{}) //nolint:bodyclose // checkWebhook closes it
	if err != nil {
		return err
	}
	if said, err := checkWebhook(resp); !lacksText[said] {
		return err
	}
	return nil
}

// bot posts by the Web API.
type bot struct {
	poster
	layout    layout
	test      *url.URL
	channel   string
	broadcast bool
	state     sink.State
}

// Deliver posts a message, into the thread of its attack if there is one.
func (b *bot) Deliver(ctx context.Context, r *report.Report) error {
	m := b.layout.message(r)
	m.Channel = b.channel
	key := "thread/" + b.channel + "/" + sink.ThreadKey(ctx, r)
	if first, ok := b.state.Get(key); ok {
		m.Thread, m.Broadcast = first, b.broadcast
		_, err := b.send(ctx, m)
		if !isGone(err) {
			return err
		}
		// Somebody deleted the first message. This one begins another thread.
		b.state.Put(key, "")
		m.Thread, m.Broadcast = "", false
	}
	ts, err := b.send(ctx, m)
	if err != nil {
		return err
	}
	b.state.Put(key, ts)
	return nil
}

// send posts m and returns the time stamp by which Slack knows the message.
func (b *bot) send(ctx context.Context, m message) (ts string, err error) {
	resp, err := b.post(ctx, b.url, m) //nolint:bodyclose // checkAPI closes it
	if err != nil {
		return "", err
	}
	return checkAPI(resp)
}

// Probe asks whether the token is good, with the one method that needs no scope. It does not tell
// whether the bot may post in the channel.
func (b *bot) Probe(ctx context.Context) error {
	resp, err := b.post(ctx, b.test, struct{}{}) //nolint:bodyclose // checkAPI closes it
	if err != nil {
		return err
	}
	_, err = checkAPI(resp)
	return err
}
