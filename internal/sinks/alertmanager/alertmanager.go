// Package alertmanager is the sink that raises reports as alerts of Prometheus' Alertmanager.
//
// An alert there is its labels: what has the same labels is the same alert, which is shown once and
// notified once. So labels say what is attacked and how, and what differs from one process to the next
// stands in annotations. The id of the report among the labels would make a repeat of an attack a new
// alert each time, and silences impossible.
package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "alertmanager",
	Summary: "raises reports as alerts of Alertmanager",
	Default: func() Config { return Config{Lasts: time.Hour} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	alerts, status, err := c.targets()
	if err != nil {
		return nil, err
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	return &alertmanager{config: c, alerts: alerts, status: status, header: c.header(env.Version), client: client, now: time.Now}, nil
}

type alertmanager struct {
	config Config
	alerts []*url.URL
	status []*url.URL
	header http.Header // what is the same in each request
	client *http.Client
	now    func() time.Time
}

// Deliver raises or renews the alert that r belongs to.
func (a *alertmanager) Deliver(ctx context.Context, r *report.Report) error {
	return a.send(ctx, []*report.Report{r})
}

// DeliverBatch posts all alerts at once, and what Alertmanager says is said of each: it takes those that
// are in order and refuses the request all the same if one is not.
func (a *alertmanager) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	err := a.send(ctx, rs)
	errs := make([]error, len(rs))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (a *alertmanager) send(ctx context.Context, rs []*report.Report) error {
	now := a.now()
	alerts := make([]alert, len(rs))
	for i, r := range rs {
		alerts[i] = a.alert(r, sink.ThreadKey(ctx, r), now)
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return sink.Permanent(err)
	}
	return a.toAll(a.alerts, func(u *url.URL) error {
		return sink.Send(a.client, a.request(ctx, http.MethodPost, u, body))
	}, anyOf)
}

// Probe asks every Alertmanager for its status, with the credentials that deliveries have.
func (a *alertmanager) Probe(ctx context.Context) error {
	return a.toAll(a.status, func(u *url.URL) error {
		return sink.Send(a.client, a.request(ctx, http.MethodGet, u, nil))
	}, func(errs []error) error { return errors.Join(errs...) })
}

// toAll calls do for all at once and returns what decide makes of their errors.
func (a *alertmanager) toAll(targets []*url.URL, do func(*url.URL) error, decide func([]error) error) error {
	if len(targets) == 1 {
		return do(targets[0])
	}
	errs := make([]error, len(targets))
	var group sync.WaitGroup
	for i, u := range targets {
		group.Go(func() { errs[i] = do(u) })
	}
	group.Wait()
	return decide(errs)
}

// anyOf is nil if one has taken it: those of a cluster tell each other what they have notified, so that
// the others being away is no reason to send it again. It is final only if all say so.
func anyOf(errs []error) error {
	final, delay := true, time.Duration(0)
	for _, err := range errs {
		if err == nil {
			return nil
		}
		if !sink.IsPermanent(err) {
			final, delay = false, max(delay, sink.Delay(err))
		}
	}
	err := fmt.Errorf("none of %d: %w", len(errs), errors.Join(errs...))
	if final {
		return sink.Permanent(err)
	}
	return sink.RetryAfter(err, delay)
}

// request builds the request by hand: the URL was parsed once, and an error of http.NewRequest
// would show it.
func (a *alertmanager) request(ctx context.Context, method string, u *url.URL, body []byte) *http.Request {
	req := &http.Request{
		Method: method, URL: u, Host: u.Host, Header: a.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if body != nil {
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.ContentLength = int64(len(body))
	}
	return req.WithContext(ctx)
}

// Close drops idle connections.
func (a *alertmanager) Close() error {
	a.client.CloseIdleConnections()
	return nil
}
