package falcosidekick

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestConformance(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				s := newSidekick(t, scheme == "https")
				c := s.config()
				return sinktest.Harness{
					Open:     func() (sink.Sink, error) { return Kind.Open(t.Context(), c, sinktest.Env()) },
					Received: s.received,
					Inert:    sinktest.Medium{Texts: texts, Longest: longestField, Size: 32 << 10}.Inert,
					Accept:   func() { s.answer(0, nil) },
					Reject:   func() { s.answer(http.StatusBadRequest, nil) },
					Throttle: func() time.Duration {
						s.answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}})
						return 7 * time.Second
					},
					Fail:   func() { s.answer(-1, nil) }, // the connection is cut after the request was read
					Leave:  func() { s.server.CloseClientConnections(); s.server.Listener.Close() },
					Hold:   s.hold,
					Secret: password,
				}
			})
		})
	}
}

func example(t testing.TB, name string) *report.Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../examples/reports", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGolden(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"test-unconfirmed": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(),
	} {
		link := ""
		if name == "malicious-likely" {
			link = "https://reports.example/{id}"
		}
		body, err := alertOf(r, link)
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := json.Unmarshal(body, &any); err != nil {
			t.Fatal(err)
		}
		got, _ := json.MarshalIndent(any, "", "  ")
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestEveryKind: Falcosidekick takes a report of each kind, and of nothing.
func TestEveryKind(t *testing.T) {
	for _, r := range append(append(sinktest.Kinds(), sinktest.Reports()...), &report.Report{ID: "x"}) {
		body, err := alertOf(r, "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := read(body)
		if err != nil {
			t.Errorf("%s: %v", r.Kind, err)
		}
		if len(p.Output) > longestOutput || !strings.HasSuffix(p.Output, ")") {
			t.Errorf("output of %d bytes: %s", len(p.Output), p.Output)
		}
		if p.OutputFields["filelessd.id"] != r.ID {
			t.Errorf("id %v", p.OutputFields["filelessd.id"])
		}
		if p.Source != "filelessd" { // by which a filelessd behind Falcosidekick knows it
			t.Errorf("source %q", p.Source)
		}
	}
}

func TestPriority(t *testing.T) {
	for severity, want := range map[report.Severity]string{
		report.Critical: "Critical", report.High: "Error", report.Medium: "Warning", report.Low: "Notice", report.Info: "Informational", "": "Informational",
	} {
		if got := priority(severity); got != want || event.ParsePriority(got) == event.PriorityUnknown {
			t.Errorf("%s: %s", severity, got)
		}
	}
}

// TestFieldsOfOurs: an alert can not say what the verdict is.
func TestFieldsOfOurs(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.SetField("filelessd.verdict", "benign-likely")
	r.Event.SetField("Filelessd.extra", "x")
	r.Event.SetField(" filelessd.action", "nothing")
	r.Verdict = ""
	fields := fieldsOf(r, "")
	if _, ok := fields["filelessd.verdict"]; ok || fields["Filelessd.extra"] != "" || fields["filelessd.action"] != "Keep the program" {
		t.Errorf("%v", fields)
	}
}

func TestFieldsHaveRoom(t *testing.T) {
	r := sinktest.Big()
	r.Event.SetField("proc.cmdline", "3 --quiet")
	fields := fieldsOf(r, "")
	total := 0
	for name, value := range fields {
		if !strings.HasPrefix(name, "filelessd.") {
			total += len(name) + len(value)
		}
	}
	if total > mostFields || fields["proc.cmdline"] != "3 --quiet" || !strings.HasSuffix(fields["filelessd.left_out"], " fields of the alert") {
		t.Errorf("%d bytes, %s", total, fields["filelessd.left_out"])
	}
}

func TestConfig(t *testing.T) {
	for want, c := range map[string]Config{
		"":                      {URL: "http://sidekick:2801"},
		"url: missing":          {},
		"url: want a URL":       {URL: "SECRET:2801/SECRET"},
		"link: want {id} in it": {URL: "http://x", Link: "https://x/"},
		"tls: cert_file and key_file go together": {URL: "http://x", TLS: sink.TLS{CertFile: "/c"}},
	} {
		err := c.Validate()
		if (want == "") != (err == nil) || err != nil && (!strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, c := range map[string]Config{"url: missing": {}, "tls.ca_file: ": {URL: "http://x", TLS: sink.TLS{CAFile: "/none"}}} {
		if _, err := Kind.Open(t.Context(), c, sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestWrongAuthority: nothing goes to a receiver that is not the right one, and a wrong password passes.
func TestWrongAuthority(t *testing.T) {
	s := newSidekick(t, true)
	c := s.config()
	c.TLS.CAFile = ""
	err := openSink(t, c).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") {
		t.Error(err)
	}
	c = s.config()
	c.URL = sink.Secret(s.server.URL)
	err = openSink(t, c).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "answered 401") || len(s.received()) != 0 {
		t.Error(err)
	}
}

// TestRepeatedCredentials: what net/http makes of the URL's password does not show either.
func TestRepeatedCredentials(t *testing.T) {
	s := newSidekick(t, false)
	s.answer(http.StatusBadRequest, nil)
	err := openSink(t, s.config()).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || strings.Contains(err.Error(), "b3BlcmF0b3I6") { // operator: in base64
		t.Error(err)
	}
}

func TestProbePath(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.Method + " " + r.RequestURI }))
	defer server.Close()
	to, ok := openSink(t, Config{URL: sink.Secret(server.URL + "/side/?key=1")}).(sink.Prober)
	if !ok || to.Probe(t.Context()) != nil || asked != "GET /side/ping" {
		t.Errorf("asked for %s", asked)
	}
}

func FuzzAlert(f *testing.F) {
	f.Add("k8s.ns.name", "\" <!channel>\n\x00\xff")
	f.Fuzz(func(t *testing.T, name, value string) {
		r := sinktest.Ordinary()
		r.Title, r.Summary, r.Event.Rule, r.Event.Hostname = value, value, value, value
		r.Event.SetField(name, value)
		r.Event.SetField("proc.cmdline", value)
		body, err := alertOf(r, "")
		if err != nil {
			t.Fatal(err)
		}
		if value == "Test rule" {
			return
		}
		all, err := texts(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range all {
			if report.Visible(text) != text || len(text) > longestField {
				t.Errorf("%q", text)
			}
		}
		if err := (sinktest.Medium{Texts: texts}).Inert(r, body); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	to := openSink(b, Config{URL: sink.Secret(server.URL)})
	b.Run("single", func(b *testing.B) { // Falcosidekick takes one alert a request
		b.ReportAllocs()
		for b.Loop() {
			if err := to.Deliver(b.Context(), sinktest.Ordinary()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
