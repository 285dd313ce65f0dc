package loki

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

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

func openLoki(t testing.TB, c Config) *loki {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(context.Background(), c, fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*loki)
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"logfmt, token":  func(c *Config) { c.Token = fixture.Secret },
		"json, password": func(c *Config) { c.Format, c.Username, c.Password = "json", "operator", fixture.Secret },
		"cef, in the URL": func(c *Config) {
			c.Format, c.URL = "cef", sink.Secret(strings.Replace(string(c.URL), "://", "://o:"+fixture.Secret+"@", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				s := newServer(t, strings.HasPrefix(name, "json"))
				c := config(sink.Secret(s.Server.URL), s.TLS())
				change(&c)
				c.LabelFields = append(c.LabelFields, "host", "source")
				h := s.Harness(func() (sink.Sink, error) { return Kind.Open(context.Background(), c, fixture.Env()) })
				h.Inert = func(r *report.Report, received []byte) error {
					for _, l := range s.stored() { // what a terminal is shown of it
						for name, text := range l.Labels {
							if report.Visible(text) != text {
								return fmt.Errorf("label %s is %q", name, text)
							}
						}
						for name, text := range l.Metadata {
							if report.Visible(text) != text {
								return fmt.Errorf("metadata %s is %q", name, text)
							}
						}
					}
					return sinktest.Medium{}.Inert(r, received)
				}
				return h
			})
		})
	}
}

func TestTroubles(t *testing.T) {
	var last *server
	twice := fixture.Troubles(t,
		func(secure bool) *fixture.Receiver { last = newServer(t, secure); return last.Receiver },
		func(r *fixture.Receiver, files sink.TLS) sink.Sink {
			return openLoki(t, config(sink.Secret(r.Server.URL), files))
		})
	if len(twice) < 2 || len(last.stored()) != 2 {
		t.Errorf("%d deliveries, %d lines: %q", len(twice), len(last.stored()), twice)
	}
}

// A line that Loki refuses for its time comes with that of now, and does not cost the others.
func TestTooOld(t *testing.T) {
	s := newServer(t, false)
	now := time.Now()
	s.oldest = now.Add(-time.Hour)
	l := openLoki(t, config(sink.Secret(s.Server.URL), sink.TLS{}))
	young := sinktest.Ordinary()
	young.ID, young.Event.Time = strings.Repeat("1", 64), now.Add(-time.Minute)
	old := sinktest.Ordinary()
	for n, err := range l.DeliverBatch(t.Context(), []*report.Report{young, old, young}) {
		if err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
	for _, l := range s.stored() {
		switch {
		case strings.Contains(l.Text, old.ID) && l.At.Before(now):
			t.Errorf("the old one is at %v", l.At)
		case strings.Contains(l.Text, young.ID) && !l.At.Equal(young.Event.Time):
			t.Errorf("the young one is at %v", l.At)
		case !strings.Contains(l.Text, `time="`):
			t.Errorf("no time of the alert: %s", l.Text)
		}
	}
	if n := len(s.stored()); n != 2 {
		t.Errorf("%d lines", n)
	}
	s.oldest = now.Add(time.Hour) // no time is good: it ends
	if err := l.Deliver(t.Context(), old); !sink.IsPermanent(err) || !strings.Contains(err.Error(), "timestamp too old") {
		t.Error(err)
	}
}

// A report that is longer than a line is sent as its short view.
func TestTooLong(t *testing.T) {
	for _, format := range []string{"json", "ocsf", "markdown"} {
		s := newServer(t, false)
		c := config(sink.Secret(s.Server.URL), sink.TLS{})
		c.Format = format
		if err := openLoki(t, c).Deliver(t.Context(), sinktest.Big()); err != nil {
			t.Error(err)
		}
		got := s.stored()[0].Text
		long, _ := fixture.Env().Render(format, sinktest.Big())
		if (len(long) > c.MaxLine) != strings.Contains(got, "whole report: filelessd explain") || len(got) > c.MaxLine {
			t.Errorf("%s: %d bytes, %d sent: %.200s", format, len(long), len(got), got)
		}
		if format != "markdown" && !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON: %.200s", format, got)
		}
	}
}

func TestStreams(t *testing.T) {
	c := config("http://localhost", sink.TLS{})
	c.Labels = map[string]string{"cluster": "eu1"}
	l := openLoki(t, c)
	body, err := l.body(t.Context(), []*report.Report{sinktest.Loss(), sinktest.Ordinary(), sinktest.Summary()}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var push struct{ Streams []stream }
	if err := json.Unmarshal(body, &push); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range push.Streams {
		got = append(got, fmt.Sprint(s.Labels, " ", s.Values[0][0]))
	}
	want := []string{
		"map[cluster:eu1 kind:alert severity:high verdict:suspicious] 1772366399123456789",
		"map[cluster:eu1 kind:loss severity:high] 1772366400123456789",
		"map[cluster:eu1 kind:summary severity:high verdict:suspicious] 1772366400123456789",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	c.Labels, c.LabelFields = nil, []string{"verdict"}
	if got := openLoki(t, c).labels(sinktest.Loss()); got["job"] != "filelessd" {
		t.Errorf("got %v", got)
	}
}

func TestHeader(t *testing.T) {
	s := newServer(t, false)
	c := config(sink.Secret(s.Server.URL+"/behind/"), sink.TLS{})
	c.Tenant, c.Token, c.Metadata = "blue", "t0ken", false
	s.Answer(http.StatusInternalServerError, nil)
	_ = openLoki(t, c).Deliver(t.Context(), sinktest.Ordinary())
	if h := s.Header(); h.Get("X-Scope-OrgID") != "blue" || h.Get("Authorization") != "Bearer t0ken" {
		t.Errorf("%v", h)
	}
	if got := s.Requests(); !slices.Equal(got, []string{"POST /behind/loki/api/v1/push"}) {
		t.Errorf("%v", got)
	}
}

// The messages, as they are read by eyes.
func TestGolden(t *testing.T) {
	l := openLoki(t, config("http://localhost", sink.TLS{}))
	samples := fixture.Samples(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		body, err := l.body(t.Context(), []*report.Report{samples[name]}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		fixture.Golden(t, name+".json", fixture.Indent(t, body))
	}
}

// FuzzBody: whatever an alert says, it is in one line of one stream.
func FuzzBody(f *testing.F) {
	f.Add("a\"}]]}\n", "\xff\u2028", int64(0))
	c := config("http://localhost", sink.TLS{})
	c.LabelFields = append(c.LabelFields, "host", "source")
	l := openLoki(f, c)
	f.Fuzz(func(t *testing.T, a, b string, at int64) {
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname, r.Event.Source, r.Event.Time = a, b, a, time.Unix(at, 0)
		r.Event.SetField("proc.cmdline", b)
		body, err := l.body(t.Context(), []*report.Report{r}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{t: t, lines: map[string]line{}, longest: 256 << 10}
		var push struct {
			Streams []struct {
				Stream map[string]string   `json:"stream"`
				Values [][]json.RawMessage `json:"values"`
			} `json:"streams"`
		}
		if err := json.Unmarshal(body, &push); err != nil || len(push.Streams) != 1 || len(push.Streams[0].Values) != 1 {
			t.Fatalf("%q: %v", body, err)
		}
		got := line{Labels: push.Streams[0].Stream}
		if why := s.read(&got, push.Streams[0].Values[0]); why != "" && !strings.HasPrefix(why, "timestamp too old") {
			t.Error(why)
		}
		if report.Visible(got.Text) != got.Text {
			t.Errorf("%q", got.Text)
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	r := fixture.NewReceiver(b, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	fixture.Bench(b, openLoki(b, config(sink.Secret(r.Server.URL), sink.TLS{})))
}
