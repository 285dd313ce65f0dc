package main

import (
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// TestNtfy runs the suite that every sink passes.
func TestNtfy(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		url, h := sinktest.HTTP(t)
		h.Secret = "tk_secret0123456789"
		c := config{URL: sink.Secret(url + "/topic-0123456789"), Token: sink.Secret(h.Secret)}
		h.Open = func() (sink.Sink, error) { return open(t.Context(), c, sinktest.Env()) }
		h.Inert = sinktest.Medium{Lines: true, Size: 4096}.Inert
		h.Lacks = map[string]string{"Probe": "ntfy has nothing to ask without sending"}
		return h
	})
}

func BenchmarkDeliver(b *testing.B) {
	url, _ := sinktest.HTTP(b)
	s, err := open(b.Context(), config{URL: sink.Secret(url)}, sinktest.Env())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	sinktest.Bench(b, s)
}
