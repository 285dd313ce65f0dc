// Package splunkhec is the sink that sends reports to the HTTP Event Collector of Splunk, and to what else
// speaks its protocol.
package splunkhec

import (
	"bytes"
	"context"
	"encoding/json"
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
	Name:    "splunk_hec",
	Summary: "sends events to Splunk's HTTP Event Collector",
	Default: func() Config { return Config{Source: "filelessd", Output: sink.Output{Format: "json"}} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	endpoint, err := c.endpoint()
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	render, err := c.Render(env)
	if err != nil {
		return nil, err
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	h := &hec{endpoint: endpoint, health: health(endpoint), client: client, header: http.Header{
		"Authorization": {"Splunk " + string(c.Token)},
		"Content-Type":  {"application/json; charset=utf-8"},
		"User-Agent":    {"filelessd"},
	}}
	if env.Version != "" {
		h.header.Set("User-Agent", "filelessd/"+env.Version)
	}
	h.events = events{config: c, render: render}
	return h, nil
}

type hec struct {
	endpoint, health *url.URL
	client           *http.Client
	header           http.Header
	events           events
}

// Deliver sends r as one event.
func (h *hec) Deliver(ctx context.Context, r *report.Report) error {
	event, err := h.events.one(r)
	if err != nil {
		return sink.Permanent(err)
	}
	return h.send(ctx, event)
}

// maxRequest is how large a request with several events may become, as Splunk advises.
const maxRequest = 1_000_000

// DeliverBatch sends events one behind the other, in as few requests as their size allows. The
// collector answers for a request as a whole, and what becomes of the events before the one that it
// can not take differs; so if it refuses several for ever, each is sent by itself.
func (h *hec) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	var body [][]byte
	size := 0
	var members []int
	flush := func() {
		if len(members) == 0 {
			return
		}
		err := h.send(ctx, bytes.Join(body, nil))
		for _, n := range members {
			errs[n] = err
			if len(members) > 1 && sink.IsPermanent(err) {
				errs[n] = h.Deliver(ctx, rs[n])
			}
		}
		body, size, members = nil, 0, nil
	}
	for n, r := range rs {
		event, err := h.events.one(r)
		if err != nil {
			errs[n] = sink.Permanent(err)
			continue
		}
		if size+len(event) > maxRequest {
			flush()
		}
		body, size, members = append(body, event), size+len(event), append(members, n)
	}
	flush()
	return errs
}

func (h *hec) send(ctx context.Context, body []byte) error {
	resp, err := h.do(ctx, http.MethodPost, h.endpoint, body) //nolint:bodyclose // check closes it
	if err != nil {
		return err
	}
	return check(resp, true)
}

// Probe asks whether the collector takes events now, and newer versions also whether it knows the token.
func (h *hec) Probe(ctx context.Context) error {
	resp, err := h.do(ctx, http.MethodGet, h.health, nil) //nolint:bodyclose // check closes it
	if err != nil {
		return err
	}
	return check(resp, false)
}

func (h *hec) do(ctx context.Context, method string, to *url.URL, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil { // which shows the URL
		return nil, errors.New("can not make a request of the url")
	}
	req.Header = h.header.Clone()
	return sink.Do(h.client, req)
}

// answer is what a collector says.
type answer struct {
	Text string `json:"text"`
	Code *int   `json:"code"`
}

// misconfigured are the codes that come with status 400, or another that is final by itself, and are
// about the input or its token, not about the event: somebody mends them.
var misconfigured = map[int]string{
	7:  "the token may not write to this index, or there is none of this name",
	10: "the token has indexer acknowledgement on, which filelessd does not use",
	11: "the token has indexer acknowledgement on, which filelessd does not use",
	14: "indexer acknowledgement is asked for",
	16: "the token is taken from the query only where that is allowed",
	21: "the token is not known",
	22: "the token is disabled",
}

// check returns nil for an answer that says that the events were taken, or else an error of the
// right class.
func check(resp *http.Response, taken bool) error {
	const most = 4 << 10
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil && resp.StatusCode/100 == 2 {
		resp.Body.Close()
		return fmt.Errorf("read the answer: %w", err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	err = sink.CheckResponse(resp)
	var said answer
	if json.Unmarshal(body, &said) != nil || said.Code == nil {
		if err == nil && taken {
			return fmt.Errorf("%s answered %d, but not as an event collector does", resp.Request.URL.Host, resp.StatusCode)
		}
		return err
	}
	switch why, known := misconfigured[*said.Code]; {
	case err == nil && taken && *said.Code != 0:
		return fmt.Errorf("%s answered %d with code %d", resp.Request.URL.Host, resp.StatusCode, *said.Code)
	case err != nil && known:
		return sink.RetryAfter(fmt.Errorf("%s: %w", why, err), 0)
	default:
		return err
	}
}

// Close gives back idle connections.
func (h *hec) Close() error {
	h.client.CloseIdleConnections()
	return nil
}
