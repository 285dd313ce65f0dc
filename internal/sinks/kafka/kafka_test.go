package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "filelessd-reports"

// cluster is kfake, which speaks Kafka's protocol on real connections, and keeps what it was sent.
type cluster struct {
	*kfake.Cluster
	t testing.TB

	mu     sync.Mutex
	held   chan struct{}
	cut    bool
	faults *kfake.FaultHandle

	arrived chan struct{}
}

func newCluster(t testing.TB, options ...kfake.Opt) *cluster {
	t.Helper()
	options = append(options, kfake.NumBrokers(1), kfake.SeedTopics(4, topic))
	fake, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Cluster: fake, t: t, arrived: make(chan struct{}, 1)}
	t.Cleanup(fake.Close)
	fake.ControlKey(int16(kmsg.Produce), c.control)
	return c
}

// control holds requests, or cuts their connection.
func (c *cluster) control(kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order of kfake
	c.KeepControl()
	c.mu.Lock()
	held, cut := c.held, c.cut
	c.mu.Unlock()
	if cut {
		return nil, errors.New("cut"), true
	}
	if held != nil {
		select {
		case c.arrived <- struct{}{}:
		default:
		}
		c.SleepControl(func() { <-held })
	}
	return nil, nil, false
}

// fault answers each Produce with err; nil answers as it should.
func (c *cluster) fault(err *kerr.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults != nil {
		c.faults.Remove()
		c.faults = nil
	}
	if err != nil {
		c.faults = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1})
	}
}

func (c *cluster) hold() (<-chan struct{}, func()) {
	held := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
	return c.arrived, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = nil
		close(held)
	}
}

func (c *cluster) config() Config {
	config := Kind.Default()
	config.Brokers, config.Topic, config.Encryption = c.ListenAddrs(), topic, "none"
	return config
}

// records reads all that the topic has, as a consumer.
func (c *cluster) records(options ...kgo.Opt) []*kgo.Record {
	c.t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic))...)
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	total := 0
	for _, p := range c.PartitionInfos(topic) {
		total += int(p.HighWatermark)
	}
	var all []*kgo.Record
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for len(all) < total {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			c.t.Fatal(err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func openKafka(t testing.TB, c Config) *kafka {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(context.Background(), c, fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*kafka)
}

func TestConformance(t *testing.T) {
	for _, format := range []string{"json", "cef"} {
		t.Run(format, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "operator", fixture.Secret))
				config := c.config()
				config.Format, config.MaxMessage = format, 16<<20
				config.SASL = SASL{"scram-sha-256", "operator", fixture.Secret}
				options, err := config.options(fixture.Env())
				if err != nil {
					t.Fatal(err)
				}
				inert := sinktest.Medium{}.Inert
				if format == "json" {
					inert = sinktest.CheckJSON
				}
				return sinktest.Harness{
					Open: func() (sink.Sink, error) { return Kind.Open(context.Background(), config, fixture.Env()) },
					Received: func() (all [][]byte) {
						for _, r := range c.records(options...) {
							all = append(all, r.Value)
						}
						return all
					},
					Inert:  inert,
					Accept: func() { c.fault(nil) },
					Reject: func() { c.fault(kerr.MessageTooLarge) },
					Fail:   func() { c.fault(kerr.NotEnoughReplicas) },
					Leave:  c.Close,
					Hold:   c.hold,
					Secret: fixture.Secret,
					Lacks:  map[string]string{"Throttle": "a broker tells the client to wait, and the client does"},
				}
			})
		})
	}
}

func TestClasses(t *testing.T) {
	c := newCluster(t)
	k := openKafka(t, c.config())
	for err, final := range map[*kerr.Error]bool{
		kerr.MessageTooLarge: true, kerr.RecordListTooLarge: true, kerr.InvalidRecord: true,
		kerr.TopicAuthorizationFailed: false, kerr.UnknownTopicOrPartition: false, kerr.NotEnoughReplicas: false,
		kerr.KafkaStorageError: false, kerr.ClusterAuthorizationFailed: false,
	} {
		c.fault(err)
		got := k.Deliver(t.Context(), sinktest.Ordinary())
		if got == nil || sink.IsPermanent(got) != final || !errors.Is(got, err) {
			t.Errorf("%v: final %t, want %t: %v", err, sink.IsPermanent(got), final, got)
		}
	}
}

// A batch that a broker will not take does not cost each of its reports.
func TestBatchTooLarge(t *testing.T) {
	c := newCluster(t)
	k := openKafka(t, c.config())
	c.fault(kerr.MessageTooLarge)
	for _, err := range k.DeliverBatch(t.Context(), sinktest.Kinds()) {
		if !sink.IsPermanent(err) {
			t.Error(err)
		}
	}
	c.fault(nil)
	for _, err := range k.DeliverBatch(t.Context(), sinktest.Kinds()) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := len(c.records()); got != len(sinktest.Kinds()) {
		t.Errorf("%d records", got)
	}
}

// A broker that has the message and whose answer does not come stores it once: the client repeats it
// under the same number.
func TestAnswerLost(t *testing.T) {
	c := newCluster(t)
	k := openKafka(t, c.config())
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 1})
	if err := k.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
	if got := len(c.records()); got != 1 {
		t.Errorf("%d records", got)
	}
	c.mu.Lock()
	c.cut = true
	c.mu.Unlock()
	if err := k.Deliver(t.Context(), sinktest.Loss()); err == nil || sink.IsPermanent(err) {
		t.Errorf("connections that are cut: %v", err)
	}
	c.mu.Lock()
	c.cut = false
	c.mu.Unlock()
	if err := k.Deliver(t.Context(), sinktest.Loss()); err != nil {
		t.Error(err)
	}
}

func TestTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	defer server.Close()
	c := newCluster(t, kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "operator", fixture.Secret))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	good := c.config()
	good.Encryption, good.TLS.CAFile = "tls", file
	good.SASL = SASL{"plain", "operator", fixture.Secret}
	untrusted, stranger, nowhere := good, good, good
	untrusted.TLS.CAFile = ""
	stranger.SASL.Password = "WRONG-" + fixture.Secret
	nowhere.Topic = "other"
	for want, config := range map[string]Config{"": good, "unknown authority": untrusted, "EOF": stranger, "UNKNOWN_TOPIC": nowhere} {
		k := openKafka(t, config)
		for what, err := range map[string]error{"deliver": k.Deliver(t.Context(), sinktest.Ordinary()), "probe": k.Probe(t.Context())} {
			if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || sink.IsPermanent(err) || strings.Contains(err.Error(), fixture.Secret)) {
				t.Errorf("%s: want %q, got %v", what, want, err)
			}
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if got := len(c.records(kgo.DialTLSConfig(&tls.Config{RootCAs: roots}), mustSASL(t, good))); got != 1 { //nolint:gosec // of a test
		t.Errorf("%d records", got)
	}
}

func mustSASL(t *testing.T, c Config) kgo.Opt {
	t.Helper()
	options, err := c.options(fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	return options[len(options)-1]
}

func TestKeys(t *testing.T) {
	r, loss := sinktest.Ordinary(), sinktest.Loss()
	ctx := sink.WithThreads(t.Context(), map[string]string{r.ID: "thread"})
	for key, want := range map[string]string{"group": "thread", "host": "node-1", "id": r.ID, "none": ""} {
		k := &kafka{config: Config{Key: key}}
		if got := string(k.key(ctx, r)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got := (&kafka{config: Config{Key: "host"}}).key(ctx, loss); got != nil {
		t.Errorf("got %s", got)
	}
}

// A report that is larger than a message is sent as its short view, which says so.
func TestTooLarge(t *testing.T) {
	c := newCluster(t)
	config := c.config()
	config.MaxMessage = 64 << 10
	if err := openKafka(t, config).Deliver(t.Context(), sinktest.Hostile()); err != nil {
		t.Fatal(err)
	}
	got := c.records()[0]
	if !bytes.Contains(got.Value, []byte("whole report: filelessd explain")) || !strings.Contains(fmt.Sprint(got.Headers), "filelessd-fitted") {
		t.Errorf("%.300s %s", got.Value, got.Headers)
	}
}

// The messages, as they are read by eyes.
func TestGolden(t *testing.T) {
	config := Kind.Default()
	config.Brokers, config.Topic = []string{"127.0.0.1:9"}, topic
	k := openKafka(t, config)
	samples := fixture.Samples(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		record, err := k.record(t.Context(), samples[name])
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("key: %s\n", record.Key)
		for _, h := range record.Headers {
			text += fmt.Sprintf("%s: %s\n", h.Key, h.Value)
		}
		value, _, _ := bytes.Cut(record.Value, []byte(`,"factors":`)) // the rest is the report as everywhere
		fixture.Golden(t, name+".txt", append([]byte(text), append(value, " …\n"...)...))
	}
}

// FuzzRecord: nothing that an alert says gets into a header, and a key is printable and short.
func FuzzRecord(f *testing.F) {
	f.Add("a\nfilelessd-id: x", "\xff\x00")
	config := Kind.Default()
	config.Brokers, config.Topic, config.Key, config.MaxMessage = []string{"127.0.0.1:9"}, topic, "host", 8<<10
	k := openKafka(f, config)
	f.Fuzz(func(t *testing.T, a, b string) {
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname = a, b
		r.Event.SetField("proc.cmdline", a+b)
		record, err := k.record(t.Context(), r)
		if err != nil || len(record.Key) > 255 || report.Visible(string(record.Key)) != string(record.Key) {
			t.Fatalf("%q: %v", record.Key, err)
		}
		for _, h := range record.Headers {
			if h.Key == "filelessd-id" && string(h.Value) != r.ID || report.Visible(string(h.Value)) != string(h.Value) {
				t.Errorf("%s: %q", h.Key, h.Value)
			}
		}
		if len(record.Value) > config.MaxMessage {
			t.Errorf("%d bytes", len(record.Value))
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	c := newCluster(b, kfake.BlackholeProduce())
	fixture.Bench(b, openKafka(b, c.config()))
}
