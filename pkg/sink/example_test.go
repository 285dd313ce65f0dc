package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// ChatConfig is what stands under a sink of `type: chat` in the configuration.
type ChatConfig struct {
	URL sink.Secret `yaml:"url"`
}

func (c ChatConfig) Validate() error {
	if _, err := sink.ParseURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	return nil
}

type chat struct {
	url    string
	client *http.Client
	render func(format string, r *report.Report) ([]byte, error)
}

func openChat(_ context.Context, c ChatConfig, env sink.Env) (sink.Sink, error) {
	client, err := sink.HTTPClient(sink.TLS{})
	if err != nil {
		return nil, err
	}
	return &chat{url: string(c.URL), client: client, render: env.Render}, nil
}

func (s *chat) Deliver(ctx context.Context, r *report.Report) error {
	text, err := s.render("text", r)
	if err != nil {
		return sink.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	return sink.Send(s.client, req)
}

func (s *chat) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// A kind of sink of one's own, added to a registry.
func Example() {
	var kinds sink.Registry
	sink.Register(&kinds, sink.Kind[ChatConfig]{
		Name:    "chat",
		Summary: "posts reports to a chat room",
		Default: func() ChatConfig { return ChatConfig{} },
		Open:    openChat,
	})
	for _, kind := range kinds.Kinds() {
		fmt.Println(kind.Name, "-", kind.Summary)
	}
	fmt.Println(ChatConfig{URL: "chat.example/T000"}.Validate())
	// Output:
	// chat - posts reports to a chat room
	// url: want a URL that begins with http:// or https://
}
