package sink

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// ParseURL reads an http or https URL. Its errors never show the URL, which is often a secret as a
// whole: a password before the host, a token in the path or in the query.
func ParseURL(raw Secret) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("missing")
	}
	u, err := url.Parse(string(raw))
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("want a URL that begins with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("the URL names no host")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the port of the URL is not between 1 and 65535")
		}
	}
	return u, nil
}

// CheckURL is ParseURL for a Validate method: its error begins with the key.
func CheckURL(key string, raw Secret) error {
	if _, err := ParseURL(raw); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// HTTPClient returns a client for a sink that speaks HTTP/1.1: it follows no redirect, takes its proxy
// from the environment, keeps idle connections for as many deliveries as go at once, and sets no
// time limit of its own, since each delivery's context has one. The sink's Close ends with the
// client's CloseIdleConnections.
func HTTPClient(t TLS) (*http.Client, error) {
	config, err := t.Config()
	if err != nil {
		return nil, err
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("http.DefaultTransport is a %T", http.DefaultTransport)
	}
	transport = transport.Clone()
	transport.TLSClientConfig = config
	transport.MaxIdleConnsPerHost = 64
	// A report of 30 KB goes out in one write. With the 4 KB of net/http it goes through a buffer of 32 KB
	// that is made anew for each request.
	transport.WriteBufferSize = 64 << 10
	// Answers are short, and what is longer is not read.
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.DisableCompression = true
	// With HTTP/2 all deliveries would share one connection and fail with it, and net/http can
	// leave it open after CloseIdleConnections: the stream of an answer just read still counts.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Send sends req and returns nil if the answer has a 2xx status, or else an error of the right
// class without secrets: Do and CheckResponse in one, for a sink to which the status says all.
func Send(client *http.Client, req *http.Request) error {
	resp, err := Do(client, req) //nolint:bodyclose // CheckResponse closes it
	if err != nil {
		return err
	}
	return CheckResponse(resp)
}

// Do sends req and returns the answer, for a sink that has to read it; what it does not read it
// hands to CheckResponse. Do differs from client.Do in what its errors say: of the URL only scheme
// and host, and nothing that stands in the request's header.
func Do(client *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := client.Do(req) //nolint:gosec // the operator chose where to
	if err == nil {
		return resp, nil
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // its text begins with the URL
		err = wrapped.Err
	}
	// Most causes say nothing of the request, but an answer that is not HTTP is quoted in them, and
	// can repeat it. Then the chain goes too, because it holds the same text.
	if text := hide(err.Error(), req); text != err.Error() {
		err = errors.New(text)
	}
	return nil, fmt.Errorf("%s: %w", describe(req), err)
}

// describe names a request without its secrets.
func describe(req *http.Request) string {
	if req.URL == nil {
		return req.Method
	}
	return req.Method + " " + req.URL.Scheme + "://" + req.URL.Host
}
