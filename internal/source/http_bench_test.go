package source

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

func BenchmarkHTTPPost(b *testing.B) {
	env := testEnv(b)
	h := mustOpenHTTP(b, HTTPConfig{Listen: "127.0.0.1:0"}, env)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- h.Run(ctx, func(context.Context, []event.Event) error { return nil })
	}()
	alert := readLines(b, recordings+"http-json.file-output.jsonl")[0]
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nUser-Agent: falcosecurity/falco\r\n"+
		"Accept: */*\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(alert), alert)
	b.ReportAllocs()
	b.SetParallelism(8)
	before := cpuTime(b)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				b.Error(err)
				return
			}
			if res.StatusCode != http.StatusOK {
				b.Error(res.Status)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// cpuTime is the processor time that this process, so poster and source together, has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
