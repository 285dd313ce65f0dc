package smtp

import (
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// BenchmarkDeliver sends mails to a server in the same process, with STARTTLS and a login; an op is one
// mail. Single ones pay for a connection each.
func BenchmarkDeliver(b *testing.B) {
	_, config := newMailServer(b, startTLS)
	s := openMailer(b, config)
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
		batch := make([]*report.Report, 50)
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

// BenchmarkMessage is the writing of a mail alone.
func BenchmarkMessage(b *testing.B) {
	m := testMailer(b, nil)
	r := example(b, "malicious-likely")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.message(r, "x"); err != nil {
			b.Fatal(err)
		}
	}
}
