package falcosim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// HTTPOutput posts alerts as Falco's http_output does: one a request, with libcurl's headers in
// libcurl's order, over one connection that is kept. It does not look at the status of the answer
// and does not try again, and it blocks until there is an answer; Falco holds up all its outputs
// so. It is for one goroutine.
type HTTPOutput struct {
	// URL is http_output.url. A user and password in it become Basic authentication.
	URL string
	// Text is json_output: false, under which the body is a text line.
	Text bool
	// Compress is compress_uploads, which compresses nothing: it only adds two headers.
	Compress bool
	// TLS is for https.
	TLS *tls.Config

	conn   net.Conn
	reader *bufio.Reader
}

// Send posts one alert: a line of Falco's JSON, or of its text output. It returns an error where
// Falco logs that libcurl failed; the alert is lost then.
func (o *HTTPOutput) Send(ctx context.Context, line []byte) error {
	_, err := o.Post(ctx, line)
	return err
}

// Post is Send for those who want to know the status of the answer, which Falco does not.
func (o *HTTPOutput) Post(ctx context.Context, line []byte) (status int, err error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return 0, err
	}
	request := o.request(u, bytes.TrimRight(line, "\n"))
	reused := o.conn != nil
	status, answered, err := o.exchange(ctx, u, request)
	if err != nil && reused && !answered {
		// The server had closed the kept connection. That, libcurl mends itself.
		status, _, err = o.exchange(ctx, u, request)
	}
	return status, err
}

func (o *HTTPOutput) request(u *url.URL, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n", u.RequestURI(), u.Host)
	if u.User != nil {
		password, _ := u.User.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		fmt.Fprintf(&b, "Authorization: Basic %s\r\n", pair)
	}
	b.WriteString("User-Agent: falcosecurity/falco\r\nAccept: */*\r\n")
	if o.Compress {
		b.WriteString("Connection: TE\r\nTE: gzip\r\n")
	}
	kind := "application/json"
	if o.Text {
		kind = "text/plain"
	}
	fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n\r\n", kind, len(body))
	b.Write(body)
	return b.Bytes()
}

// exchange sends a request and reads the answer. answered reports whether a byte of one came.
func (o *HTTPOutput) exchange(ctx context.Context, u *url.URL, request []byte) (status int, answered bool, err error) {
	if o.conn == nil {
		if err := o.connect(ctx, u); err != nil {
			return 0, false, err
		}
	}
	conn := o.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if status, answered, err = o.roundTrip(request); err != nil {
		_ = o.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	return status, answered, err
}

func (o *HTTPOutput) roundTrip(request []byte) (status int, answered bool, err error) {
	if _, err := o.conn.Write(request); err != nil {
		return 0, false, err
	}
	if _, err := o.reader.Peek(1); err != nil {
		return 0, false, err
	}
	resp, err := http.ReadResponse(o.reader, nil)
	if err != nil {
		return 0, true, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, true, err
	}
	if resp.Close {
		return resp.StatusCode, true, o.Close()
	}
	return resp.StatusCode, true, nil
}

func (o *HTTPOutput) connect(ctx context.Context, u *url.URL) error {
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if u.Scheme == "https" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if o.TLS != nil {
			config = o.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = u.Hostname()
		}
		conn = tls.Client(conn, config)
	}
	o.conn, o.reader = conn, bufio.NewReader(conn)
	return nil
}

// Close closes the kept connection, if there is one.
func (o *HTTPOutput) Close() error {
	if o.conn == nil {
		return nil
	}
	err := o.conn.Close()
	o.conn, o.reader = nil, nil
	return err
}
