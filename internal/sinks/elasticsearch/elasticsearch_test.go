package elasticsearch

import (
	"bytes"
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

func open1(t testing.TB, c Config) *elastic {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(context.Background(), c, fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*elastic)
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"api key":  func(c *Config) { c.APIKey = fixture.Secret },
		"password": func(c *Config) { c.Username, c.Password = "operator", fixture.Secret },
		"in the URL": func(c *Config) {
			c.URL = sink.Secret(strings.Replace(string(c.URL), "://", "://o:"+fixture.Secret+"@", 1))
		},
		"data stream": func(c *Config) { c.Index, c.DataStream = "logs-filelessd-default", true },
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				r := newCluster(t, name == "password")
				c := config(sink.Secret(r.Server.URL), r.TLS())
				change(&c)
				h := r.Harness(func() (sink.Sink, error) { return Kind.Open(context.Background(), c, fixture.Env()) })
				h.Inert = inert
				return h
			})
		})
	}
}

// inert reads a document as the cluster does: hostile text is a value of one of the fields that filelessd
// writes.
func inert(_ *report.Report, received []byte) error {
	var document map[string]any
	if err := json.Unmarshal(received, &document); err != nil {
		return err
	}
	if report.Visible(string(received)) != string(received) {
		return fmt.Errorf("has characters that do not show: %.300q", received)
	}
	known := []string{"@timestamp", "container", "ecs", "event", "filelessd", "host", "message", "observer", "orchestrator", "process", "related", "rule", "tags", "threat", "user"}
	for name := range document {
		if !slices.Contains(known, name) {
			return fmt.Errorf("has the field %q", name)
		}
	}
	return nil
}

func TestTroubles(t *testing.T) {
	var last *cluster
	twice := fixture.Troubles(t,
		func(secure bool) *fixture.Receiver { last = newCluster(t, secure); return last.Receiver },
		func(r *fixture.Receiver, files sink.TLS) sink.Sink {
			return open1(t, config(sink.Secret(r.Server.URL), files))
		})
	if len(twice) != 1 || last.count() != 2 {
		t.Errorf("a repeat: taken %d times, %d documents in all", len(twice), last.count())
	}
}

// Each report of a batch has the answer of its own item.
func TestItems(t *testing.T) {
	c := newCluster(t, false)
	e := open1(t, config(sink.Secret(c.Server.URL), sink.TLS{}))
	tests := []struct {
		status        int
		kind          string
		want, message string
	}{
		{201, "", "delivered", ""},
		{200, "", "delivered", ""},
		{409, "version_conflict_engine_exception", "delivered", ""},
		{429, "es_rejected_execution_exception", "passing", `item answered 429: "es_rejected_execution_exception: why"`},
		{503, "unavailable_shards_exception", "passing", ""},
		{403, "cluster_block_exception", "passing", ""},
		{404, "index_not_found_exception", "passing", ""},
		{400, "index_closed_exception", "passing", ""},
		{400, "validation_exception", "passing", ""},
		{400, "document_parsing_exception", "final", `item answered 400: "document_parsing_exception: why"`},
		{400, "mapper_parsing_exception", "final", ""},
		{413, "", "final", ""},
	}
	var rs []*report.Report
	for n, tt := range tests {
		r := sinktest.Ordinary()
		r.ID = fmt.Sprintf("%064x", n+1)
		rs = append(rs, r)
		c.refuse[r.ID] = outcome{Status: tt.status}
		if tt.status >= 300 {
			c.refuse[r.ID] = failure(r.ID, tt.status, tt.kind, "why")
		}
	}
	for n, err := range e.DeliverBatch(t.Context(), rs) {
		got := "delivered"
		switch {
		case sink.IsPermanent(err):
			got = "final"
		case err != nil:
			got = "passing"
		}
		if got != tests[n].want || err != nil && !strings.Contains(err.Error(), tests[n].message) {
			t.Errorf("%d %s: %s, want %s: %v", tests[n].status, tests[n].kind, got, tests[n].want, err)
		}
	}
}

// What answers as Elasticsearch does not may have taken nothing: the reports come again.
func TestStrangeAnswers(t *testing.T) {
	for _, answer := range []string{
		"", "<html>", "{}", `{"items":[]}`, `{"items":[{"delete":{"status":200}}]}`, `{"items":[{"create":{"_id":"other","status":201}}]}`,
		`{"items":[{"create":{}}]}`, `{"items":[{"create":{"status":201}},{"create":{"status":201}}]}`,
	} {
		r := fixture.NewReceiver(t, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte {
			fmt.Fprint(w, answer)
			return nil
		})
		c := config(sink.Secret(r.Server.URL), sink.TLS{})
		c.Template = false
		if err := open1(t, c).Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// A request that the receiver will not take as a whole costs only the report that is why.
func TestTooLarge(t *testing.T) {
	c := newCluster(t, false)
	inner := c.Server.Config.Handler
	c.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1<<20 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		inner.ServeHTTP(w, r)
	})
	e := open1(t, config(sink.Secret(c.Server.URL), sink.TLS{}))
	errs := e.DeliverBatch(t.Context(), []*report.Report{sinktest.Ordinary(), sinktest.Hostile(), sinktest.Loss()})
	if errs[0] != nil || !sink.IsPermanent(errs[1]) || errs[2] != nil || c.count() != 2 {
		t.Errorf("%d documents: %v", c.count(), errs)
	}
}

func TestIndexes(t *testing.T) {
	r := sinktest.Ordinary()
	r.CreatedAt = time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("", 3600))
	for index, want := range map[string]string{
		"filelessd-{day}": "filelessd-2026.02.28", "filelessd-{month}": "filelessd-2026.02", "f{year}": "f2026", "plain": "plain",
	} {
		if got := (Config{Index: index}).indexOf(r); got != want {
			t.Errorf("%s: %s, want %s", index, got, want)
		}
	}
}

// The template is put once, kept if it is newer or somebody's own, and no reason to lose reports.
func TestTemplate(t *testing.T) {
	ours := func(version int) []byte {
		return fmt.Appendf(nil, `{"version":%d,"_meta":{"managed_by":"filelessd"}}`, version)
	}
	for name, tt := range map[string]struct {
		there []byte
		puts  bool
	}{
		"none": {nil, true}, "older": {ours(0), true}, "same": {ours(templateVersion), false},
		"newer": {ours(99), false}, "somebody's": {[]byte(`{"version":0}`), false},
	} {
		c := newCluster(t, false)
		if tt.there != nil {
			c.templates["filelessd-reports"] = tt.there
		}
		e := open1(t, config(sink.Secret(c.Server.URL), sink.TLS{}))
		for _, r := range sinktest.Kinds() {
			if err := e.Deliver(t.Context(), r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		put := strings.Contains(strings.Join(c.Requests(), "\n"), "PUT /_index_template/filelessd-reports")
		if put != tt.puts || len(c.Requests()) != len(sinktest.Kinds())+map[bool]int{true: 2, false: 1}[tt.puts] {
			t.Errorf("%s: %v", name, c.Requests())
		}
	}
	var body map[string]any
	text, err := config("http://h", sink.TLS{}).templateBody()
	if err != nil || json.Unmarshal(text, &body) != nil || fmt.Sprint(body["index_patterns"]) != "[filelessd-reports-*]" || body["data_stream"] != nil {
		t.Errorf("%s: %v", text, err)
	}
	if text, _ = (Config{Index: "logs-x-y", DataStream: true}).templateBody(); !bytes.Contains(text, []byte(`"data_stream": {}`)) {
		t.Errorf("%s", text)
	}
}

// A cluster that refuses the template has the reports all the same, and Probe says why.
func TestTemplateRefused(t *testing.T) {
	c := newCluster(t, false)
	inner := c.Server.Config.Handler
	c.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_index_template/") {
			http.Error(w, "action [indices:admin/index_template/get] is unauthorized", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	})
	e := open1(t, config(sink.Secret(c.Server.URL), sink.TLS{}))
	if err := e.Deliver(t.Context(), sinktest.Ordinary()); err != nil || c.count() != 1 {
		t.Error(err)
	}
	if err := e.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "put it by hand") {
		t.Error(err)
	}
}

// The messages, as they are read by eyes.
func TestGolden(t *testing.T) {
	e := open1(t, config("http://localhost:9200", sink.TLS{}))
	samples := fixture.Samples(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		lines, err := e.lines(samples[name])
		if err != nil {
			t.Fatal(err)
		}
		action, document, _ := bytes.Cut(lines, []byte("\n"))
		fixture.Golden(t, name+".ndjson.txt", append(append(action, '\n'), fixture.Indent(t, document)...))
	}
}

// FuzzLines: whatever an alert says, a report is two lines, and the first is ours.
func FuzzLines(f *testing.F) {
	f.Add("a\n{\"delete\":{}}\n", "\xff\u2028")
	e := open1(f, config("http://localhost:9200", sink.TLS{}))
	f.Fuzz(func(t *testing.T, a, b string) {
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname, r.Event.Rule = a, b, a+b
		r.Event.SetField("proc.cmdline", a)
		r.Event.SetField(b, a)
		lines, err := e.lines(r)
		if err != nil || bytes.Count(lines, []byte("\n")) != 2 || !bytes.HasSuffix(lines, []byte("\n")) {
			t.Fatalf("%q: %v", lines, err)
		}
		for line := range bytes.Lines(lines) {
			if !json.Valid(line) {
				t.Errorf("%q", line)
			}
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	r := fixture.NewReceiver(b, false, func(w http.ResponseWriter, _ *http.Request, body []byte) [][]byte {
		fmt.Fprint(w, `{"items":[`+strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, bytes.Count(body, []byte("\n"))/2), ",")+`]}`)
		return nil
	})
	c := config(sink.Secret(r.Server.URL), sink.TLS{})
	c.Template = false
	fixture.Bench(b, open1(b, c))
}
