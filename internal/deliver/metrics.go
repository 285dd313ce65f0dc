package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count deliveries.
type Metrics struct {
	deliveries  *prometheus.CounterVec
	deadLetters *prometheus.GaugeVec
	seconds     *prometheus.HistogramVec
	whenErrors  *prometheus.CounterVec
	withheld    *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "filelessd_deliveries_total",
			Help: "What became of reports at the sink: delivered, filtered by when, failed and tried again, parked, dead.",
		}, []string{"sink", "outcome"}),
		deadLetters: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "filelessd_dead_letters", Help: "Dead letters that are kept: reports that the sink refused for good, or that were given up.",
		}, []string{"sink"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "filelessd_delivered_seconds", Help: "Seconds from a report being made to its delivery, waiting for a sink that was down included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600},
		}, []string{"sink"}),
		whenErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "filelessd_when_errors_total",
			Help: "Reports on which the sink's when failed; they are delivered.",
		}, []string{"sink"}),
		withheld: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "filelessd_suppressed_total",
			Help: "Reports that were counted instead of delivered: in the summary of their group, by a silence, by rate_limit.",
		}, []string{"sink", "reason"}),
	}
	reg.MustRegister(m.deliveries, m.deadLetters, m.seconds, m.whenErrors, m.withheld)
	return m
}

// start makes every metric of a sink exist from the beginning.
func (m *Metrics) start(sink string) {
	for _, o := range []Outcome{Delivered, Filtered, Failed, Parked, Dead} {
		m.deliveries.WithLabelValues(sink, string(o))
	}
	m.deadLetters.WithLabelValues(sink)
	for _, o := range []Outcome{Grouped, Silenced, RateLimited} {
		m.withheld.WithLabelValues(sink, string(o))
	}
	m.seconds.WithLabelValues(sink)
	m.whenErrors.WithLabelValues(sink)
}

func (m *Metrics) count(sink string, o Outcome) {
	m.deliveries.WithLabelValues(sink, string(o)).Inc()
}

func (m *Metrics) delivered(sink string, after time.Duration) {
	m.count(sink, Delivered)
	m.seconds.WithLabelValues(sink).Observe(after.Seconds())
}

// suppressed counts a record that the cursor passes.
func (m *Metrics) suppressed(sink string, o Outcome) {
	if o == Grouped || o == Silenced || o == RateLimited {
		m.withheld.WithLabelValues(sink, string(o)).Inc()
	}
}

func (m *Metrics) dead(sink string, letters int) {
	m.deadLetters.WithLabelValues(sink).Set(float64(letters))
}

func (m *Metrics) whenError(sink string) { m.whenErrors.WithLabelValues(sink).Inc() }

// Forget removes the metrics of a sink that is no more.
func (m *Metrics) Forget(sink string) {
	of := prometheus.Labels{"sink": sink}
	m.deliveries.DeletePartialMatch(of)
	m.deadLetters.DeletePartialMatch(of)
	m.seconds.DeletePartialMatch(of)
	m.whenErrors.DeletePartialMatch(of)
	m.withheld.DeletePartialMatch(of)
}
