package app

import (
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
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
		rejected:   counter("filelessd_alerts_rejected_total", "Alerts and requests that could not be used, and were not analysed.", "source", "reason"),
		duplicate:  counter("filelessd_alerts_duplicate_total", "Matching alerts that were known already; they make no second report.", "source"),
		lost:       counter("filelessd_lost_total", "Reports that filelessd itself lost: no sink gets them any more.", "reason"),
		ruleErrors: counter("filelessd_rule_errors_total", "Alerts on which a rule of match.rules failed, which counts as not matching.", "rule"),
		durable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "filelessd_durable_seconds", Help: "Seconds from a matching alert's receipt to its report being synced to disk.",
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

// startRules takes the operator's own rules.
func (m *metrics) startRules(rules []match.Rule) {
	for _, r := range rules {
		m.ruleErrors.WithLabelValues(r.ID)
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
