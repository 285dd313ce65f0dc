//go:build integration

package nats

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// The reader is for the test; the others may do what the README says that the sink needs.
// certificate is one for all: of the authority, the server and the client.
// stream connects as the reader, and makes the stream.
// messages are all that the stream has.
// TestIntegrationNATS: in each way to log in every report arrives once, whole, and a repeat adds none.
func TestIntegrationNATS(t *testing.T) {
	user, _ := nkeys.CreateUser()
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	const secure = `tls { cert_file: "DIR/cert.pem", key_file: "DIR/cert.key", ca_file: "DIR/ca.pem", verify: true }`
	ways := map[string]struct {
		secure, authorization string
		configure             func(*Config, *server)
		extra                 func(dir string) []nats.Option
	}{
		"password": {"", `users: [` + reader + `, {user: filelessd, password: "` + password + `", ` + permissions + `}]`, func(c *Config, _ *server) {
			c.Username, c.Password = "filelessd", password
		}, nil},
		"nkey": {"", `users: [` + reader + `, {nkey: ` + public + `, ` + permissions + `}]`, func(c *Config, _ *server) {
			c.NKeySeed = sink.Secret(seed)
		}, nil},
		"token": {"", `token: "` + password + `"`, func(c *Config, _ *server) { c.Token = password }, nil},
		"mutual TLS": {secure, `users: [` + reader + `, {user: filelessd, password: "` + password + `", ` + permissions + `}]`, func(c *Config, s *server) {
			c.URL = sink.Secret(strings.Replace(string(c.URL), "nats://", "tls://filelessd:"+password+"@", 1))
			c.TLS = sink.TLS{CAFile: s.dir + "/ca.pem", CertFile: s.dir + "/cert.pem", KeyFile: s.dir + "/cert.key"}
		}, nil},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, way.secure, way.authorization)
			switch name {
			case "token":
				s.extra = []nats.Option{nats.Token(password)}
			case "mutual TLS":
				s.extra = []nats.Option{asReader(), nats.RootCAs(s.dir + "/ca.pem"), nats.ClientCert(s.dir+"/cert.pem", s.dir+"/cert.key")}
			default:
				s.extra = []nats.Option{asReader()}
			}
			js := s.stream(nats.StreamConfig{})
			c := s.config()
			way.configure(&c, s)
			deliverAll(t, s, js, c)
		})
	}
}

// TestIntegrationNATSCredentials: with a .creds file, whose user an account and an operator vouch for.
func TestIntegrationNATSCredentials(t *testing.T) {
	operator, _ := nkeys.CreateOperator()
	system, _ := nkeys.CreateAccount()
	account, _ := nkeys.CreateAccount()
	const limits = `"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1`
	const storage = `,"mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1`
	systemID, accountID := publicKey(t, system), publicKey(t, account)
	section := fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {%s: %s, %s: %s}",
		vouch(t, operator, publicKey(t, operator), `"type":"operator","version":2`), systemID,
		systemID, vouch(t, operator, systemID, limits+`},"type":"account","version":2`),
		accountID, vouch(t, operator, accountID, limits+storage+`},"type":"account","version":2`))
	credentials := func(permissions string) string {
		user, _ := nkeys.CreateUser()
		seed, _ := user.Seed()
		jwt := vouch(t, account, publicKey(t, user), permissions+`"subs":-1,"data":-1,"payload":-1,"type":"user","version":2`)
		return "-----BEGIN NATS USER JWT-----\n" + jwt + "\n------END NATS USER JWT------\n\n" +
			"-----BEGIN USER NKEY SEED-----\n" + string(seed) + "\n------END USER NKEY SEED------\n"
	}
	s := newServer(t, "", section, nats.UserCredentialBytes([]byte(credentials(`"pub":{},"sub":{},`))))
	c := s.config()
	c.Credentials = sink.Secret(credentials(`"pub":{"allow":["filelessd.>"]},"sub":{"allow":["_INBOX.>"]},`))
	deliverAll(t, s, s.stream(nats.StreamConfig{}), c)
}

func publicKey(t *testing.T, pair nkeys.KeyPair) string {
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// vouch is a JWT of NATS about subject, signed by by.
func vouch(t *testing.T, by nkeys.KeyPair, subject, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + encode(fmt.Appendf(nil,
		`{"jti":"x","iat":%d,"iss":%q,"name":"test","sub":%q,"nats":{%s}}`, time.Now().Unix(), publicKey(t, by), subject, claims))
	signature, err := by.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

func deliverAll(t *testing.T, s *server, js nats.JetStreamContext, c Config) {
	to := opened(t, c)
	if err := to.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := append(sinktest.Kinds(), sinktest.Hostile(), sinktest.Big())
	for range 2 { // the second time all are repeats
		if err := to.Deliver(t.Context(), batch[0]); err != nil {
			t.Fatal(err)
		}
		for _, err := range to.DeliverBatch(t.Context(), batch) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]*nats.RawStreamMsg{}
	all := s.messages(js)
	for _, m := range all {
		got[m.Header.Get("Nats-Msg-Id")] = m
	}
	if len(all) != len(batch) || len(got) != len(batch) {
		t.Fatalf("%d messages of %d reports, want %d", len(all), len(got), len(batch))
	}
	for _, r := range batch {
		m := got[r.ID]
		want, _ := report.Marshal(r)
		if shortened := m.Header.Get("Filelessd-Shortened") == "true"; shortened != (len(want) > 1<<20-1024) || !shortened && !bytes.Equal(m.Data, want) {
			t.Errorf("%s: %.300s", r.ID, m.Data)
		}
		if m.Subject != "filelessd."+string(r.Kind)+"."+string(r.Severity) {
			t.Errorf("subject %s", m.Subject)
		}
	}
	t.Logf("%s %v %.200s", all[0].Subject, all[0].Header, all[0].Data)
}

// TestIntegrationNATSRefuses: what the server refuses, and of which class that is.
func TestIntegrationNATSRefuses(t *testing.T) {
	s := newServer(t, "", `users: [`+reader+`, {user: filelessd, password: "`+password+`", `+permissions+`}]`, asReader())
	c := s.config()
	c.Username, c.Password = "filelessd", password
	check := func(what string, c Config, r *report.Report, final bool, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := opened(t, c).Deliver(ctx, r)
		if err == nil || sink.IsPermanent(err) != final || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", what, err)
			return
		}
		t.Logf("%s: %v", what, err)
	}
	check("no stream", c, sinktest.Ordinary(), false, "no stream takes the subject filelessd.alert.high")
	js := s.stream(nats.StreamConfig{MaxMsgSize: 500, MaxMsgs: 1, Discard: nats.DiscardNew})
	check("too large for the stream", c, sinktest.Ordinary(), true, "message size exceeds maximum allowed")
	if _, err := js.UpdateStream(&nats.StreamConfig{Name: "REPORTS", Subjects: []string{"filelessd.>"}, MaxMsgSize: -1, MaxMsgs: 1, Discard: nats.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	if err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	check("the stream is full", c, sinktest.Loss(), false, "maximum messages exceeded")
	other := c
	other.Stream = "OTHER"
	check("another stream", other, sinktest.Loss(), false, "expected stream does not match")
	wrong := c
	wrong.Password = "wrong-password"
	check("a wrong password", wrong, sinktest.Loss(), false, "Authorization Violation")
	forbidden := c
	forbidden.Subject = "forbidden.{kind}"
	check("a subject that is not allowed", forbidden, sinktest.Loss(), false, `Permissions Violation for Publish to \"forbidden.loss\"`)
}

// TestIntegrationNATSWrongAuthority: nothing goes to a server that is not the right one.
func TestIntegrationNATSWrongAuthority(t *testing.T) {
	s := newServer(t, `tls { cert_file: "DIR/cert.pem", key_file: "DIR/cert.key" }`, `token: x`)
	c := s.config()
	c.Token = password
	for _, change := range []func(*Config){func(*Config) {}, func(c *Config) { c.TLS.MinVersion = "TLS12" }} {
		change(&c)
		err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "unknown authority") {
			t.Error(err)
		}
	}
}

// TestIntegrationNATSStops: killed, hung, started again; nothing is there twice.
func TestIntegrationNATSStops(t *testing.T) {
	s := newServer(t, "", `users: [`+reader+`, {user: filelessd, password: "`+password+`", `+permissions+`}]`, asReader())
	js := s.stream(nats.StreamConfig{})
	c := s.config()
	c.Username, c.Password = "filelessd", password
	to := opened(t, c)
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if err := to.Deliver(t.Context(), sinktest.Loss()); err == nil || sink.IsPermanent(err) {
		t.Errorf("while it is down: %v", err)
	}
	s.start()
	deliver := func(r *report.Report) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // as the program does
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := to.Deliver(ctx, r)
			cancel()
			if err == nil {
				return
			}
			if sink.IsPermanent(err) || time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	deliver(sinktest.Loss())
	s.pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := to.Deliver(ctx, sinktest.Summary()); err == nil || sink.IsPermanent(err) {
		t.Errorf("while it hangs: %v", err)
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	// What it had read meanwhile may be there already: this is the repeat.
	for _, r := range []*report.Report{sinktest.Summary(), sinktest.Ordinary(), sinktest.Loss()} {
		deliver(r)
	}
	if n := len(s.messages(js)); n != 3 {
		t.Errorf("%d messages of 3 reports", n)
	}
}
