package source

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
)

// BenchmarkIntake compares the source, with a handle that looks whether the alerts match, as none
// does, with a bare loop of client-go's get, on the same server and the same alerts in turn. ratio is the source's rate
// by the bare loop's; below 0.85 the benchmark fails.
func BenchmarkIntake(b *testing.B) {
	const n = 20_000
	frame := recordedFrames(b, "stable-rules")[16] // "Read sensitive file untrusted"
	f := startFalco(b)
	fill := func() {
		for range n {
			f.Push(frame)
		}
	}
	conn, err := grpc.NewClient("unix:"+f.path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	env := testEnv(b)
	env.Log = zerolog.Nop()
	g := openGRPC(b, f.config("get"), env)
	base, err := knowledge.Load()
	if err != nil {
		b.Fatal(err)
	}
	set, err := match.New(base, match.DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}

	var bare, ours time.Duration
	for b.Loop() {
		fill()
		began := time.Now()
		if got := bareGet(b, conn); got != n {
			b.Fatalf("%d alerts by client-go", got)
		}
		bare += time.Since(began)

		fill()
		began = time.Now()
		if got := takeAll(b, g, set, n); got != n {
			b.Fatalf("%d alerts by the source", got)
		}
		ours += time.Since(began)
	}
	ratio := float64(bare) / float64(ours)
	alerts := float64(n * b.N)
	b.ReportMetric(alerts/bare.Seconds(), "client-go-alerts/s")
	b.ReportMetric(alerts/ours.Seconds(), "alerts/s")
	b.ReportMetric(ratio, "ratio")
	if ratio < 0.85 {
		b.Errorf("the source takes alerts at %.2f of the speed of client-go", ratio)
	}
}

func bareGet(b *testing.B, conn *grpc.ClientConn) (n int) {
	b.Helper()
	stream, err := outputs.NewServiceClient(conn).Get(b.Context(), &outputs.Request{})
	if err != nil {
		b.Fatal(err)
	}
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// takeAll fails if an alert matches.
func takeAll(b *testing.B, g *GRPC, set *match.Set, want int) (n int) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	matched := 0
	err := g.Run(ctx, func(_ context.Context, events []event.Event) error {
		for i := range events {
			matched += len(set.Match(&events[i]))
		}
		if n += len(events); n >= want {
			cancel()
		}
		return nil
	})
	if err != nil || matched > 0 {
		b.Fatalf("%d of %d alerts match, %v", matched, n, err)
	}
	return n
}
