package otlplogs

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(url sink.Secret, files sink.TLS) Config {
	c := Kind.Default()
	c.URL, c.TLS = url, files
	return c
}

func openOTLP(t testing.TB, c Config) *otlp {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(context.Background(), c, fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*otlp)
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"brief":      func(*Config) {},
		"json, gzip": func(c *Config) { c.Format, c.Compression = "json", "gzip" },
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				r := newCollector(t, name == "brief")
				c := config(sink.Secret(r.Server.URL), r.TLS())
				c.Headers = map[string]sink.Secret{"Authorization": "Bearer " + fixture.Secret, "x-api-key": fixture.Secret}
				change(&c)
				h := r.Harness(func() (sink.Sink, error) { return Kind.Open(context.Background(), c, fixture.Env()) })
				h.Inert = func(r *report.Report, received []byte) error { return sinktest.Medium{Lines: true}.Inert(r, received) }
				return h
			})
		})
	}
}

func TestTroubles(t *testing.T) {
	var last *collector
	fixture.Troubles(t,
		func(secure bool) *fixture.Receiver { last = newCollector(t, secure); return last.Receiver },
		func(r *fixture.Receiver, files sink.TLS) sink.Sink {
			return openOTLP(t, config(sink.Secret(r.Server.URL), files))
		})
	repeats := last.records[1:] // the protocol does not fold: whoever stores them can, by log.record.uid
	for _, r := range repeats {
		if !proto.Equal(r, repeats[0]) || r.GetAttributes()[0].GetKey() != "log.record.uid" {
			t.Errorf("a repeat differs: %v", r)
		}
	}
}

// A record that is rejected goes to the dead letters, and those beside it do not.
func TestPartialSuccess(t *testing.T) {
	c := newCollector(t, false)
	o := openOTLP(t, config(sink.Secret(c.Server.URL), sink.TLS{}))
	bad := sinktest.Summary()
	c.reject = func(r *logspb.LogRecord) bool { return r.GetEventName() == "filelessd.summary" }
	for n, err := range o.DeliverBatch(t.Context(), []*report.Report{sinktest.Ordinary(), bad, sinktest.Loss()}) {
		if sink.IsPermanent(err) != (n == 1) || (err != nil) != (n == 1) {
			t.Errorf("%d: %v", n, err)
		}
	}
	err := o.Deliver(t.Context(), bad)
	if err == nil || !strings.HasSuffix(err.Error(), `1 of 1 records rejected: "no room"`) {
		t.Error(err)
	}
}

func TestAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"": "delivered", "{}": "delivered", `{"partialSuccess":{}}`: "delivered",
		string(response(0, "a warning")):                                   "delivered",
		string(response(1, "x")):                                           "final",
		`{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"x"}}`: "final",
		`{"partialSuccess":{"rejectedLogRecords":1}}`:                      "final",
		"<html>welcome</html>":                                             "passing",
		"ok":                                                               "passing",
		"{":                                                                "passing",
		string(response(1, "x"))[:4]:                                       "passing",
	} {
		r := fixture.NewReceiver(t, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte {
			_, _ = w.Write([]byte(answer))
			return nil
		})
		err := openOTLP(t, config(sink.Secret(r.Server.URL), sink.TLS{})).Deliver(t.Context(), sinktest.Ordinary())
		got := "delivered"
		if err != nil {
			got = map[bool]string{true: "final", false: "passing"}[sink.IsPermanent(err)]
		}
		if got != want {
			t.Errorf("%q: %s, want %s: %v", answer, got, want, err)
		}
	}
}

func TestTimes(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.Time = time.Unix(1<<40, 0)
	record, err := openOTLP(t, config("http://h", sink.TLS{})).record(t.Context(), r)
	if err != nil || record.GetTimeUnixNano() != 0 || record.GetObservedTimeUnixNano() != uint64(r.CreatedAt.UnixNano()) {
		t.Errorf("%v %v", record, err)
	}
}

// The messages, as they are read by eyes.
func TestGolden(t *testing.T) {
	c := config("http://localhost:4318", sink.TLS{})
	c.Resource = map[string]string{"deployment.environment.name": "production"}
	o := openOTLP(t, c)
	samples := fixture.Samples(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		body, err := o.body(t.Context(), []*report.Report{samples[name]})
		if err != nil {
			t.Fatal(err)
		}
		var data logspb.LogsData
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(&data)
		if err != nil {
			t.Fatal(err)
		}
		fixture.Golden(t, name+".json", fixture.Indent(t, text))
	}
}

// FuzzBody: whatever an alert says is text of one record.
func FuzzBody(f *testing.F) {
	f.Add("a\n\x0a\x02", "\xff\u2028", int64(0))
	o := openOTLP(f, config("http://h", sink.TLS{}))
	f.Fuzz(func(t *testing.T, a, b string, at int64) {
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname, r.Event.Time = a, b, time.Unix(at, 0)
		r.Event.SetField("proc.cmdline", b)
		r.Event.SetField("proc.pid", a)
		r.Actions[0].Commands = []string{a}
		body, err := o.body(t.Context(), []*report.Report{r})
		if err != nil {
			t.Fatal(err)
		}
		c := &collector{t: t, reject: func(*logspb.LogRecord) bool { return false }}
		var data logspb.LogsData
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Fatal(err)
		}
		records := data.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()
		if len(records) != 1 || len(c.records) != 0 {
			t.Fatalf("%d records", len(records))
		}
		for _, a := range records[0].GetAttributes() {
			if text := a.GetValue().GetStringValue(); report.Visible(text) != text {
				t.Errorf("%s: %q", a.GetKey(), text)
			}
		}
	})
}

// FuzzAnswer: a receiver can not make it crash.
func FuzzAnswer(f *testing.F) {
	f.Add(response(1, "x"))
	f.Add([]byte(`{"partialSuccess":{"rejectedLogRecords":"1"}}`))
	f.Fuzz(func(_ *testing.T, answer []byte) { _, _, _ = partial(answer) })
}

func BenchmarkDeliver(b *testing.B) {
	r := fixture.NewReceiver(b, false, func(http.ResponseWriter, *http.Request, []byte) [][]byte { return nil })
	fixture.Bench(b, openOTLP(b, config(sink.Secret(r.Server.URL), sink.TLS{})))
}
