package cli

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkPosters measures the daemon as a process of its own: matching alerts of 1.5 KB posted to
// falco_http, each delivered to one webhook, grouping off. Generator and receiver share the machine.
func BenchmarkPosters(b *testing.B) {
	for _, posters := range []int{16, 1} {
		b.Run(fmt.Sprint(posters), func(b *testing.B) {
			receiver := newReceiver(b)
			d := newDaemon(b, receiver.URL, "")
			p := d.run()
			lines := bigAlerts(b, b.N)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: posters}}
			defer client.CloseIdleConnections()
			cpu := p.cpu()
			b.ResetTimer()
			var next atomic.Int64
			var group sync.WaitGroup
			for range posters {
				group.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if !d.post(client, lines[i]) {
							b.Error("an alert was not accepted")
						}
					}
				})
			}
			group.Wait()
			waitFor(b, "all reports", func() bool { n, _ := receiver.got(); return n >= b.N })
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			b.ReportMetric(float64((p.cpu()-cpu).Microseconds())/float64(b.N), "cpu-µs/alert")
			b.ReportMetric(float64(p.peak())/1024, "peak-MB")
		})
	}
}

// BenchmarkIdle reports the memory of a daemon that waits.
func BenchmarkIdle(b *testing.B) {
	receiver := newReceiver(b)
	d := newDaemon(b, receiver.URL, "  falco: {type: falco_grpc, address: 'unix:///nonexistent/falco.sock'}")
	p := d.run()
	for b.Loop() {
		d.get("/healthz")
	}
	b.ReportMetric(float64(p.status("VmRSS:"))/1024, "rss-MB")
}

// bigAlerts are matching alerts of 1.5 KB.
func bigAlerts(tb testing.TB, n int) [][]byte {
	lines, _ := alerts(tb, n)
	for i, line := range lines {
		text := strings.Replace(string(line), `"output":"x"`, `"output":"`+strings.Repeat("x", 1500-len(line)+1)+`"`, 1)
		lines[i] = []byte(text)
	}
	return lines
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	p.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// peak is the largest resident memory so far, in KB.
func (p *process) peak() int { return p.status("VmHWM:") }

func (p *process) status(name string) int {
	p.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), name)
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
