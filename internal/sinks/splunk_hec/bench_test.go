package splunkhec

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// BenchmarkDeliver sends reports of the usual size to a server in the same process, alone and 16 at once.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
	}))
	defer server.Close()
	c := Kind.Default()
	c.URL, c.Token = sink.Secret(server.URL), token
	to := openHEC(b, c)
	r := example(b, "test-unconfirmed")
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := to.Deliver(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch", func(b *testing.B) {
		const size = 16
		b.ReportAllocs()
		batch := make([]*report.Report, size)
		for n := range batch {
			batch[n] = r
		}
		for b.Loop() {
			for _, err := range to.DeliverBatch(b.Context(), batch) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/report")
	})
}
