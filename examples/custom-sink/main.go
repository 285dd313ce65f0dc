// Filelessd with one more kind of sink: ntfy, which sends push messages to phones (https://ntfy.sh).
// Build it with `go build ./examples/custom-sink` and configure a sink of `type: ntfy`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/filelessd/filelessd/pkg/daemon"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

func main() {
	ctx, stop := daemon.Signals()
	defer stop()
	sinks := daemon.Builtin()
	sink.Register(sinks, ntfyKind)
	os.Exit(daemon.Main(ctx, os.Args[1:], daemon.OS(), sinks))
}

var ntfyKind = sink.Kind[config]{
	Name: "ntfy", Summary: "sends push messages by ntfy",
	Default: func() config { return config{} }, Open: open,
}

type config struct {
	URL   sink.Secret `yaml:"url"` // of the topic
	Token sink.Secret `yaml:"token"`
}

func (c config) Validate() error {
	if _, err := sink.ParseURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	return nil
}

type ntfy struct {
	config
	client *http.Client
	render func(format string, r *report.Report) ([]byte, error)
}

func open(_ context.Context, c config, env sink.Env) (sink.Sink, error) {
	client, err := sink.HTTPClient(sink.TLS{})
	return &ntfy{c, client, env.Render}, err
}

// Deliver posts the report as text. ntfy shows 4,096 bytes and keeps the rest as an attachment.
func (s *ntfy) Deliver(ctx context.Context, r *report.Report) error {
	text, err := s.render("text", r)
	if err != nil {
		return sink.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(s.URL), bytes.NewReader(text))
	if err != nil {
		return sink.Permanent(err)
	}
	// Nothing that came from the alert goes into a header.
	req.Header.Set("Title", "filelessd: "+string(r.Severity))
	req.Header.Set("Tags", string(r.Verdict))
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(s.Token))
	}
	return sink.Send(s.client, req)
}

func (s *ntfy) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
