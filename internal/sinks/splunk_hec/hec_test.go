package splunkhec

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openHEC(t testing.TB, c Config) *hec {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*hec)
}

// inert: the event is the report to the byte, and of what stands around it only the host is the alert's.
func inert(r *report.Report, received []byte) error {
	e, _, err := readEvent(received)
	if err != nil {
		return err
	}
	if e.Source != "filelessd" || e.SourceType != "filelessd:json" || e.Index != "security" || e.Fields["report_id"] != r.ID {
		return fmt.Errorf("around the event: %+v", e)
	}
	for name, value := range e.Fields {
		if report.Visible(value) != value || len(value) > 64 {
			return fmt.Errorf("field %s is %q", name, value)
		}
	}
	if report.Visible(e.Host) != e.Host || len(e.Host) > 255 {
		return fmt.Errorf("host %q", e.Host)
	}
	return sinktest.CheckJSON(r, e.Event)
}

func TestConformance(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				s := newStandIn(t, secure)
				config := s.config()
				return sinktest.Harness{
					Open:     func() (sink.Sink, error) { return Kind.Open(context.Background(), config, sinktest.Env()) },
					Received: s.received,
					Inert:    inert,
					Accept:   func() { s.answer(http.StatusOK, 0, nil) },
					Reject:   func() { s.answer(http.StatusBadRequest, 6, nil) },
					Throttle: func() time.Duration {
						s.answer(http.StatusTooManyRequests, 26, http.Header{"Retry-After": {"7"}})
						return 7 * time.Second
					},
					Fail:   func() { s.answer(http.StatusServiceUnavailable, 9, nil) },
					Leave:  s.server.Close,
					Hold:   s.hold,
					Secret: token,
				}
			})
		})
	}
}

// The codes of Splunk's table of errors.
func TestAnswers(t *testing.T) {
	tests := []struct {
		status, code int
		permanent    bool
		says         string
	}{
		{403, 1, false, "answered 403"},
		{401, 2, false, "answered 401"},
		{401, 3, false, "answered 401"},
		{403, 4, false, "answered 403"},
		{400, 5, true, "answered 400"},
		{400, 6, true, "answered 400"},
		{400, 7, false, "the token may not write to this index, or there is none of this name: POST http"},
		{500, 8, false, "answered 500"},
		{503, 9, false, "answered 503"},
		{400, 10, false, "the token has indexer acknowledgement on"},
		{400, 11, false, "the token has indexer acknowledgement on"},
		{400, 12, true, "answered 400"},
		{400, 13, true, "answered 400"},
		{400, 14, false, "indexer acknowledgement is asked for"},
		{400, 15, true, "answered 400"},
		{400, 16, false, "the query"},
		{400, 21, false, "the token is not known"},
		{400, 22, false, "the token is disabled"},
		{503, 23, false, "answered 503"},
		{429, 26, false, "answered 429"},
		{413, 27, true, "answered 413"},
		{404, 404, false, "answered 404"},
		{307, 0, true, "answered 307"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d-%d", tt.status, tt.code), func(t *testing.T) {
			s := newStandIn(t, false)
			to := openHEC(t, s.config())
			s.answer(tt.status, tt.code, nil)
			err := to.Deliver(t.Context(), sinktest.Ordinary())
			if err == nil || sink.IsPermanent(err) != tt.permanent || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), token) {
				t.Errorf("permanent %v: %v", sink.IsPermanent(err), err)
			}
			if s.requests != 1 {
				t.Errorf("%d requests", s.requests)
			}
		})
	}
}

// A page of a proxy with status 200 is no event collector: the report was not taken.
func TestAnswerOfSomethingElse(t *testing.T) {
	for body, want := range map[string]string{
		"<html>log in</html>":           "answered 200, but not as an event collector does",
		`{"text":"x"}`:                  "answered 200, but not as an event collector does",
		`{"text":"x","code":9}`:         "answered 200 with code 9",
		`{"text":"Success","code":0}`:   "",
		`{"code":0,"ackId":5,"more":1}`: "",
	} {
		s := newStandIn(t, false)
		to := openHEC(t, s.config())
		s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		err := to.Deliver(t.Context(), sinktest.Ordinary())
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || sink.IsPermanent(err)) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// The collector refuses a request as a whole. The others of a batch do not share the fate of the bad one.
func TestBatchWithABadEvent(t *testing.T) {
	s := newStandIn(t, false)
	config := s.config()
	config.Output = sink.Output{Format: sink.FormatTemplate, Template: `{{if eq .Kind "alert"}}{{.ID}}{{end}}`} // blank for others
	to := openHEC(t, config)
	batch := []*report.Report{sinktest.Ordinary(), sinktest.Loss(), sinktest.Hostile()}
	errs := to.DeliverBatch(t.Context(), batch)
	if errs[0] != nil || !sink.IsPermanent(errs[1]) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	if got := s.received(); len(got) != 2 || s.requests != 4 {
		t.Errorf("%d events in %d requests", len(got), s.requests)
	}
}

func TestBatchesAreSplitBySize(t *testing.T) {
	s := newStandIn(t, false)
	to := openHEC(t, s.config())
	var batch []*report.Report
	for range 3 {
		batch = append(batch, sinktest.Ordinary(), sinktest.Big(), sinktest.Hostile()) // 2 KB, 600 KB, 2 MB
	}
	for _, err := range to.DeliverBatch(t.Context(), batch) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := s.received(); len(got) != 9 || s.requests != 6 {
		t.Errorf("%d events in %d requests", len(got), s.requests)
	}
	if errs := to.DeliverBatch(t.Context(), nil); len(errs) != 0 || s.requests != 6 {
		t.Errorf("nothing: %v", errs)
	}
}

func TestProbe(t *testing.T) {
	s := newStandIn(t, true)
	if err := openHEC(t, s.config()).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	wrong := s.config()
	wrong.Token = "wrong-token"
	if err := openHEC(t, wrong).Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "the token is not known") {
		t.Errorf("got %v", err)
	}
	s.answer(http.StatusServiceUnavailable, 18, nil)
	if err := openHEC(t, s.config()).Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "answered 503") {
		t.Errorf("got %v", err)
	}
}

func TestWrongCertificate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"certificate signed by unknown authority": func(c *Config) { c.TLS = sink.TLS{} },
		"not other.test": func(c *Config) { c.TLS.ServerName = "other.test" },
	} {
		s := newStandIn(t, true)
		config := s.config()
		change(&config)
		err := openHEC(t, config).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

// A connection that is cut after the request was read leaves open whether it was taken: one request, one
// passing error, though a connection was open before.
func TestCutAfterTheRequest(t *testing.T) {
	s := newStandIn(t, false)
	to := openHEC(t, s.config())
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	reads := 0
	s.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reads++
		panic(http.ErrAbortHandler)
	})
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	_ = to.Close()
	s.server.Close()
	if reads != 1 {
		t.Errorf("sent %d times", reads)
	}
}
