// Package post is what sinks that post to an HTTP API have in common, beyond what package sink offers to
// sinks anywhere: one address with paths below it, and answers whose body says what became of the
// reports.
package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Client sends requests to paths below one address.
type Client struct {
	base   *url.URL
	header http.Header
	client *http.Client
}

// New returns a client for the API at base. header is sent with each request, besides the User-Agent.
func New(base sink.Secret, t sink.TLS, version string, header http.Header) (*Client, error) {
	address, err := sink.ParseURL(base)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	client, err := sink.HTTPClient(t)
	if err != nil {
		return nil, err
	}
	if address.Path == "" {
		address.Path = "/" // else what is joined to it does not begin with one
	}
	agent := "filelessd"
	if version != "" {
		agent += "/" + version
	}
	all := http.Header{
		"User-Agent": {agent},
		// Not sent, being empty. It tells the transport that a repeat does no harm, so that a connection
		// which the receiver closed while it was idle costs a new one, not a delivery.
		"Idempotency-Key": {},
	}
	for name, values := range header {
		all[http.CanonicalHeaderKey(name)] = values
	}
	return &Client{base: address, header: all, client: client}, nil
}

// CheckBase says what is wrong with an address below which paths are: with a query it can be none.
func CheckBase(base sink.Secret) error {
	u, err := sink.ParseURL(base)
	if err == nil && (u.RawQuery != "" || u.Fragment != "") {
		err = errors.New("want the address of the server, without a query")
	}
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	return nil
}

// CheckHeader says why value can not be that of a header. It does not show it.
func CheckHeader(key string, value sink.Secret) error {
	if !httpguts.ValidHeaderFieldValue(string(value)) {
		return fmt.Errorf("%s: has control characters", key)
	}
	return nil
}

// CheckHeaders says what is wrong with headers that the operator adds under the key headers.
func CheckHeaders(headers map[string]sink.Secret) error {
	var errs []error
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := http.CanonicalHeaderKey(name)
		other, twice := seen[canonical]
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, fmt.Errorf("headers: %q can not be the name of a header", name))
		case strings.HasPrefix(canonical, "Content-") || slices.Contains(ofConnection, canonical):
			errs = append(errs, fmt.Errorf("headers.%s: is set by filelessd", name))
		case twice:
			errs = append(errs, fmt.Errorf("headers.%s: is the same header as %s", name, other))
		default:
			errs = append(errs, CheckHeader("headers."+name, headers[name]))
		}
		seen[canonical] = name
	}
	return errors.Join(errs...)
}

// ofConnection are headers that say how the connection works.
var ofConnection = []string{
	"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
}

// Request is one request.
type Request struct {
	Method string
	Path   string // below the address, already escaped; empty for the address itself
	Query  string
	Type   string // Content-Type of the body
	Body   []byte
	Header http.Header // more of it
	// Sign is called with the request as it will be sent, for APIs that sign; nil for none.
	Sign func(*http.Request)
}

// Do sends r and reads the answer, of which longer ones are cut. The error is that of sink.CheckResponse;
// status is 0 if there was no answer.
func (c *Client) Do(ctx context.Context, r Request) (status int, body []byte, err error) {
	resp, err := sink.Do(c.client, c.request(ctx, r))
	if err != nil {
		return 0, nil, err
	}
	const longest = 16 << 20
	body, err = io.ReadAll(io.LimitReader(resp.Body, longest))
	_ = resp.Body.Close()
	if err != nil && resp.StatusCode/100 == 2 {
		return resp.StatusCode, nil, fmt.Errorf("%s: the answer broke off: %w", c.Name(), err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp.StatusCode, body, sink.CheckResponse(resp)
}

// request is made by hand: an error of http.NewRequest would show the URL.
func (c *Client) request(ctx context.Context, r Request) *http.Request {
	target := *c.base
	if r.Path != "" {
		target = *target.JoinPath(r.Path)
	}
	target.RawQuery = r.Query
	header := c.header.Clone()
	for name, values := range r.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	req := &http.Request{
		Method: r.Method, URL: &target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Body != nil {
		header.Set("Content-Type", r.Type)
		req.ContentLength = int64(len(r.Body))
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	if r.Sign != nil {
		r.Sign(req)
	}
	return req.WithContext(ctx)
}

// Name is scheme and host of the address, for messages.
func (c *Client) Name() string { return c.base.Scheme + "://" + c.base.Host }

// Close gives back idle connections.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// Quote is text of a receiver as part of an error: one line, visible, and not long. It can repeat what
// came from an alert.
func Quote(text string) string {
	return strconv.Quote(sink.Fit{Limit: 300}.Text([]sink.Piece{
		{Name: "answer", Text: strings.Join(strings.Fields(text), " "), Required: true},
	}))
}

// Together delivers rs by send, which delivers some in one request. If the receiver will never take a
// request, each half of it goes alone, and so on, until it is clear which report it will not take: one
// that is too large, or that it can not read, does not cost the others.
func Together(rs []*report.Report, send func([]*report.Report) []error) []error {
	errs := send(rs)
	if len(rs) == 1 {
		return errs
	}
	for _, err := range errs {
		if !sink.IsPermanent(err) {
			return errs
		}
	}
	half := len(rs) / 2
	return append(Together(rs[:half], send), Together(rs[half:], send)...)
}

// Same is the result of a request for n reports that fared alike.
func Same(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
