package smtp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, encryption := range []string{startTLS, fromTLS, plain} {
		t.Run(encryption, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				server, config := newMailServer(t, encryption)
				config.Attach = []string{"json", "html"}
				h := server.Harness()
				h.Open = func() (sink.Sink, error) { return Kind.Open(t.Context(), config, sinktest.Env()) }
				h.Inert = medium.Inert
				h.Secret = password
				h.Lacks = map[string]string{"Throttle": "SMTP says that a mail can come later, and not when"}
				return h
			})
		})
	}
}

// TestOutcomes: what the server may answer to each command, and what becomes of the mail.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct{ command, answer, want string }{
		{"none", "", "delivered"},
		{"greeting", "554 5.3.2 no service", "passing"},
		{"greeting", "421 4.3.2 shutting down", "passing"},
		{"EHLO", "550 5.7.1 not you", "passing"},
		{"AUTH", "535 5.7.8 wrong", "passing"},
		{"AUTH", "454 4.7.0 later", "passing"},
		{"MAIL", "550 5.7.1 not from there", "passing"},
		{"MAIL", "451 4.3.0 later", "passing"},
		{"RCPT", "550 5.1.1 unknown", "passing"},
		{"RCPT", "450 4.2.0 greylisted", "passing"},
		{"DATA", "554 5.5.1 no", "passing"},
		{"text", "552 5.3.4 too large", "final"},
		{"text", "554 5.7.1 spam", "final"},
		{"text", "452 4.3.1 disk full", "passing"},
		{"text", "421 4.3.2 shutting down", "passing"},
		{"text", "", "passing"}, // cut after it was read
		{"RCPT", "", "passing"},
		{"QUIT", "", "delivered"},
		{"QUIT", "500 what", "delivered"},
	} {
		server, config := newMailServer(t, plain)
		server.answers(tt.command, tt.answer, "HELO", "550 no")
		err := openMailer(t, config).Deliver(t.Context(), sinktest.Ordinary())
		got := "passing"
		if err == nil {
			got = "delivered"
		} else if sink.IsPermanent(err) {
			got = "final"
		}
		if got != tt.want || err != nil && tt.answer != "" && !strings.Contains(err.Error(), tt.answer[4:]) {
			t.Errorf("%s: %q is %s, want %s: %v", tt.command, tt.answer, got, tt.want, err)
		}
	}
}

// TestRepeatIsTheSameMail: whoever takes mails of one Message-ID for one shows it once.
func TestRepeatIsTheSameMail(t *testing.T) {
	server, config := newMailServer(t, plain)
	s := openMailer(t, config)
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, mail := range server.Received() {
		ids = append(ids, parse(t, mail).header.Get("Message-Id"))
	}
	if want := "<" + sinktest.Ordinary().ID + "@soc.example>"; !slices.Equal(ids, []string{want, want}) {
		t.Errorf("%v", ids)
	}
}

// TestSomeRecipientsRefused: a recipient who can not have the mail keeps it from no other, and nobody
// gets it twice.
func TestSomeRecipientsRefused(t *testing.T) {
	const oncall, team = "oncall@soc.example", "team@soc.example"
	server, config := newMailServer(t, plain)
	s, r := openMailer(t, config), sinktest.Ordinary()

	server.answers("RCPT TO:<"+team, "450 4.2.2 mailbox full")
	for range 2 {
		if err := s.Deliver(t.Context(), r); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "1 of 2") {
			t.Errorf("%v", err)
		}
	}
	server.answers()
	if err := s.Deliver(t.Context(), r); err != nil {
		t.Error(err)
	}
	server.answers("RCPT TO:<"+team, "550 5.1.1 left the company")
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Loss()); !sink.IsPermanent(err) || !strings.Contains(err.Error(), team) {
			t.Errorf("%v", err)
		}
	}
	if diff := cmp.Diff([][]string{{oncall}, {team}, {oncall}}, server.recipients); diff != "" {
		t.Error(diff)
	}

	server.answers("RCPT", "550 5.1.1 unknown") // all of them: the configuration's fault, or the server's
	if err := s.Deliver(t.Context(), sinktest.Summary()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "2 of 2") {
		t.Errorf("%v", err)
	}
}

// TestBatchSharesAConnection: and gets another one when the server has had enough.
func TestBatchSharesAConnection(t *testing.T) {
	server, config := newMailServer(t, startTLS)
	server.most = 3
	batch := sinktest.Kinds()
	if err := errors.Join(openMailer(t, config).DeliverBatch(t.Context(), batch)...); err != nil {
		t.Fatal(err)
	}
	if n := len(server.Received()); n != len(batch) || server.connections != 3 {
		t.Errorf("%d mails over %d connections", n, server.connections)
	}
}

// TestBatchWithARefusedMail: what one mail says harms no other.
func TestBatchWithARefusedMail(t *testing.T) {
	server, config := newMailServer(t, plain)
	s := openMailer(t, config)
	s.env.Render = func(format string, r *report.Report) ([]byte, error) {
		if r.ID == sinktest.Loss().ID {
			return nil, errors.New("can not be written")
		}
		return sinktest.Env().Render(format, r)
	}
	errs := s.DeliverBatch(t.Context(), []*report.Report{sinktest.Ordinary(), sinktest.Loss(), sinktest.Summary()})
	if errs[0] != nil || !sink.IsPermanent(errs[1]) || errs[2] != nil || server.connections != 1 {
		t.Errorf("%v over %d connections", errs, server.connections)
	}
}

// TestBatchLogsInOnce: a wrong password is tried once a batch, and not until the account is locked.
func TestBatchLogsInOnce(t *testing.T) {
	server, config := newMailServer(t, plain)
	config.Password = "wrong"
	for _, err := range openMailer(t, config).DeliverBatch(t.Context(), sinktest.Kinds()) {
		if err == nil || sink.IsPermanent(err) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v", err)
		}
	}
	if server.connections != 1 {
		t.Errorf("%d connections", server.connections)
	}
}

func TestLogin(t *testing.T) {
	for offered, want := range map[string]string{
		"PLAIN LOGIN": "", "LOGIN": "", "login": "", "XOAUTH2 GSSAPI": "no login that filelessd knows (PLAIN, LOGIN, CRAM-MD5), but XOAUTH2 GSSAPI",
		"": "the server offers no login",
	} {
		server, config := newMailServer(t, startTLS)
		server.logins = offered
		err := openMailer(t, config).Probe(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", offered, err)
		}
	}
}

// TestEncryptionIsKept: without it nothing of the mail and no password is said.
func TestEncryptionIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mailServer, *Config)
		want   string
	}{
		"no offer":          {func(s *mailServer, _ *Config) { s.tls = nil }, "offers no STARTTLS"},
		"refused":           {func(s *mailServer, _ *Config) { s.answers("STARTTLS", "454 4.7.0 not now") }, "454 4.7.0 not now"},
		"unknown authority": {func(_ *mailServer, c *Config) { c.TLS.CAFile = "" }, "unknown authority"},
		"another name":      {func(_ *mailServer, c *Config) { c.TLS.ServerName = "other.test" }, "not other.test"},
	} {
		server, config := newMailServer(t, startTLS)
		tt.change(server, &config)
		err := openMailer(t, config).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		server.mu.Lock()
		if said := fmt.Sprint(server.commands); strings.Contains(said, "AUTH") || strings.Contains(said, "MAIL") {
			t.Errorf("%s: said %s", name, said)
		}
		server.mu.Unlock()
	}
}
