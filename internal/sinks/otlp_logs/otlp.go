// Package otlplogs is the sink that sends reports as log records of OpenTelemetry, by OTLP over HTTP.
package otlplogs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "otlp_logs",
	Summary: "sends reports as OpenTelemetry log records",
	Default: func() Config { return Config{Compression: "none", Format: formatBrief} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	client, err := post.New(c.URL, c.TLS, env.Version, c.header())
	if err != nil {
		return nil, err
	}
	o := &otlp{config: c, client: client, version: env.Version}
	if c.Format != formatBrief {
		if o.render, err = c.output().Render(env); err != nil {
			return nil, err
		}
	}
	return o, nil
}

type otlp struct {
	config  Config
	version string
	render  func(*report.Report) ([]byte, error) // nil for the short view
	client  *post.Client
}

// Deliver sends r.
func (o *otlp) Deliver(ctx context.Context, r *report.Report) error {
	return o.send(ctx, []*report.Report{r})
}

// DeliverBatch sends rs in one request. A receiver that takes only some of them says how many it refused
// and not which, so that the halves of such a batch are sent again, until the bad one is found.
func (o *otlp) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	return post.Together(rs, func(rs []*report.Report) []error { return post.Same(len(rs), o.send(ctx, rs)) })
}

func (o *otlp) send(ctx context.Context, rs []*report.Report) error {
	body, err := o.body(ctx, rs)
	if err != nil {
		return sink.Permanent(err)
	}
	_, answer, err := o.client.Do(ctx, post.Request{
		Method: http.MethodPost, Path: "v1/logs", Type: "application/x-protobuf", Body: body,
	})
	if err != nil {
		return err
	}
	rejected, why, err := partial(answer)
	switch {
	case err != nil:
		return fmt.Errorf("%s: the answer is none of OTLP: %s", o.client.Name(), post.Quote(string(answer)))
	case rejected > 0:
		err := fmt.Errorf("%s: %d of %d records rejected: %s", o.client.Name(), rejected, len(rs), post.Quote(why))
		return sink.Permanent(o.hide(err))
	}
	return nil
}

func (o *otlp) hide(err error) error {
	return sink.Hide(err, slices.Collect(maps.Values(o.config.Headers))...)
}

// body is a request with rs, compressed if that is wanted. An ExportLogsServiceRequest is a LogsData by
// another name, whose package does not bring gRPC along.
func (o *otlp) body(ctx context.Context, rs []*report.Report) ([]byte, error) {
	scope := &logspb.ScopeLogs{Scope: &commonpb.InstrumentationScope{Name: "filelessd", Version: o.version}}
	for _, r := range rs {
		record, err := o.record(ctx, r)
		if err != nil {
			return nil, err
		}
		scope.LogRecords = append(scope.LogRecords, record)
	}
	var resource attributes
	resource.text("service.name", "filelessd")
	resource.text("service.version", o.version)
	for _, name := range slices.Sorted(maps.Keys(o.config.Resource)) {
		resource.text(name, o.config.Resource[name])
	}
	body, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		Resource: &resourcepb.Resource{Attributes: resource}, ScopeLogs: []*logspb.ScopeLogs{scope},
	}}})
	if err != nil || o.config.Compression != "gzip" {
		return body, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err = w.Close()
	return packed.Bytes(), err
}

// partial reads an ExportLogsServiceResponse: how many records were rejected, and why. Some receivers
// answer in JSON whatever they are sent.
func partial(answer []byte) (rejected int64, why string, err error) {
	if bytes.HasPrefix(answer, []byte("{")) {
		var a struct {
			Partial struct {
				Rejected json.Number `json:"rejectedLogRecords"`
				Why      string      `json:"errorMessage"`
			} `json:"partialSuccess"`
		}
		if err := json.Unmarshal(answer, &a); err != nil {
			return 0, "", err
		}
		rejected, _ = a.Partial.Rejected.Int64() // none is none
		return rejected, a.Partial.Why, nil
	}
	message, _, err := field(answer, 1)
	if err != nil {
		return 0, "", err
	}
	text, _, err := field(message, 2)
	if err != nil {
		return 0, "", err
	}
	_, count, err := field(message, 1)
	return int64(count), string(text), err
}

// field returns the field of that number of a message, as bytes or as a number.
func field(message []byte, want protowire.Number) (data []byte, number uint64, err error) {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil, 0, protowire.ParseError(size)
		}
		message = message[size:]
		switch {
		case n == want && kind == protowire.BytesType:
			data, size = protowire.ConsumeBytes(message)
		case n == want && kind == protowire.VarintType:
			number, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(n, kind, message)
		}
		if size < 0 {
			return nil, 0, protowire.ParseError(size)
		}
		message = message[size:]
	}
	return data, number, nil
}

// Probe sends a request without a record, which a receiver takes and forgets.
func (o *otlp) Probe(ctx context.Context) error {
	body, err := o.body(ctx, nil)
	if err != nil {
		return err
	}
	_, _, err = o.client.Do(ctx, post.Request{Method: http.MethodPost, Path: "v1/logs", Type: "application/x-protobuf", Body: body})
	return err
}

// Close gives back idle connections.
func (o *otlp) Close() error {
	o.client.Close()
	return nil
}
