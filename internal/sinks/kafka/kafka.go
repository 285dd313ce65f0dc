// Package kafka is the sink that produces reports to a topic of Apache Kafka, or of what speaks its
// protocol.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/filelessd/filelessd/internal/sinks/internal/brief"
	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "kafka",
	Summary: "produces reports to a topic of Kafka",
	Default: func() Config {
		return Config{
			Key: "group", Output: sink.Output{Format: "json"}, MaxMessage: 1_000_012, Compression: "snappy", Encryption: "tls",
		}
	},
	Open: open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	render, err := c.Render(env)
	if err != nil {
		return nil, err
	}
	options, err := c.options(env)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, sink.Hide(err, c.SASL.Password)
	}
	return &kafka{config: c, render: render, client: client}, nil
}

// options are those of the client. Retrying for long, and parking, is the program's business: the client
// gives up after a few seconds, so that what is wrong is seen.
func (c Config) options(env sink.Env) ([]kgo.Opt, error) {
	version := env.Version
	if version == "" {
		version = "devel"
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.DefaultProduceTopic(c.Topic),
		kgo.ClientID("filelessd"), kgo.SoftwareNameAndVersion("filelessd", version),
		kgo.RequiredAcks(kgo.AllISRAcks()), // and idempotent, as is the default
		// A delivery ends with its context, also while a broker has it and does not answer. Then it comes
		// again, maybe for the second time, as everywhere.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProducerBatchMaxBytes(int32(c.MaxMessage)), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(codecs[c.Compression]),
		kgo.RecordRetries(retries), kgo.UnknownTopicRetries(retries), kgo.RequestRetries(retries),
		kgo.RetryBackoffFn(func(try int) time.Duration { return min(time.Duration(try)*pause, time.Second) }),
		kgo.DialTimeout(5 * time.Second), kgo.MetadataMinAge(pause),
	}
	if c.Encryption == "tls" {
		config, err := c.TLS.Config()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config)) // whose ServerName is the broker's, if it has none
	}
	user, password := c.SASL.Username, string(c.SASL.Password)
	switch c.SASL.Mechanism {
	case "plain":
		options = append(options, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "scram-sha-256":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "scram-sha-512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	}
	return options, nil
}

const (
	retries = 3
	pause   = 100 * time.Millisecond
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

type kafka struct {
	config Config
	render func(*report.Report) ([]byte, error)
	client *kgo.Client
	closed sync.Once
}

// Deliver produces r, and returns when all replicas that are in sync have it.
func (k *kafka) Deliver(ctx context.Context, r *report.Report) error {
	return k.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch produces rs at once; the client puts those of a partition into one request. If a broker
// will not take such a batch, each report goes alone.
func (k *kafka) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	return post.Together(rs, func(rs []*report.Report) []error { return k.produce(ctx, rs) })
}

func (k *kafka) produce(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	if ctx.Err() != nil {
		return post.Same(len(rs), ctx.Err())
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result, len(rs)) // so that no result waits for who has gone
	waiting := map[int]*attempt{}
	send := func(n int) {
		a := waiting[n]
		a.tries++
		k.client.Produce(ctx, a.record, func(_ *kgo.Record, err error) { results <- result{n, err} })
	}
	for n, r := range rs {
		record, err := k.record(ctx, r)
		if err != nil {
			errs[n] = sink.Permanent(err)
			continue
		}
		waiting[n] = &attempt{record: record}
		send(n)
	}
	for len(waiting) > 0 {
		select {
		case got := <-results:
			if a := waiting[got.n]; ofAnother(ctx, got.err) && a.tries < retries {
				a.record = &kgo.Record{Key: a.record.Key, Value: a.record.Value, Headers: a.record.Headers}
				send(got.n)
				continue
			}
			errs[got.n] = k.class(got.err)
			delete(waiting, got.n)
		case <-ctx.Done():
			for n := range waiting {
				errs[n] = fmt.Errorf("produce to %s: %w", k.config.Topic, ctx.Err())
			}
			return errs
		}
	}
	return errs
}

// attempt is a message under way.
type attempt struct {
	record *kgo.Record
	tries  int
}

// ofAnother reports whether err is the end of another delivery's context: when one ends, the client fails
// all that is buffered for its partition, because what follows depends on it.
func ofAnother(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// class marks what no repeat makes better. Topics and rights are of the cluster, not of the report.
func (k *kafka) class(err error) error {
	if err == nil {
		return nil
	}
	final := errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) || errors.Is(err, kerr.InvalidRecord)
	err = sink.Hide(fmt.Errorf("produce to %s: %w", k.config.Topic, err), k.config.SASL.Password)
	if final {
		return sink.Permanent(err)
	}
	return err
}

// record is r as a message.
func (k *kafka) record(ctx context.Context, r *report.Report) (*kgo.Record, error) {
	record := &kgo.Record{Key: k.key(ctx, r)}
	header := func(name, value string) {
		if value != "" {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	header("filelessd-id", r.ID)
	header("filelessd-kind", string(r.Kind))
	header("filelessd-verdict", string(r.Verdict))
	header("filelessd-severity", string(r.Severity))
	header("filelessd-thread", sink.ThreadKey(ctx, r))
	header("content-type", mediaTypes[k.config.Format])
	value, err := k.render(r)
	if err != nil {
		return nil, err
	}
	const rest = 2 << 10 // what a message has beside its value: key, headers, lengths
	if len(value) > k.config.MaxMessage-rest {
		header("filelessd-fitted", "true")
		value, err = brief.Instead(k.config.Format, r, k.config.Link, min(k.config.MaxMessage-rest, 64<<10))
	}
	record.Value = value
	return record, err
}

var mediaTypes = map[string]string{
	"json": "application/json", "ecs": "application/json", "ocsf": "application/json", "cef": "text/plain",
	"text": "text/plain", "template": "text/plain", "markdown": "text/markdown", "html": "text/html",
}

// key decides the partition.
func (k *kafka) key(ctx context.Context, r *report.Report) []byte {
	switch k.config.Key {
	case "group":
		return []byte(sink.ThreadKey(ctx, r))
	case "host":
		if r.Event == nil || r.Event.Hostname == "" {
			return nil
		}
		return []byte(brief.Value(r.Event.Hostname, 255))
	case "id":
		return []byte(r.ID)
	default:
		return nil
	}
}

// Probe asks a broker for the topic.
func (k *kafka) Probe(ctx context.Context) error {
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(k.config.Topic)
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, k.client)
	if err != nil {
		return sink.Hide(fmt.Errorf("ask for the topic %s: %w", k.config.Topic, err), k.config.SASL.Password)
	}
	for _, t := range answer.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("topic %s: %w", k.config.Topic, err)
		}
	}
	return nil
}

// Close ends the client.
func (k *kafka) Close() error {
	k.closed.Do(k.client.Close)
	return nil
}
