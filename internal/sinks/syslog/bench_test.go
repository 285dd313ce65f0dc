package syslog

import (
	"io"
	"net"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// BenchmarkDeliver sends reports to a receiver in the same process, one at a time and a hundred at once.
func BenchmarkDeliver(b *testing.B) {
	s := sinktest.NewServer(b, "tcp", nil, func(conn net.Conn, _ *sinktest.Server) { _, _ = io.Copy(io.Discard, conn) })
	opened, err := Kind.Open(b.Context(), configured("tcp", s.Address), sinktest.Env())
	if err != nil {
		b.Fatal(err)
	}
	to, ok := opened.(sink.BatchSink)
	if !ok {
		b.Fatal("takes no batch")
	}
	for name, size := range map[string]int{"single": 1, "batch": 100} {
		b.Run(name, func(b *testing.B) {
			batch := make([]*report.Report, size)
			for i := range batch {
				batch[i] = sinktest.Ordinary()
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range to.DeliverBatch(b.Context(), batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
