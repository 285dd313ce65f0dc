// Filelessd with one more kind of sink: ntfy, which sends push messages to phones (https://ntfy.sh).
// Build it with `go build ./examples/custom-sink` and configure a sink of `type: ntfy`.
package main

import (
	"context"
	"net/http"
	"os"
	"strings"

	"github.com/filelessd/filelessd/pkg/daemon"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

func main() {
	ctx, stop := daemon.Signals()
	defer stop()
	sinks := daemon.Builtin()
	sink.Register(sinks, sink.Kind[config]{
		Name: "ntfy", Summary: "sends push messages by ntfy", Default: func() config { return config{} }, Open: open,
	})
	os.Exit(daemon.Main(ctx, os.Args[1:], daemon.OS(), sinks))
}

type config struct {
	URL   sink.Secret `yaml:"url" example:"https://ntfy.sh/my-topic"`
	Token sink.Secret `yaml:"token"`
}

func (c config) Validate() error { return sink.CheckURL("url", c.URL) }

type ntfy struct {
	config
	client *http.Client
}

func open(_ context.Context, c config, _ sink.Env) (sink.Sink, error) {
	client, err := sink.HTTPClient(sink.TLS{})
	return &ntfy{c, client}, err
}

// Deliver posts what matters most: ntfy makes an attachment of more than 4,096 bytes.
func (s *ntfy) Deliver(ctx context.Context, r *report.Report) error {
	text := sink.Fit{Limit: 4096, Where: sink.Where(r, "")}.Text(sink.NewBrief(r).Pieces(nil))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(s.URL), strings.NewReader(text))
	if err != nil {
		return sink.Permanent(sink.Hide(err, s.URL))
	}
	req.Header.Set("Title", "filelessd: "+string(r.Severity)) // never what came from the alert
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(s.Token))
	}
	return sink.Send(s.client, req)
}

func (s *ntfy) Close() error { s.client.CloseIdleConnections(); return nil }
