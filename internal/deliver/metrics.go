package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcome is what became of a delivery.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered"
	Filtered  Outcome = "filtered" // the sink's when did not want it
	Failed    Outcome = "failed"   // and is tried again
	Parked    Outcome = "parked"   // set aside, tried from time to time
	Dead      Outcome = "dead"     // with the dead letters
)

// Metrics count deliveries.
type Metrics struct {
	deliveries  *prometheus.CounterVec
	deadLetters *prometheus.GaugeVec
	seconds     *prometheus.HistogramVec
	whenErrors  *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "filelessd_deliveries_total",
			Help: "Deliveries by outcome: delivered, filtered by when, failed and tried again, parked, dead.",
		}, []string{"sink", "outcome"}),
		deadLetters: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "filelessd_dead_letters", Help: "Reports that the sink refused for good, or that were given up.",
		}, []string{"sink"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "filelessd_delivered_seconds", Help: "Seconds from a report's making to its delivery.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600},
		}, []string{"sink"}),
		whenErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "filelessd_when_errors_total",
			Help: "Reports on which the sink's when failed; they count as wanted.",
		}, []string{"sink"}),
	}
	reg.MustRegister(m.deliveries, m.deadLetters, m.seconds, m.whenErrors)
	return m
}

// start makes every metric of a sink exist from the beginning.
func (m *Metrics) start(sink string) {
	for _, o := range []Outcome{Delivered, Filtered, Failed, Parked, Dead} {
		m.deliveries.WithLabelValues(sink, string(o))
	}
	m.deadLetters.WithLabelValues(sink)
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

func (m *Metrics) dead(sink string, letters int) {
	m.deadLetters.WithLabelValues(sink).Set(float64(letters))
}

func (m *Metrics) whenError(sink string) { m.whenErrors.WithLabelValues(sink).Inc() }
