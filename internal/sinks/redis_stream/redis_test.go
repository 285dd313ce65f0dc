package redisstream

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// readCommand reads what a client of Redis sends.
// entry is what a command adds: field by field, in their order.
// fake plays Redis: it asks for a user, and refuses as Redis does.
// inert: the report is whole, and no other field has more than what can be seen.
func inert(r *report.Report, received []byte) error {
	var fields []string
	if err := json.Unmarshal(received, &fields); err != nil {
		return err
	}
	names := []string{"id", "kind", "severity", "verdict", "score", "technique", "host", "thread", "format", "report"}
	for i, name := range names {
		if fields[2*i] != name {
			return fmt.Errorf("field %d is %q, want %s", i, fields[2*i], name)
		}
		if value := fields[2*i+1]; report.Visible(value) != value {
			return fmt.Errorf("%s is not visible: %.200q", name, value)
		}
	}
	if len(fields) != 2*len(names) {
		return fmt.Errorf("%d words", len(fields))
	}
	return sinktest.CheckJSON(r, []byte(fields[len(fields)-1]))
}

func TestConformance(t *testing.T) {
	serverTLS, ca := certificate(t)
	for _, scheme := range []string{"redis", "rediss", "unix"} {
		t.Run(scheme, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				network, config := "tcp", (*tls.Config)(nil)
				switch scheme {
				case "unix":
					network = "unix"
				case "rediss":
					config = serverTLS
				}
				s := sinktest.NewServer(t, network, config, fake(t))
				c := configured(scheme, s.Address)
				if scheme == "rediss" {
					c.TLS.CAFile = ca
				}
				h := s.Harness()
				h.Open = func() (sink.Sink, error) { return Kind.Open(t.Context(), c, sinktest.Env()) }
				h.Inert, h.Secret = inert, password
				h.Lacks = map[string]string{"Throttle": "Redis does not say for how long"}
				return h
			})
		})
	}
}

func TestGolden(t *testing.T) {
	c := defaults()
	for name, r := range map[string]*report.Report{"ordinary": sinktest.Ordinary(), "summary": sinktest.Summary(), "loss": sinktest.Loss()} {
		for _, remember := range []time.Duration{0, time.Hour} {
			c.Remember, c.URL = remember, "redis://127.0.0.1"
			to, ok := opened(t, c).(*redisStream)
			if !ok {
				t.Fatal("another type")
			}
			words, err := to.command(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.MarshalIndent(words, "", "  ")
			path := filepath.Join("testdata", name+"."+strings.ToLower(words[0])+".json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

// TestRefusals: only what is about the report is final.
func TestRefusals(t *testing.T) {
	for refusal, final := range map[string]bool{
		"OOM command not allowed when used memory > 'maxmemory'.": false, "LOADING Redis is loading": false,
		"READONLY You can't write": false, "NOPERM this user has no permissions": false, "WRONGTYPE Operation against": false,
		"MOVED 1 h:6379": false, "ERR unknown command 'EVAL'": false, "ERR Protocol error: invalid bulk length": true,
		"ERR string exceeds maximum allowed size (proto-max-bulk-len)": true,
	} {
		s := sinktest.NewServer(t, "tcp", nil, func(conn net.Conn, _ *sinktest.Server) {
			reader := bufio.NewReader(conn)
			for {
				if _, err := readCommand(reader); err != nil {
					return
				}
				fmt.Fprintf(conn, "-%s\r\n", refusal)
			}
		})
		c := defaults()
		c.URL = sink.Secret("redis://" + s.Address)
		err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) != final || !strings.Contains(err.Error(), refusal) {
			t.Errorf("%v, final: %t", err, final)
		}
	}
}

// TestAnswersOfOthers: what is not Redis is an error, and not for ever.
func TestAnswersOfOthers(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", "$999999999999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "\r\n", "$x\r\n", strings.Repeat("x", 1<<16)} {
		s := sinktest.NewServer(t, "tcp", nil, func(conn net.Conn, _ *sinktest.Server) {
			_, _ = conn.Read(make([]byte, 1))
			fmt.Fprint(conn, answer)
			_, _ = io.Copy(io.Discard, conn)
		})
		c := defaults()
		c.URL = sink.Secret("redis://" + s.Address)
		if err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
}

// TestIdleConnectionIsClosed: it costs a new one, not a delivery.
func TestIdleConnectionIsClosed(t *testing.T) {
	var mu sync.Mutex
	connections := 0
	s := sinktest.NewServer(t, "tcp", nil, func(conn net.Conn, _ *sinktest.Server) {
		mu.Lock()
		connections++
		mu.Unlock()
		if _, err := readCommand(bufio.NewReader(conn)); err == nil {
			fmt.Fprint(conn, ":1\r\n") // and closes
		}
	})
	c := defaults()
	c.URL = sink.Secret("redis://" + s.Address)
	to := opened(t, c)
	for range 3 {
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Error(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if connections != 3 {
		t.Errorf("%d connections", connections)
	}
}

func TestWrongAuthorityAndPassword(t *testing.T) {
	serverTLS, _ := certificate(t)
	s := sinktest.NewServer(t, "tcp", serverTLS, fake(t))
	err := opened(t, configured("rediss", s.Address)).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") {
		t.Error(err)
	}
	s = sinktest.NewServer(t, "tcp", nil, fake(t))
	c := defaults()
	c.URL = sink.Secret("redis://filelessd:another-password@" + s.Address)
	to := opened(t, c)
	err = to.Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "another-password") {
		t.Error(err)
	}
	if p, ok := to.(sink.Prober); !ok || p.Probe(t.Context()) == nil {
		t.Error("the probe is content")
	}
}

// FuzzCommand: whatever an alert says, Redis reads the same words.
func FuzzCommand(f *testing.F) {
	f.Add("\r\n*1\r\n$8\r\nFLUSHALL\r\n", "\x00\xff")
	f.Fuzz(func(t *testing.T, host, text string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Title, r.Technique = host, text, report.Technique(text)
		r.Event.SetField("proc.cmdline", text)
		c := defaults()
		c.URL = "redis://127.0.0.1"
		to, _ := opened(t, c).(*redisStream)
		words, err := to.command(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() { _ = newClient(ours).write([][]string{words, {"PING"}}) }()
		reader := bufio.NewReader(theirs)
		got, err := readCommand(reader)
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%v, %q", err, got)
		}
		if next, err := readCommand(reader); err != nil || next[0] != "PING" {
			t.Errorf("%v, %q", err, next)
		}
		if strings.ContainsAny(words[slices.Index(words, "host")+1], "\r\n") {
			t.Error("a line of the host's")
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	s := sinktest.NewServer(b, "tcp", nil, func(conn net.Conn, _ *sinktest.Server) {
		for reader := bufio.NewReader(conn); ; {
			if _, err := readCommand(reader); err != nil {
				return
			}
			fmt.Fprint(conn, ":1\r\n")
		}
	})
	c := defaults()
	c.URL = sink.Secret("redis://" + s.Address)
	to, ok := opened(b, c).(sink.BatchSink)
	if !ok {
		b.Fatal("takes no batch")
	}
	for name, size := range map[string]int{"single": 1, "batch": 100} {
		b.Run(name, func(b *testing.B) {
			batch := slices.Repeat([]*report.Report{sinktest.Ordinary()}, size)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range to.DeliverBatch(b.Context(), batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
