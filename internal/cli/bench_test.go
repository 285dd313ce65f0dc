package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/falcosim"
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

// BenchmarkAlertToWebhook measures how long one alert takes at a steady 50 a second: from the moment
// that it is sent, until the webhook has its report. Over gRPC that includes waiting for the next
// poll, of which 1 ms shows what is beyond the poll, and 100 ms is the default.
func BenchmarkAlertToWebhook(b *testing.B) {
	b.Run("http", func(b *testing.B) {
		m := newMeter(b)
		d := newDaemon(b, m.URL, "")
		d.run()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}}
		defer client.CloseIdleConnections()
		m.measure(func(line []byte) {
			if !d.post(client, line) {
				b.Error("an alert was not accepted")
			}
		})
	})
	for _, poll := range []string{"1ms", "100ms"} {
		b.Run("grpc,poll="+poll, func(b *testing.B) {
			m := newMeter(b)
			falco := falcosim.New(falcosim.Options{})
			socket := filepath.Join(b.TempDir(), "falco.sock")
			if err := falco.ListenUnix(socket); err != nil {
				b.Fatal(err)
			}
			defer falco.Abort()
			d := newDaemon(b, m.URL, "  falco: {type: falco_grpc, address: 'unix://"+socket+"', poll: "+poll+"}")
			d.run()
			waitFor(b, "the first poll", func() bool { return falco.Stats().Gets > 0 })
			m.measure(func(line []byte) {
				if err := falco.PushJSON(line); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// A meter is a webhook that notes when each report comes.
type meter struct {
	*httptest.Server
	b    *testing.B
	mu   sync.Mutex
	came map[string]time.Time
}

func newMeter(b *testing.B) *meter {
	m := &meter{b: b, came: map[string]time.Time{}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		now := time.Now()
		m.mu.Lock()
		defer m.mu.Unlock()
		if id := r.Header.Get("webhook-id"); m.came[id].IsZero() {
			m.came[id] = now
		}
	}))
	b.Cleanup(m.Close)
	return m
}

// measure sends b.N alerts, each when it is due, however long the one before takes.
func (m *meter) measure(send func(line []byte)) {
	b := m.b
	lines, ids := alerts(b, b.N)
	sent := make([]time.Time, b.N)
	var senders sync.WaitGroup
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	b.ResetTimer()
	for i, line := range lines {
		<-tick.C
		sent[i] = time.Now()
		senders.Go(func() { send(line) })
	}
	senders.Wait()
	waitFor(b, "all reports", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.came) >= b.N })
	b.StopTimer()
	took := make([]float64, b.N)
	for i, id := range ids {
		took[i] = float64(m.came[id].Sub(sent[i]).Microseconds()) / 1000
	}
	slices.Sort(took)
	b.ReportMetric(took[(b.N-1)/2], "p50-ms")
	b.ReportMetric(took[(b.N-1)*99/100], "p99-ms")
	b.ReportMetric(took[b.N-1], "max-ms")
	b.ReportMetric(0, "ns/op") // is the pace; not shown
}

// BenchmarkDemo reports how long `filelessd demo` takes until its first report stands on the
// terminal.
func BenchmarkDemo(b *testing.B) {
	var first time.Duration
	for b.Loop() {
		began := time.Now()
		cmd := exec.CommandContext(b.Context(), os.Args[0], "demo", "--once")
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		first += time.Since(began)
		if err != nil || !strings.HasPrefix(line, "Alert Analysis Report: ") {
			b.Errorf("the first line is %q, %v", line, err)
		}
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "first-report-ms")
	b.ReportMetric(0, "ns/op")
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
