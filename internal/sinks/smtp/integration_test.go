//go:build integration

package smtp

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestIntegrationExim(t *testing.T) {
	for _, encryption := range []string{startTLS, fromTLS} {
		t.Run(encryption, func(t *testing.T) {
			e := newExim(t)
			c := e.config(encryption)
			c.Attach = []string{"json"}
			s := openMailer(t, c)
			s.now = at
			if err := s.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			// More than Exim takes over one connection.
			batch := append(sinktest.Reports()[:2], sinktest.Summary(), sinktest.Loss(), example(t, "malicious-likely"), example(t, "test-unconfirmed"))
			for i, err := range s.DeliverBatch(t.Context(), batch) {
				if err != nil {
					t.Fatalf("%s: %v\n%s", batch[i].Kind, err, e.log())
				}
			}
			byID := map[string][]byte{}
			for _, raw := range e.mails(len(batch)) {
				byID[parseReceived(t, raw).header.Get("X-Filelessd-Report")] = raw
			}
			for _, r := range batch {
				compareReceived(t, s, r, byID[r.ID])
			}
			got := parseReceived(t, byID[batch[4].ID])
			t.Logf("Received: %s\nSubject: %s\nMessage-ID: %s\n%.200s", got.header.Get("Received"), got.subject, got.header.Get("Message-Id"), got.text)
		})
	}
}

// compareReceived holds a mail that Exim wrote against what was sent: of the header Exim may add, the rest
// is as it was.
func compareReceived(t *testing.T, s *mailer, r *report.Report, raw []byte) {
	t.Helper()
	got := parseReceived(t, raw)
	sent, err := s.message(r, sink.ThreadKey(t.Context(), r))
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, sent)
	for name := range want.header {
		if name != "Content-Type" && got.header.Get(name) != want.header.Get(name) {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want.header.Get(name))
		}
	}
	if diff := cmp.Diff([]string{want.subject, want.text, want.html}, []string{got.subject, got.text, got.html}); diff != "" {
		t.Errorf("%s: %.2000s", r.ID, diff)
	}
	for _, data := range got.attachments {
		if err := sinktest.CheckJSON(r, data); err != nil {
			t.Error(err)
		}
	}
	if len(got.attachments) != 1 {
		t.Errorf("%d attachments", len(got.attachments))
	}
	if got.header.Get("Envelope-To") != "oncall@soc.example" {
		t.Errorf("for %s", got.header.Get("Envelope-To"))
	}
}

func parseReceived(t *testing.T, raw []byte) parsed {
	t.Helper()
	return parse(t, bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")))
}

func TestIntegrationEximRefuses(t *testing.T) {
	e := newExim(t)
	deliver := func(change func(*Config), r *report.Report) error {
		c := e.config(startTLS)
		if change != nil {
			change(&c)
		}
		return openMailer(t, c).Deliver(t.Context(), r)
	}
	var quiet *report.Report
	for _, r := range sinktest.Kinds() {
		if r.Kind == report.KindQuiet {
			quiet = r
		}
	}
	big := sinktest.Ordinary()
	for _, tt := range []struct {
		name   string
		change func(*Config)
		r      *report.Report
		final  bool
		want   string
	}{
		{"password", func(c *Config) { c.Password = "another-password" }, big, false, "login: 535"},
		{"no login", func(c *Config) { c.Username, c.Password = "", "" }, big, false, "log in first"},
		{"authority", func(c *Config) { c.TLS.CAFile = "" }, big, false, "unknown authority"},
		{"recipient", func(c *Config) { c.To = []string{"gone@soc.example"} }, big, false, "no such mailbox"},
		{"domain", func(c *Config) { c.To = []string{"x@elsewhere.example"} }, big, false, "relay not permitted"},
		{"text", nil, quiet, true, "550 not this kind"},
	} {
		err := deliver(tt.change, tt.r)
		if err == nil || sink.IsPermanent(err) != tt.final || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "another-password") {
			t.Errorf("%s: %v", tt.name, err)
		}
		t.Logf("%s: %v", tt.name, err)
	}
	e.mails(0)

	// One of two can not have it now: the other has it once, and it comes when it can.
	c := e.config(startTLS)
	c.To = []string{"full@soc.example", "oncall@soc.example"}
	s := openMailer(t, c)
	full := filepath.Join(e.dir, "full")
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "451 mailbox full") {
			t.Errorf("%v", err)
		}
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
	var to []string
	for _, raw := range e.mails(2) {
		to = append(to, parseReceived(t, raw).header.Get("Envelope-To"))
	}
	if slices.Sort(to); !slices.Equal(to, []string{"full@soc.example", "oncall@soc.example"}) {
		t.Errorf("%v", to)
	}

	e.stop()
	if err := s.Deliver(t.Context(), sinktest.Loss()); err == nil || sink.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}
