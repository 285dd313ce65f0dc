package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
)

// gauge registers what is read at each scrape.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) prometheus.Collector {
	g := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value)
	m.registry.MustRegister(g)
	return g
}

// watchReady adds what /readyz says.
func (m *metrics) watchReady(problems func() []string) {
	m.gauge("filelessd_ready", "0 while no alert can be taken, as /readyz says: the log can not append, or the program is stopping.", nil,
		func() float64 { return truth(len(problems()) == 0) })
}

// watchStore adds how full the log is.
func (m *metrics) watchStore(log *store.Log, most store.Bytes) {
	gauge := func(name, help string, value func(store.Stats) float64) {
		m.gauge(name, help, nil, func() float64 {
			stats, err := log.Stats(context.Background()) // fails for a context that ended only
			if err != nil {
				return 0
			}
			return value(stats)
		})
	}
	gauge("filelessd_store_bytes", "Bytes that the log takes on disk, its write-ahead log and free room inside the file included.",
		func(s store.Stats) float64 { return float64(s.Bytes) })
	gauge("filelessd_store_free_bytes", "The part of filelessd_store_bytes that is free room inside the file, to be used again.",
		func(s store.Stats) float64 { return float64(s.FreeBytes) })
	gauge("filelessd_store_records", "Reports in the log.", func(s store.Stats) float64 { return float64(s.Records) })
	m.gauge("filelessd_store_max_bytes", "What store.max_bytes allows the log. Near it old reports go, and those first that every sink has passed.",
		nil, func() float64 { return float64(most) })
}

// watchSource adds what is read from a source's status at each scrape.
func (m *metrics) watchSource(name string, s source.Source) {
	labels := prometheus.Labels{"source": name}
	m.gauge("filelessd_source_up", "0 while Falco does not answer, or its file can not be read. A source that listens is up.", labels, func() float64 {
		state := s.Status().State
		return truth(state != "connecting" && state != "waiting")
	})
	m.gauge("filelessd_source_last_alert_timestamp_seconds", "When the source last brought an alert, matching or not; 0 for not since the start.", labels,
		func() float64 { return unixSeconds(s.Status().LastAlert) })
}

// watchReports adds how many read the log over gRPC.
func (m *metrics) watchReports(r *server.Reports) {
	m.gauge("filelessd_report_streams", "Streams of the report service (grpc.listen) that are open.", nil,
		func() float64 { return float64(r.Streams()) })
}

// watchSink adds what is read from a sink's status at each scrape.
func (m *metrics) watchSink(name string, w *deliver.Worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(metric, help string, labels prometheus.Labels, value func(deliver.Status) float64) {
		m.ofSink[name] = append(m.ofSink[name], m.gauge(metric, help, labels, func() float64 { return value(w.Status()) }))
	}
	labels := prometheus.Labels{"sink": name}
	gauge("filelessd_sink_backlog", "Reports that the sink has not passed yet, parked ones included.", labels,
		func(s deliver.Status) float64 { return float64(s.Backlog) })
	gauge("filelessd_sink_parked", "Reports that the sink did not take while it took others; they are tried from time to time, in the end at most once an hour.", labels,
		func(s deliver.Status) float64 { return float64(s.Parked) })
	gauge("filelessd_sink_oldest_seconds", "Age of the oldest report that the sink has not passed, parked ones included; 0 for none.", labels,
		func(s deliver.Status) float64 { return age(s.Oldest) })
	gauge("filelessd_sink_up", "0 while the sink takes nothing.", labels, func(s deliver.Status) float64 { return truth(!s.BreakerOpen) })
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

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// unixSeconds is t as Prometheus has times; 0 for the zero time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// age is in seconds; 0 for the zero time, and for one that a clock set back has put into the future.
func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, time.Since(t).Seconds())
}
