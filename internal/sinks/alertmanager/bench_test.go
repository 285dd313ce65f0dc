package alertmanager

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// BenchmarkDeliver posts to a server in the same process; an op is one report.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	c := Kind.Default()
	c.URLs = []sink.Secret{sink.Secret(server.URL)}
	s := openSink(b, c)
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Deliver(b.Context(), sinktest.Ordinary()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch", func(b *testing.B) {
		b.ReportAllocs()
		batch := make([]*report.Report, 100)
		for i := range batch {
			batch[i] = sinktest.Ordinary()
		}
		for i := 0; i < b.N; i += len(batch) {
			for _, err := range s.DeliverBatch(b.Context(), batch) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
