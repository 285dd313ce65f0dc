package teams

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
)

// BenchmarkDeliver posts a card of the usual size to a server in the same process. There are no
// batches: a message has one card.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	c := Kind.Default()
	c.URL = sink.Secret(server.URL)
	to := openTeams(b, c)
	r := example(b, "test-unconfirmed")
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := to.Deliver(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
