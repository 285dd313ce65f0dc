//go:build integration

package alertmanager

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const (
	password       = "integration-pass"
	passwordBcrypt = "$2a$04$zPmEcjIWUJL.iUXK5if19et4.5hxM9qT9PKnuGCsy7C5LeJGs4pOi"
)

// server is a real Alertmanager with TLS and a password, whose notifications come to the test.
type server struct {
	t        *testing.T
	dir      string
	address  string
	ca       string
	client   *http.Client
	command  *exec.Cmd
	notified chan string
}

func newServer(t *testing.T) *server {
	s := &server{t: t, dir: t.TempDir(), notified: make(chan string, 100)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.notified <- string(body)
	}))
	t.Cleanup(hook.Close)
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	certs.Close()
	cert := certs.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.ca = s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	s.write("web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {soc: '"+passwordBcrypt+"'}\n")
	s.write("config.yml", "route: {receiver: hook, group_by: [alertname, hostname], group_wait: 10ms, group_interval: 10ms, repeat_interval: 24h}\n"+
		"receivers: [{name: hook, webhook_configs: [{url: '"+hook.URL+"'}]}]\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	l.Close()
	config, err := sink.TLS{CAFile: s.ca}.Config()
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	t.Cleanup(s.client.CloseIdleConnections)
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) write(name, text string) string {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *server) start() {
	s.t.Helper()
	program := testprogram.Find(s.t, "prometheus-alertmanager", "prometheus-alertmanager")
	var out bytes.Buffer
	s.command = exec.Command(program, "--config.file="+s.dir+"/config.yml", "--web.config.file="+s.dir+"/web.yml",
		"--storage.path="+s.dir+"/data", "--web.listen-address="+s.address, "--cluster.listen-address=")
	s.command.Stdout, s.command.Stderr = &out, &out
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := s.get("/-/ready"); err == nil {
			return
		}
		if time.Now().After(end) {
			s.stop()
			s.t.Fatalf("Alertmanager does not answer: %s", out.String())
		}
	}
}

func (s *server) stop() {
	if s.command != nil {
		_ = s.command.Process.Signal(syscall.SIGTERM)
		_ = s.command.Wait()
		s.command = nil
	}
}

func (s *server) get(path string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, "https://"+s.address+path, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("soc", password)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", path, resp.StatusCode, body)
	}
	return body, err
}

type gettable struct {
	Fingerprint         string
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
	GeneratorURL        string
}

// alerts are those that it holds, by their labels' reportable parts.
func (s *server) alerts(filter string) []gettable {
	s.t.Helper()
	body, err := s.get("/api/v2/alerts?filter=" + filter)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []gettable
	if err := json.Unmarshal(body, &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *server) waitNotified(text string) {
	s.t.Helper()
	for deadline := time.After(time.Minute); ; {
		select {
		case got := <-s.notified:
			if strings.Contains(got, text) {
				return
			}
		case <-deadline:
			s.t.Fatalf("no notification with %s", text)
		}
	}
}

func (s *server) config(user, pass string) Config {
	c := Kind.Default()
	c.URLs = []sink.Secret{sink.Secret("https://" + user + ":" + pass + "@" + s.address)}
	c.TLS.CAFile = s.ca
	c.Labels = map[string]string{"team": "soc"}
	c.Link = "https://filelessd.example/{id}"
	if err := c.Validate(); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestIntegrationAlertmanager(t *testing.T) {
	s := newServer(t)
	to := openSink(t, s.config("soc", password))
	if err := to.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := example(t, "malicious-likely")
	deliver := func(r *report.Report) {
		t.Helper()
		if err := to.Deliver(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	deliver(first)
	one := s.alerts("hostname=nb-worker-2")
	if len(one) != 1 {
		t.Fatalf("%d alerts", len(one))
	}
	want := to.alert(first, "", time.Now())
	if diff := cmp.Diff(want.Labels, one[0].Labels) + cmp.Diff(want.Annotations, one[0].Annotations); diff != "" {
		t.Error(diff)
	}
	if d := one[0].EndsAt.Sub(want.EndsAt); !one[0].StartsAt.Equal(want.StartsAt.Truncate(time.Millisecond)) || d < -time.Minute || d > time.Minute || one[0].GeneratorURL != want.GeneratorURL {
		t.Errorf("%s to %s, %s", one[0].StartsAt, one[0].EndsAt, one[0].GeneratorURL)
	}
	s.waitNotified(first.ID)
	t.Logf("Alertmanager notified of %s %v", one[0].Fingerprint, one[0].Labels)

	// A repeat, and another process of the attack, are the same alert.
	again := example(t, "malicious-likely")
	again.ID = strings.Repeat("e", 64)
	deliver(first)
	deliver(again)
	if all := s.alerts("hostname=nb-worker-2"); len(all) != 1 || all[0].Fingerprint != one[0].Fingerprint || all[0].Annotations["report_id"] != again.ID {
		t.Errorf("after repeats: %+v", all)
	}

	// A batch with every kind, and what is hostile, as it came back.
	batch := append(sinktest.Kinds(), sinktest.Hostile())
	for i, err := range to.DeliverBatch(t.Context(), batch) {
		if err != nil {
			t.Errorf("%s: %v", batch[i].Kind, err)
		}
	}
	hostile := to.alert(sinktest.Hostile(), "", time.Now())
	var found bool
	for _, a := range s.alerts("alertname=~Fileless.%2B") {
		if a.Annotations["report_id"] == sinktest.Hostile().ID {
			found = true
			if diff := cmp.Diff(hostile.Labels, a.Labels) + cmp.Diff(hostile.Annotations, a.Annotations); diff != "" {
				t.Error(diff)
			}
			text, _ := json.Marshal(alert{Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt})
			if err := medium.Inert(sinktest.Hostile(), text); err != nil {
				t.Error(err)
			}
		}
	}
	if !found {
		t.Error("the hostile report is not there")
	}
	for _, name := range []string{"FilelessdLoss", "FilelessdQuiet", "FilelessdSuppression", "FilelessdTest"} {
		if n := len(s.alerts("alertname=" + name)); n != 1 {
			t.Errorf("%d alerts %s", n, name)
		}
	}
}

func TestIntegrationAlertmanagerRefuses(t *testing.T) {
	s := newServer(t)
	to := openSink(t, s.config("soc", "wrong-password"))
	err := to.Deliver(t.Context(), sinktest.Ordinary())
	if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("%v", err)
	}
	c := s.config("soc", password)
	c.TLS.CAFile = ""
	if err := openSink(t, c).Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("%v", err)
	}

	// What its own validation refuses is final, and keeps no other of the batch out.
	bad := openSink(t, s.config("soc", password))
	bad.config.Labels = map[string]string{"not-a-name-in-this-version": "x"}
	t.Logf("refused: %v", bad.Deliver(t.Context(), sinktest.Loss()))
	if err := bad.Deliver(t.Context(), sinktest.Loss()); !sink.IsPermanent(err) {
		t.Errorf("%v", err)
	}

	// Down and up again.
	good := openSink(t, s.config("soc", password))
	s.stop()
	if err := good.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	s.start()
	if err := good.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
	s.waitNotified(sinktest.Ordinary().ID)
}
