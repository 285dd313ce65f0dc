package sinktest

import (
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// benchBatch is how many reports a batch of Bench has.
const benchBatch = 50

// Bench measures how many reports a second s delivers of the usual size: one after the other, and in
// batches if it takes any. A sink calls it in its BenchmarkDeliver, which `make bench` runs.
func Bench(b *testing.B, s sink.Sink) {
	b.Helper()
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for r := Ordinary(); b.Loop(); {
			if err := s.Deliver(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	})
	batches, ok := s.(sink.BatchSink)
	if !ok {
		return
	}
	b.Run("batch", func(b *testing.B) {
		b.ReportAllocs()
		reports := make([]*report.Report, benchBatch)
		for n := range reports {
			reports[n] = Ordinary()
		}
		for b.Loop() {
			for _, err := range batches.DeliverBatch(b.Context(), reports) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "reports/s")
	})
}
