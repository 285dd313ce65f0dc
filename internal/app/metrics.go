package app

import (
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/source"
)

// metrics are those of the way in; deliver has those of the way out. Labels are bounded by the
// configuration and the taxonomy: nothing that an alert says becomes one.
type metrics struct {
	registry   *prometheus.Registry
	received   *prometheus.CounterVec
	matched    *prometheus.CounterVec
	rejected   *prometheus.CounterVec
	duplicate  *prometheus.CounterVec
	lost       *prometheus.CounterVec
	ruleErrors *prometheus.CounterVec
	durable    prometheus.Histogram

	mu     sync.Mutex
	ofSink map[string][]prometheus.Collector // that are read from its status
}

func newMetrics(reg *prometheus.Registry, version string) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		registry: reg, ofSink: map[string][]prometheus.Collector{},
		received:   counter("filelessd_alerts_received_total", "Alerts that a source brought, matching or not.", "source"),
		matched:    counter("filelessd_alerts_matched_total", "Alerts that show fileless execution, by their first technique; repeats count.", "technique"),
		rejected:   counter("filelessd_alerts_rejected_total", "Alerts and requests that could not be used.", "source", "reason"),
		duplicate:  counter("filelessd_alerts_duplicate_total", "Matching alerts that were known already.", "source"),
		lost:       counter("filelessd_lost_total", "Reports that filelessd itself lost.", "reason"),
		ruleErrors: counter("filelessd_rule_errors_total", "Alerts on which a rule of match.rules failed.", "rule"),
		durable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "filelessd_durable_seconds", Help: "Seconds from an alert's receipt to its report being synced to disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5},
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "filelessd_build_info", Help: "Always 1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	reg.MustRegister(m.durable, info)
	for _, reason := range []string{"store_full", "damaged", "panic", "dead_letters"} {
		m.lost.WithLabelValues(reason)
	}
	return m
}

func (m *metrics) startTechniques(base *knowledge.Base) {
	for _, t := range base.Techniques {
		m.matched.WithLabelValues(string(t.ID))
	}
}

// sourceMetrics are the counters of one source that every batch touches.
type sourceMetrics struct {
	name                string
	received, duplicate prometheus.Counter
}

func (m *metrics) startSource(name string) {
	m.ofSource(name)
	for _, reason := range source.Reasons() {
		m.rejected.WithLabelValues(name, reason)
	}
}

func (m *metrics) ofSource(name string) *sourceMetrics {
	return &sourceMetrics{name, m.received.WithLabelValues(name), m.duplicate.WithLabelValues(name)}
}

// watchSource adds what is read from a source's status at each scrape.
func (m *metrics) watchSource(name string, s source.Source) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "filelessd_source_up", Help: "0 while Falco does not answer, or its file can not be read.", ConstLabels: prometheus.Labels{"source": name},
	}, func() float64 {
		switch s.Status().State {
		case "connecting", "waiting":
			return 0
		}
		return 1
	}))
}

// watchReports adds how many read the log over gRPC.
func (m *metrics) watchReports(r *server.Reports) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "filelessd_report_streams", Help: "Streams of the report service that are open.",
	}, func() float64 { return float64(r.Streams()) }))
}

// watchSink adds what is read from a sink's status at each scrape.
func (m *metrics) watchSink(name string, w *deliver.Worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	labels := prometheus.Labels{"sink": name}
	gauge := func(metric, help string, value func(deliver.Status) float64) {
		g := prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: metric, Help: help, ConstLabels: labels},
			func() float64 { return value(w.Status()) },
		)
		m.registry.MustRegister(g)
		m.ofSink[name] = append(m.ofSink[name], g)
	}
	gauge("filelessd_sink_backlog", "Reports that the sink has not passed yet, parked ones included.",
		func(s deliver.Status) float64 { return float64(s.Backlog) })
	gauge("filelessd_sink_up", "0 while the sink takes nothing.", func(s deliver.Status) float64 {
		if s.BreakerOpen {
			return 0
		}
		return 1
	})
}

// forgetSink ends what watchSink began.
func (m *metrics) forgetSink(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.ofSink[name] {
		m.registry.Unregister(c)
	}
	delete(m.ofSink, name)
}
