//go:build integration

package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const monitoring = "../../examples/monitoring/"

// TestIntegrationPromtool has Prometheus's own tool read the rules and run their tests.
func TestIntegrationPromtool(t *testing.T) {
	promtool := testprogram.Find(t, "promtool", "prometheus")
	for _, args := range [][]string{
		{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}, {"test", "rules", "alerts_quiet_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestIntegrationPrometheus has a real Prometheus scrape two daemons as the example says, with the alert
// rules loaded. On daemons that are well no alert may be pending, and each query of the dashboard has an
// answer.
func TestIntegrationPrometheus(t *testing.T) {
	program := testprogram.Find(t, "prometheus", "prometheus")
	promtool := testprogram.Find(t, "promtool", "prometheus")
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	d.edit("\nsinks:", "\ngrpc: {listen: '127.0.0.1:0'}\nmatch: {rules: [{id: lab, technique: fd_exec, when: 'hostname == \"lab\"', reason: r}]}\nsinks:")
	d.run()
	certs := newCertificates(t)
	far := newDaemon(t, receiver.URL, "")
	far.edit("listen: "+far.http, "listen: "+far.http+", token: s3cret-t0ken, tls: {cert_file: "+certs.cert+", key_file: "+certs.key+"}")
	startCommand(t, []string{os.Args[0], "run", "-c", far.config})

	_, metrics := d.get("/metrics")
	checkMetrics(t, promtool, metrics)
	p := newPrometheus(t, program, promtool, d.http, far.http, certs.ca)
	lines, _ := alerts(t, 40)
	d.postAll(lines[:20])
	waitFor(t, "a few scrapes", func() bool { return len(p.query(`count_over_time(filelessd_ready[1m]) > 2`)) == 2 })
	d.postAll(lines[20:]) // so that counters rise between scrapes
	waitFor(t, "a scrape after the alerts", func() bool { return len(p.query(`increase(filelessd_alerts_received_total[1m]) >= 20`)) == 1 })
	p.checkRules()
	for _, expr := range dashboardQueries(t) {
		if len(p.query(expr)) == 0 && !emptyWhileWell(expr) {
			t.Errorf("no answer to %s", expr)
		}
	}
}

// emptyWhileWell knows the queries that have no answer while nothing is wrong or starts.
func emptyWhileWell(expr string) bool {
	return strings.HasSuffix(expr, "> 0") && (strings.Contains(expr, "filelessd_sink_parked") || strings.HasPrefix(expr, "changes("))
}

// checkMetrics has promtool look at what a daemon serves. It tells of names and types that are unusual.
func checkMetrics(t *testing.T, promtool, metrics string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(metrics)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

type prometheus struct {
	t       *testing.T
	address string
}

// newPrometheus runs a Prometheus with the example's configuration, but for its addresses and files.
func newPrometheus(t *testing.T, program, promtool, near, far, ca string) *prometheus {
	t.Helper()
	dir, address := t.TempDir(), freePort(t)
	read := func(name string) string {
		data, err := os.ReadFile(monitoring + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("alerts.yaml", read("alerts.yaml"))
	token := write("filelessd.token", "s3cret-t0ken")
	config := read("prometheus.yaml")
	for old, with := range map[string]string{
		"[127.0.0.1:2804]": "[" + near + "]", "[node-1.example:2804, node-2.example:2804]": "[" + far + "]",
		"/etc/prometheus/filelessd.token": token, "/etc/prometheus/filelessd-ca.pem": ca,
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("no %s in the example", old)
		}
		config = strings.ReplaceAll(config, old, with)
	}
	path := write("prometheus.yaml", config+"\nglobal: {scrape_interval: 1s, evaluation_interval: 1s}\n")
	outputOf(t, promtool, "check", "config", path)
	startCommand(t, []string{
		program, "--config.file=" + path, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address,
	})
	p := &prometheus{t, address}
	waitFor(t, "Prometheus", func() bool {
		resp, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// ask sends a question to the API, and decodes the answer's data.
func (p *prometheus) ask(path string, data any) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.address + "/api/v1/" + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		p.t.Fatalf("%s: %v %s", path, err, answer.Error)
	}
}

func (p *prometheus) query(expr string) []any {
	p.t.Helper()
	var data struct{ Result []any }
	p.ask("query?query="+url.QueryEscape(expr), &data)
	return data.Result
}

// checkRules: each rule was evaluated, and has nothing to tell.
func (p *prometheus) checkRules() {
	p.t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct {
				Name, State, Health, LastError string
			}
		}
	}
	p.ask("rules", &data)
	n := 0
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			n++
			if r.State != "inactive" || r.Health != "ok" {
				p.t.Errorf("%s is %s, %s: %s", r.Name, r.State, r.Health, r.LastError)
			}
		}
	}
	if n < 20 {
		p.t.Errorf("%d rules", n)
	}
}

// dashboardQueries are those of the dashboard, with its variables filled in.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	data, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if expr, ok := v["expr"].(string); ok {
				all = append(all, strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$job", ".+", "$instance", ".+").Replace(expr))
			}
			for _, inner := range v {
				find(inner)
			}
		case []any:
			for _, inner := range v {
				find(inner)
			}
		}
	}
	find(decode[any](t, string(data)))
	if len(all) < 30 {
		t.Fatalf("%d queries", len(all))
	}
	return all
}
