package syslog

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// certificate is one for 127.0.0.1, and the file of its authority.
func certificate(t *testing.T) (config *tls.Config, caFile string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(caFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: s.TLS.Certificates}, caFile
}

func configured(network, address string) Config {
	c := defaults()
	c.Network, c.Address, c.Hostname = network, address, "collector.example"
	return c
}

func TestConformanceOfStreams(t *testing.T) {
	serverTLS, ca := certificate(t)
	for _, network := range []string{"tcp", "tls", "unix"} {
		for _, framing := range []string{"octets", "newline"} {
			t.Run(network+" "+framing, func(t *testing.T) {
				sinktest.Run(t, func(t *testing.T) sinktest.Harness {
					listen, config := "tcp", (*tls.Config)(nil)
					switch network {
					case "unix":
						listen = "unix"
					case "tls":
						config = serverTLS
					}
					s := sinktest.NewServer(t, listen, config, serveStream(framing))
					c := configured(network, s.Address)
					c.Framing = framing
					if network == "tls" {
						c.TLS.CAFile = ca
					}
					h := s.Harness()
					h.Open = openWith(t, c)
					h.Inert = sinktest.Medium{Texts: texts, Size: streamBytes}.Inert
					h.Reject = nil
					h.Lacks = map[string]string{
						"Reject": "syslog has no answers", "Throttle": "syslog has no answers", "Secret": "syslog has no credentials",
					}
					if network == "unix" { // whose connections end without a reset
						h.Fail = nil
						h.Lacks["Fail"] = "a socket of this machine ends in one way"
					}
					return h
				})
			})
		}
	}
}

func TestConformanceOfDatagrams(t *testing.T) {
	const why = "a datagram has no answer"
	for network, socket := range map[string]string{"udp": "udp", "unix": "unixgram"} {
		for _, format := range []string{"json", "text", "cef", "ecs"} {
			t.Run(network+" "+format, func(t *testing.T) {
				sinktest.Run(t, func(t *testing.T) sinktest.Harness {
					d := newDatagrams(t, socket)
					c := configured(network, d.address)
					c.Format = format
					return sinktest.Harness{
						Open: openWith(t, c), Received: d.received,
						Inert: sinktest.Medium{Texts: texts, Size: c.limit()}.Inert,
						Lacks: map[string]string{
							"Reject": why, "Throttle": why, "Fail": why, "Leave": why, "Hold": why, "Secret": "syslog has no credentials",
						},
					}
				})
			})
		}
	}
}

// TestWithoutConfirm: a receiver that never closes holds nothing up.
func TestWithoutConfirm(t *testing.T) {
	s := sinktest.NewServer(t, "tcp", nil, serveStream("octets"))
	c := configured("tcp", s.Address)
	c.Confirm = false
	to, err := openWith(t, c)()
	if err != nil {
		t.Fatal(err)
	}
	arrived, release := s.Hold()
	defer release()
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	<-arrived
}

// TestNobody: a socket that is not there is a failure that passes.
func TestNobody(t *testing.T) {
	to, err := openWith(t, configured("unix", filepath.Join(t.TempDir(), "none")))()
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

// TestTooLongForTheNetwork: what the network never takes does not come again.
func TestTooLongForTheNetwork(t *testing.T) {
	d := newDatagrams(t, "unixgram")
	c := configured("unix", d.address)
	c.MaxBytes = mostMaxBytes
	to, err := openWith(t, c)()
	if err != nil {
		t.Fatal(err)
	}
	err = to.Deliver(t.Context(), sinktest.Hostile())
	if !sink.IsPermanent(err) || !strings.Contains(err.Error(), "lower max_bytes") {
		t.Error(err)
	}
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
}

// TestWrongCertificate: nothing goes to a receiver that is not the right one.
func TestWrongCertificate(t *testing.T) {
	serverTLS, ca := certificate(t)
	s := sinktest.NewServer(t, "tcp", serverTLS, serveStream("octets"))
	for want, files := range map[string]sink.TLS{
		"unknown authority": {}, "not other.test": {CAFile: ca, ServerName: "other.test"},
	} {
		c := configured("tls", s.Address)
		c.TLS = files
		to, err := openWith(t, c)()
		if err != nil {
			t.Fatal(err)
		}
		err = to.Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if n := len(s.Received()); n != 0 {
		t.Errorf("%d messages went out", n)
	}
}

// TestBatchWithOneThatFails: of a report that can not be written only the others go.
func TestBatchWithOneThatFails(t *testing.T) {
	s := sinktest.NewServer(t, "tcp", nil, serveStream("octets"))
	c := configured("tcp", s.Address)
	env := sinktest.Env()
	render := env.Render
	env.Render = func(format string, r *report.Report) ([]byte, error) {
		if r.Kind == report.KindLoss {
			return nil, errors.New("no form")
		}
		return render(format, r)
	}
	opened, err := Kind.Open(t.Context(), c, env)
	if err != nil {
		t.Fatal(err)
	}
	to, ok := opened.(sink.BatchSink)
	if !ok {
		t.Fatal("takes no batch")
	}
	errs := to.DeliverBatch(t.Context(), []*report.Report{sinktest.Loss(), sinktest.Ordinary(), sinktest.Summary()})
	if !sink.IsPermanent(errs[0]) || errs[1] != nil || errs[2] != nil || len(s.Received()) != 2 {
		t.Errorf("%v, and %d messages", errs, len(s.Received()))
	}
}
