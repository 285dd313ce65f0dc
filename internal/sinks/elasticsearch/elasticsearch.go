// Package elasticsearch is the sink that indexes reports in Elasticsearch or OpenSearch, as documents by
// the Elastic Common Schema whose id is the report's.
package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "elasticsearch",
	Summary: "indexes reports in Elasticsearch or OpenSearch",
	Default: func() Config { return Config{Index: "filelessd-reports-{month}", Op: "create", Template: true} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	client, err := post.New(c.URL, c.TLS, env.Version, c.header())
	if err != nil {
		return nil, err
	}
	return &elastic{config: c, render: env.Render, client: client, preparing: make(chan struct{}, 1)}, nil
}

type elastic struct {
	config Config
	render func(format string, r *report.Report) ([]byte, error)
	client *post.Client

	preparing chan struct{} // a lock that a context can end
	prepared  bool          // the template is as it can be
}

// Deliver indexes r.
func (e *elastic) Deliver(ctx context.Context, r *report.Report) error {
	return e.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch indexes rs with one request, or a few if they are large. Each report has its own answer.
func (e *elastic) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	if err := e.prepare(ctx); err != nil {
		return post.Same(len(rs), err)
	}
	// Elasticsearch takes 100 MB, and is at its best with 5 to 15.
	const most = 8 << 20
	errs := make([]error, len(rs))
	var body []byte
	var part []int // the reports of body
	send := func() {
		if len(part) == 0 {
			return
		}
		for n, err := range e.send(ctx, rs, part, body) {
			errs[part[n]] = err
		}
		body, part = nil, nil
	}
	for n, r := range rs {
		lines, err := e.lines(r)
		if err != nil {
			errs[n] = sink.Permanent(err)
			continue
		}
		if len(body)+len(lines) > most {
			send()
		}
		body, part = append(body, lines...), append(part, n)
	}
	send()
	return errs
}

// lines are the two of r in a request: what to do, and the document.
func (e *elastic) lines(r *report.Report) ([]byte, error) {
	type target struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	action, err := json.Marshal(map[string]target{e.config.Op: {e.config.indexOf(r), r.ID}})
	if err != nil {
		return nil, err
	}
	document, err := e.render("ecs", r)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(document, '\n') >= 0 {
		return nil, errors.New("the document has more than one line")
	}
	return append(append(append(action, '\n'), document...), '\n'), nil
}

// send sends body, which has the reports of rs with those numbers.
func (e *elastic) send(ctx context.Context, rs []*report.Report, part []int, body []byte) []error {
	query := "filter_path=errors,items.*._id,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
	if e.config.Pipeline != "" {
		query += "&pipeline=" + url.QueryEscape(e.config.Pipeline)
	}
	_, answer, err := e.client.Do(ctx, post.Request{
		Method: http.MethodPost, Path: "_bulk", Query: query, Type: "application/x-ndjson", Body: body,
	})
	switch {
	case err == nil:
		return e.read(answer, rs, part)
	case sink.IsPermanent(err) && len(part) > 1:
		// Too large, or one of them is what the receiver can not read: it does not cost the others.
		half := len(part) / 2
		return append(e.resend(ctx, rs, part[:half]), e.resend(ctx, rs, part[half:])...)
	default:
		return post.Same(len(part), err)
	}
}

func (e *elastic) resend(ctx context.Context, rs []*report.Report, part []int) []error {
	var body []byte
	for _, n := range part {
		lines, err := e.lines(rs[n])
		if err != nil { // it was none before
			return post.Same(len(part), err)
		}
		body = append(body, lines...)
	}
	return e.send(ctx, rs, part, body)
}

// Probe looks whether the cluster answers and takes the credentials, and puts the template.
func (e *elastic) Probe(ctx context.Context) error {
	status, _, err := e.client.Do(ctx, post.Request{Method: http.MethodGet})
	if err != nil && status != http.StatusForbidden { // which is the answer to a key that may do no more than write
		return err
	}
	if !e.config.Template {
		return nil
	}
	if _, err := e.template(ctx); err != nil {
		return fmt.Errorf("index template %s: %w (put it by hand and set template: false)", e.templateName(), err)
	}
	return nil
}

// Close gives back idle connections.
func (e *elastic) Close() error {
	e.client.Close()
	return nil
}
