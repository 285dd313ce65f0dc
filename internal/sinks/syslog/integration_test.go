//go:build integration

package syslog

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const rsyslogConfig = `
global(workDirectory="%[1]s" maxMessageSize="%[2]s"
  defaultNetstreamDriverCAFile="%[1]s/cert.pem" defaultNetstreamDriverCertFile="%[1]s/cert.pem"
  defaultNetstreamDriverKeyFile="%[1]s/key.pem")
module(load="imudp") module(load="imtcp") module(load="imptcp") module(load="imuxsock" sysSock.use="off")
input(type="imudp" address="127.0.0.1" port="%[3]d")
input(type="imtcp" address="127.0.0.1" port="%[4]d")
input(type="imtcp" address="127.0.0.1" port="%[5]d" streamDriver.name="gtls" streamDriver.mode="1"
  streamDriver.authMode="x509/certvalid")
input(type="imptcp" path="%[1]s/stream" unlink="on")
input(type="imuxsock" socket="%[1]s/datagrams" useSpecialParser="off" parseHostname="on")
template(name="out" type="list" option.jsonf="on") {
  property(outname="input" name="inputname" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}
action(type="omfile" file="%[1]s/out" template="out")
`

// rsyslog is a real one, with a file that it writes what it has understood to.
type rsyslog struct {
	t       *testing.T
	dir     string
	program string
	ports   [3]int
	cmd     *exec.Cmd
	errors  bytes.Buffer
}

// line is a message as rsyslog understood it.
type line struct{ Input, Facility, Severity, Host, App, Kind, Data, Text string }

func newRsyslog(t *testing.T, maxMessageSize string) *rsyslog {
	t.Helper()
	s := &rsyslog{t: t, dir: t.TempDir(), program: testprogram.Find(t, "rsyslogd", "rsyslog rsyslog-gnutls")}
	for i := range s.ports {
		s.ports[i] = freePort(t)
	}
	s.certificate()
	text := fmt.Sprintf(rsyslogConfig, s.dir, maxMessageSize, s.ports[0], s.ports[1], s.ports[2])
	s.write("conf", []byte(text))
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

func (s *rsyslog) write(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// certificate is one for all: of the authority, the server and the client.
func (s *rsyslog) certificate() {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	s.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func (s *rsyslog) start() {
	s.t.Helper()
	// A socket that is left over would look like one that listens.
	_ = os.Remove(filepath.Join(s.dir, "stream"))
	_ = os.Remove(filepath.Join(s.dir, "datagrams"))
	s.cmd = exec.Command(s.program, "-n", "-f", filepath.Join(s.dir, "conf"), "-i", filepath.Join(s.dir, "pid"))
	s.cmd.Stdout, s.cmd.Stderr = &s.errors, &s.errors
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for _, network := range []string{"tcp", "tls", "unix stream", "unix datagrams"} {
		to := s.open(s.config(network))
		s.wait("rsyslog to listen for "+network, func() bool { return to.(sink.Prober).Probe(s.t.Context()) == nil })
	}
}

func (s *rsyslog) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// wait polls for what another process does.
func (s *rsyslog) wait(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			data, _ := os.ReadFile(filepath.Join(s.dir, "out"))
			s.t.Fatalf("waited for %s; rsyslog says\n%s\nand has\n%.3000s", what, s.errors.String(), data)
		}
	}
}

func (s *rsyslog) config(network string) Config {
	name, kind, _ := strings.Cut(network, " ")
	c := configured(name, filepath.Join(s.dir, kind))
	switch name {
	case "udp":
		c.Address = fmt.Sprintf("127.0.0.1:%d", s.ports[0])
	case "tcp":
		c.Address = fmt.Sprintf("127.0.0.1:%d", s.ports[1])
	case "tls":
		c.Address = fmt.Sprintf("127.0.0.1:%d", s.ports[2])
		cert := filepath.Join(s.dir, "cert.pem")
		c.TLS = sink.TLS{CAFile: cert, CertFile: cert, KeyFile: filepath.Join(s.dir, "key.pem")}
	}
	if name != "unix" && kind == "newline" {
		c.Framing = "newline"
	}
	return c
}

func (s *rsyslog) open(c Config) sink.Sink {
	s.t.Helper()
	to, err := openWith(s.t, c)()
	if err != nil {
		s.t.Fatal(err)
	}
	return to
}

// lines are those that rsyslog wrote; one that is half written is none yet.
func (s *rsyslog) lines() (all []line) {
	data, _ := os.ReadFile(filepath.Join(s.dir, "out"))
	for text := range bytes.Lines(data) {
		var l line
		if !bytes.HasSuffix(text, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(text, &l); err != nil {
			s.t.Fatalf("%v: %.500s", err, text)
		}
		if l.App == "filelessd" {
			all = append(all, l)
		}
	}
	return all
}

var transports = map[string]string{
	"udp": "imudp", "tcp": "imtcp", "tcp newline": "imtcp", "tls": "imtcp", "unix stream": "imptcp", "unix datagrams": "imuxsock",
}

// TestIntegrationRsyslog: over each transport, in each format, rsyslog understands every message.
func TestIntegrationRsyslog(t *testing.T) {
	for network, input := range transports {
		t.Run(network, func(t *testing.T) {
			s := newRsyslog(t, "8k") // its default
			var sent []*report.Report
			var want []string
			for _, format := range []string{"json", "text", "cef"} {
				c := s.config(network)
				c.Format = format
				to := s.open(c)
				batch := append(sinktest.Kinds(), sinktest.Hostile(), sinktest.Big(), example(t, "malicious-likely"))
				if err := to.Deliver(t.Context(), batch[0]); err != nil {
					t.Fatal(err)
				}
				for _, err := range to.(sink.BatchSink).DeliverBatch(t.Context(), batch[1:]) {
					if err != nil {
						t.Fatal(err)
					}
				}
				for _, r := range batch {
					message, err := to.(*syslog).write.message(r)
					if err != nil {
						t.Fatal(err)
					}
					p, err := parse(message)
					if err != nil {
						t.Fatal(err)
					}
					sent, want = append(sent, r), append(want, p.text)
				}
				s.wait("the messages", func() bool { return len(s.lines()) >= len(sent) })
			}
			got := s.lines()
			if len(got) != len(sent) {
				t.Fatalf("%d messages, want %d", len(got), len(sent))
			}
			for i, r := range sent {
				checkLine(t, got[i], r, input, want[i])
			}
			if t.Failed() || network != "tls" {
				return
			}
			t.Logf("%+v", got[0])
		})
	}
}

func checkLine(t *testing.T, got line, r *report.Report, input, text string) {
	t.Helper()
	severity := map[report.Severity]string{report.Critical: "crit", report.High: "err", report.Medium: "warning", report.Low: "notice", report.Info: "info"}[r.Severity]
	want := line{Input: input, Facility: "local0", Severity: severity, Host: "collector.example", App: "filelessd", Kind: string(r.Kind), Data: got.Data, Text: text}
	got.Text = strings.TrimPrefix(got.Text, " ")
	if got != want {
		t.Errorf("rsyslog understood\n%+v, want\n%+v", got, want)
	}
	if !strings.Contains(got.Data, `[filelessd@32473 id="`+r.ID+`"`) {
		t.Errorf("structured data %s of %s", got.Data, r.ID)
	}
}

// TestIntegrationRsyslogWhole: with more room on both sides the whole report arrives, byte by byte.
func TestIntegrationRsyslogWhole(t *testing.T) {
	s := newRsyslog(t, "256k")
	for _, network := range []string{"tcp", "tls", "unix stream"} {
		c := s.config(network)
		c.MaxBytes = 256 << 10
		r := example(t, "malicious-likely")
		before := len(s.lines())
		if err := s.open(c).Deliver(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.wait("the message", func() bool { return len(s.lines()) > before })
		want, _ := report.Marshal(r)
		if got := strings.TrimPrefix(s.lines()[before].Text, " "); got != string(want) {
			t.Errorf("%s: %d bytes arrived, want %d", network, len(got), len(want))
		}
	}
}

// TestIntegrationRsyslogStops: while rsyslog is down, deliveries fail and may come again; what it had
// confirmed before it stopped is there.
func TestIntegrationRsyslogStops(t *testing.T) {
	s := newRsyslog(t, "8k")
	for _, network := range []string{"tcp", "tls", "unix stream", "unix datagrams"} {
		to := s.open(s.config(network))
		before := len(s.lines())
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Fatal(err)
		}
		s.stop()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := to.Deliver(ctx, sinktest.Loss())
		cancel()
		if err == nil || sink.IsPermanent(err) {
			t.Errorf("%s: %v", network, err)
		}
		s.start()
		if err := to.Deliver(t.Context(), sinktest.Loss()); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		s.wait("two messages", func() bool { return len(s.lines()) == before+2 })
	}
}
