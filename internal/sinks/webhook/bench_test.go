package webhook

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// BenchmarkDeliver posts signed reports of two sizes to a server in the same process, four at a
// time; cpu-µs/op is the processor time of both ends.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	w := openWebhook(b, Config{URL: sink.Secret(server.URL), Secret: "whsec_" + token})
	for _, r := range benchReports(b) {
		b.Run(size(b, r), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(2)
			reportCPU(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.Deliver(b.Context(), r); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkRequest is the sink's own part of that: JSON, signature and header.
func BenchmarkRequest(b *testing.B) {
	w := openWebhook(b, Config{URL: "http://localhost", Secret: "whsec_" + token})
	w.client.Transport = accepting{}
	for _, r := range benchReports(b) {
		b.Run(size(b, r), func(b *testing.B) {
			b.ReportAllocs()
			reportCPU(b)
			for b.Loop() {
				if err := w.Deliver(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type accepting struct{}

func (accepting) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

func benchReports(b *testing.B) []*report.Report {
	b.Helper()
	large := sinktest.Ordinary()
	for range 20 {
		large.Actions = append(large.Actions, large.Actions[0])
		large.Mitigations[0].Files[0].Content += strings.Repeat("# a line of a file\nkernel.x = 1\n", 25)
	}
	return []*report.Report{sinktest.Ordinary(), large}
}

func size(b *testing.B, r *report.Report) string {
	b.Helper()
	body, err := report.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%dKB", len(body)/1000)
}

// reportCPU reports the processor time from now to the end of the benchmark.
func reportCPU(b *testing.B) {
	b.Helper()
	start := cpu(b)
	b.Cleanup(func() {
		b.ReportMetric(float64((cpu(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
	})
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
