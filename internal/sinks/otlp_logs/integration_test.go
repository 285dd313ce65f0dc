//go:build integration

package otlplogs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const collectorConfig = `
receivers:
  otlp:
    protocols:
      http: {endpoint: %q}
exporters:
  otlp_http:
    logs_endpoint: %s/v1/logs
    encoding: json
    compression: none
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], exporters: [otlp_http]}
`

// TestIntegrationCollector delivers to the OpenTelemetry collector, which reads the records and hands
// them on as JSON: what it says is what it understood.
func TestIntegrationCollector(t *testing.T) {
	var mu sync.Mutex
	got := map[string]map[string]any{} // records by log.record.uid
	behind := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, record := range recordsOf(t, body) {
			got[attribute(record, "log.record.uid")] = record
		}
	}))
	defer behind.Close()
	address := fixture.FreePort(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, collectorConfig, address, behind.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := fixture.Start(t, address, nil, fixture.Build(t, "receivers", "./otelcol"), "--config", "file:"+file)

	for _, compression := range []string{"none", "gzip"} {
		c := config(sink.Secret("http://"+address), sink.TLS{})
		c.Compression = compression
		o := openOTLP(t, c)
		if err := o.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := append(sinktest.Kinds(), sinktest.Hostile())
		attack := fixture.Samples(t)["malicious-likely"]
		for n, err := range o.DeliverBatch(t.Context(), append(slices.Clone(sent), attack)) {
			if err != nil {
				t.Errorf("%d: %v", n, err)
			}
		}
		fixture.WaitFor(t, "the records", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == len(sent)+1 })
		mu.Lock()
		for _, r := range sent {
			check(t, r, got[r.ID])
		}
		record := got[attack.ID]
		t.Logf("%s, severity %v %v, host %s, score %s, command line %s\n%s", record["eventName"], record["severityNumber"], record["severityText"],
			attribute(record, "host.name"), attribute(record, "filelessd.score"), attribute(record, "process.command_line"), text(record["body"]))
		clear(got)
		mu.Unlock()
	}
	stop()
	o := openOTLP(t, config(sink.Secret("http://"+address), sink.TLS{}))
	if err := o.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
		t.Errorf("the collector is gone: %v", err)
	}
}

func check(t *testing.T, r *report.Report, record map[string]any) {
	t.Helper()
	if record == nil {
		t.Errorf("the %s did not arrive", r.Kind)
		return
	}
	if record["severityText"] != string(r.Severity) || record["eventName"] != "filelessd."+string(r.Kind) ||
		record["observedTimeUnixNano"] != fmt.Sprint(r.CreatedAt.UnixNano()) || !strings.Contains(text(record["body"]), r.ID) {
		t.Errorf("%s: %v", r.Kind, record)
	}
	if err := sinktest.CheckText(r, []byte(text(record["body"]))); err != nil {
		t.Error(err)
	}
}

func recordsOf(t *testing.T, body []byte) (records []map[string]any) {
	var data struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []map[string]any `json:"logRecords"`
			} `json:"scopeLogs"`
		} `json:"resourceLogs"`
	}
	if err := json.Unmarshal(body, &data); err != nil {
		t.Error(err)
	}
	for _, r := range data.ResourceLogs {
		for _, s := range r.ScopeLogs {
			records = append(records, s.LogRecords...)
		}
	}
	return records
}

func attribute(record map[string]any, name string) string {
	list, _ := record["attributes"].([]any)
	for _, a := range list {
		if pair, _ := a.(map[string]any); pair["key"] == name {
			return text(pair["value"])
		}
	}
	return ""
}

// text is a value of OTLP in JSON.
func text(value any) string {
	v, _ := value.(map[string]any)
	for _, x := range v {
		return fmt.Sprint(x)
	}
	return ""
}
