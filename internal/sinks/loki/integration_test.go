//go:build integration

package loki

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const lokiConfig = `
auth_enabled: true
analytics: {reporting_enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: %[2]s, grpc_listen_address: 127.0.0.1, grpc_listen_port: %[3]s}
common:
  instance_addr: 127.0.0.1
  path_prefix: %[1]s
  storage: {filesystem: {chunks_directory: %[1]s/chunks, rules_directory: %[1]s/rules}}
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
schema_config:
  configs:
    - {from: 2020-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}
ingester: {lifecycler: {min_ready_duration: 0s}}
`

// TestIntegrationLoki delivers to Loki and asks it for the lines, labels and metadata.
func TestIntegrationLoki(t *testing.T) {
	address := fixture.FreePort(t)
	_, port, _ := net.SplitHostPort(address)
	_, grpc, _ := net.SplitHostPort(fixture.FreePort(t))
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, lokiConfig, dir, port, grpc), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fixture.Build(t, "receivers/loki", "github.com/grafana/loki/v3/cmd/loki")
	stop := fixture.Start(t, address, nil, program, "-config.file="+file)
	fixture.WaitFor(t, "Loki to be ready", func() bool { _, err := get(t, address, "/ready", nil); return err == nil })

	c := config(sink.Secret("http://"+address), sink.TLS{})
	c.Tenant = "blue"
	l := openLoki(t, c)
	if err := l.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	attack := fixture.Samples(t)["malicious-likely"]
	attack.Event.Time = now.Add(-time.Minute)
	old := sinktest.Ordinary() // of months ago
	sent := []*report.Report{attack, old}
	for _, r := range append(sinktest.Kinds()[1:], sinktest.Hostile()) {
		r.CreatedAt = now
		if r.Event != nil {
			r.Event.Time = now.Add(-2 * time.Minute)
		}
		sent = append(sent, r)
	}
	for range 2 { // the second time nothing is new but the old one
		for n, err := range l.DeliverBatch(t.Context(), sent) {
			if err != nil {
				t.Errorf("%d: %v", n, err)
			}
		}
	}
	var entries []entry
	fixture.WaitFor(t, "the lines", func() bool { entries = query(t, address, `{job="filelessd"}`); return len(entries) >= len(sent) })
	if want := len(sent) + 1; len(entries) != want {
		t.Errorf("%d lines, want %d", len(entries), want)
	}
	for _, r := range sent {
		found := query(t, address, `{job="filelessd"} | id = "`+r.ID+`"`)
		if len(found) == 0 || !strings.Contains(found[0].line, r.ID) || found[0].labels["kind"] != string(r.Kind) || report.Visible(found[0].line) != found[0].line {
			t.Errorf("%s %s: %v", r.Kind, r.ID, found)
		}
	}
	for _, q := range []string{
		`{job="filelessd", verdict="malicious-likely"} | host = "nb-worker-2" | score > 64`,
		`{job="filelessd"} | logfmt | msg =~ "Probably malicious.*" | action != ""`,
	} {
		found := query(t, address, q)
		if len(found) != 1 || !found[0].at.Equal(attack.Event.Time) || found[0].labels["detected_level"] != "critical" {
			t.Errorf("%s: %v", q, found)
		}
		t.Logf("%s: %d", q, len(found))
	}
	t.Logf("%v", query(t, address, `{job="filelessd", verdict="malicious-likely"}`))

	c.Tenant = ""
	if err := openLoki(t, c).Deliver(t.Context(), attack); err == nil || sink.IsPermanent(err) {
		t.Errorf("no tenant: %v", err)
	}
	c.Tenant, c.Format, c.MaxLine = "blue", "json", 1<<20
	if err := openLoki(t, c).Deliver(t.Context(), sinktest.Big()); !sink.IsPermanent(err) || !strings.Contains(err.Error(), "ax entry size") {
		t.Errorf("a line that is too long: %v", err)
	}
	stop()
	if err := l.Deliver(t.Context(), attack); err == nil || sink.IsPermanent(err) {
		t.Errorf("Loki is gone: %v", err)
	}
}

type entry struct {
	at     time.Time
	line   string
	labels map[string]string
}

func query(t *testing.T, address, q string) (entries []entry) {
	t.Helper()
	body, err := get(t, address, "/loki/api/v1/query_range", url.Values{"query": {q}, "since": {"1h"}, "limit": {"1000"}})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string `json:"stream"`
				Values [][2]string       `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	for _, s := range answer.Data.Result {
		for _, v := range s.Values {
			var ns int64
			_, _ = fmt.Sscan(v[0], &ns)
			entries = append(entries, entry{time.Unix(0, ns), v[1], s.Stream})
		}
	}
	return entries
}

func get(t *testing.T, address, path string, values url.Values) ([]byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path+"?"+values.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Scope-OrgID", "blue")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d: %s", resp.StatusCode, body)
	}
	return body, err
}
