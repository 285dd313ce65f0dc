//go:build integration

package redisstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testca"
	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// The user may do what the README says that it needs, and nothing else.
const redisConfig = `
bind 127.0.0.1
port %[2]d
tls-port %[3]d
tls-cert-file %[1]s/cert.pem
tls-key-file %[1]s/cert.key
tls-ca-cert-file %[1]s/ca.pem
unixsocket %[1]s/socket
dir %[1]s
appendonly yes
save ""
user default off
user filelessd on '>pa"ss/w0rd-c2VjcmV0' resetkeys ~filelessd:reports ~{filelessd:reports}:seen:* -@all +eval +xadd +exists +set +ping
user plain on >plain-password resetkeys ~filelessd:reports -@all +xadd +ping
user reader on >reader allkeys +@all
`

type redis struct {
	t                 *testing.T
	dir, program, ask string
	port, secure      int
	cmd               *exec.Cmd
	output            bytes.Buffer
}

func newRedis(t *testing.T) *redis {
	t.Helper()
	s := &redis{t: t, dir: t.TempDir(), program: testprogram.Find(t, "redis-server", "redis-server"), port: freePort(t), secure: freePort(t)}
	s.ask = testprogram.Find(t, "redis-cli", "redis-tools")
	testca.New(t, s.dir, "ca").Issue(t, "cert")
	s.write("conf", fmt.Appendf(nil, redisConfig, s.dir, s.port, s.secure))
	s.start()
	t.Cleanup(s.stop)
	return s
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *redis) write(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *redis) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, filepath.Join(s.dir, "conf"))
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); s.cli("PING") != "PONG"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer:\n%s", s.output.String())
		}
	}
}

// pause stops the process where it is; it returns when all of its threads stand still.
func (s *redis) pause() {
	s.t.Helper()
	var status syscall.WaitStatus
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	if _, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		s.t.Fatalf("it does not pause: %v, %v", err, status)
	}
}

func (s *redis) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// cli asks Redis by its own program.
func (s *redis) cli(args ...string) string {
	args = append([]string{"-p", strconv.Itoa(s.port), "--user", "reader", "--pass", "reader", "--no-auth-warning"}, args...)
	out, _ := exec.Command(s.ask, args...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

func (s *redis) config(scheme string) Config {
	c := defaults()
	switch scheme {
	case "unix":
		c.URL = sink.Secret("unix://" + userinfo + s.dir + "/socket")
	case "rediss":
		c.URL = sink.Secret(fmt.Sprintf("rediss://%s127.0.0.1:%d", userinfo, s.secure))
		c.TLS = sink.TLS{CAFile: s.dir + "/ca.pem", CertFile: s.dir + "/cert.pem", KeyFile: s.dir + "/cert.key"}
	default:
		c.URL = sink.Secret(fmt.Sprintf("redis://%s127.0.0.1:%d", userinfo, s.port))
	}
	return c
}

// entries are those of the stream, each as its fields.
func (s *redis) entries() []map[string]string {
	s.t.Helper()
	var raw [][]any
	out := s.cli("--json", "-3", "XRANGE", "filelessd:reports", "-", "+")
	if err := json.Unmarshal([]byte(out), &raw); err != nil {
		s.t.Fatalf("%v: %.500s", err, out)
	}
	var all []map[string]string
	for _, e := range raw {
		words, _ := e[1].([]any)
		fields := map[string]string{}
		for i := 0; i+1 < len(words); i += 2 {
			name, _ := words[i].(string)
			fields[name], _ = words[i+1].(string)
		}
		all = append(all, fields)
	}
	return all
}

// TestIntegrationRedis: over each way to connect every report arrives once, whole, and a repeat adds none.
func TestIntegrationRedis(t *testing.T) {
	for _, scheme := range []string{"redis", "rediss", "unix"} {
		t.Run(scheme, func(t *testing.T) {
			s := newRedis(t)
			to := opened(t, s.config(scheme))
			if err := to.(sink.Prober).Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			batch := append(sinktest.Kinds(), sinktest.Hostile(), sinktest.Big())
			for range 2 { // the second time all are repeats
				if err := to.Deliver(t.Context(), batch[0]); err != nil {
					t.Fatal(err)
				}
				for _, err := range to.(sink.BatchSink).DeliverBatch(t.Context(), batch) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			got := s.entries()
			if len(got) != len(batch) {
				t.Fatalf("%d entries, want %d", len(got), len(batch))
			}
			for i, r := range batch {
				want, _ := report.Marshal(r)
				if got[i]["report"] != string(want) || got[i]["id"] != r.ID || got[i]["severity"] != string(r.Severity) || got[i]["thread"] == "" {
					t.Errorf("entry %d: %.500v", i, got[i])
				}
			}
			if ttl := s.cli("TTL", "{filelessd:reports}:seen:"+batch[0].ID); !strings.HasPrefix(ttl, "2591") && !strings.HasPrefix(ttl, "2592") {
				t.Errorf("remembered for %s s", ttl)
			}
			t.Logf("%.700s", s.cli("XRANGE", "filelessd:reports", "-", "+", "COUNT", "1"))
		})
	}
}

// TestIntegrationRedisBounds: the stream keeps about max_len; a user without EVAL adds entries with
// remember: 0.
func TestIntegrationRedisBounds(t *testing.T) {
	s := newRedis(t)
	c := s.config("redis")
	c.URL = sink.Secret(fmt.Sprintf("redis://plain:plain-password@127.0.0.1:%d", s.port))
	err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("without EVAL: %v", err)
	}
	c.Remember, c.MaxLen = 0, 100
	to := opened(t, c).(sink.BatchSink)
	for range 10 {
		batch := make([]*report.Report, 100)
		for i := range batch {
			batch[i] = sinktest.Loss()
		}
		for _, err := range to.DeliverBatch(t.Context(), batch) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := strconv.Atoi(s.cli("XLEN", "filelessd:reports")); err != nil || n < 100 || n > 300 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// TestIntegrationRedisIsFull: what it refuses while it is full comes again, and was not remembered.
func TestIntegrationRedisIsFull(t *testing.T) {
	s := newRedis(t)
	to := opened(t, s.config("redis"))
	s.cli("CONFIG", "SET", "maxmemory", "1")
	err := to.Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "OOM") {
		t.Error(err)
	}
	s.cli("CONFIG", "SET", "maxmemory", "0")
	s.cli("SET", "filelessd:reports", "no stream")
	err = to.Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Error(err)
	}
	s.cli("DEL", "filelessd:reports")
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil || len(s.entries()) != 1 {
		t.Errorf("%v, %d entries", err, len(s.entries()))
	}
}

// TestIntegrationRedisStops: stopped, hung, started again, killed; nothing is there twice.
func TestIntegrationRedisStops(t *testing.T) {
	s := newRedis(t)
	to := opened(t, s.config("redis"))
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if err := to.Deliver(t.Context(), sinktest.Loss()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("while it is down: %v", err)
	}
	s.start()
	s.pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := to.Deliver(ctx, sinktest.Loss()); err == nil || sink.IsPermanent(err) {
		t.Errorf("while it hangs: %v", err)
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	// What it had read meanwhile may be there already: this is the repeat.
	for _, r := range []*report.Report{sinktest.Loss(), sinktest.Ordinary()} {
		if err := to.Deliver(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	if n := len(s.entries()); n != 2 {
		t.Errorf("%d entries of 2 reports", n)
	}
}
