package slack

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openSlack(t testing.TB, c Config) sink.Sink {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// codeSpan is text that Slack shows as it is, in a text with markup.
var codeSpan = regexp.MustCompile("`[^`\n]+`")

// medium: in a text with markup what is the alert's stands in code. That no mention, link or date of
// the alert's acts is checked by the stand-in, text by text.
func medium(t *testing.T) sinktest.Medium {
	return sinktest.Medium{
		Texts: func(received []byte) ([]string, error) {
			m, err := readMessage(received)
			if err != nil {
				return nil, err
			}
			texts := []string{m.Text}
			for _, b := range m.Blocks {
				all := b.Elements
				if b.Text != nil {
					all = append(all, *b.Text)
				}
				for _, part := range all {
					if lines, ok := commandLines(part.Text); ok {
						checkLines(t, lines)
						continue
					}
					beside := codeSpan.ReplaceAllString(part.Text, "")
					if part.Type == "mrkdwn" && (strings.Contains(beside, "`") || strings.Contains(beside, sinktest.Injected)) {
						t.Errorf("text of the alert beside code: %.300q", part.Text)
					}
					texts = append(texts, part.Text)
				}
			}
			return texts, nil
		},
		Forbidden: []string{"<script", "<http://"},
		Lines:     true,
		Longest:   3000,
		Measure:   sink.UTF16,
	}
}

// commandLines are the lines of a text that is one block of code.
func commandLines(text string) ([]string, bool) {
	inner, opened := strings.CutPrefix(text, runLabel+"```\n")
	inner, closed := strings.CutSuffix(inner, "\n```")
	return strings.Split(inner, "\n"), opened && closed
}

// checkLines: a command has lines of its own, but none ends the code or shows what is not there.
func checkLines(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		if strings.Contains(line, "`") || report.Visible(line) != line {
			t.Errorf("a line of a command: %q", line)
		}
	}
}

func TestConformance(t *testing.T) {
	for name, way := range map[string]struct{ bot, secure bool }{
		"webhook": {false, false}, "bot": {true, false}, "webhook https": {false, true}, "bot https": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				s := newStandIn(t, way.secure)
				config := s.config(way.bot)
				reject := func() { s.answer(http.StatusBadRequest, "invalid_blocks", nil) }
				if way.bot {
					reject = func() { s.answer(http.StatusOK, "invalid_blocks", nil) }
				}
				return sinktest.Harness{
					Open:     func() (sink.Sink, error) { return Kind.Open(context.Background(), config, sinktest.Env()) },
					Received: s.received,
					Inert:    medium(t).Inert,
					Accept:   func() { s.answer(http.StatusOK, "", nil) },
					Reject:   reject,
					Throttle: func() time.Duration {
						s.answer(http.StatusTooManyRequests, "ratelimited", http.Header{"Retry-After": {"7"}})
						return 7 * time.Second
					},
					Fail:   func() { s.answer(http.StatusServiceUnavailable, "service_unavailable", nil) },
					Leave:  s.server.Close,
					Hold:   s.hold,
					Secret: token,
				}
			})
		})
	}
}

// All reports on one attack are in one thread, after a restart too; others are not.
func TestThreads(t *testing.T) {
	s := newStandIn(t, false)
	config := s.config(true)
	config.ReplyBroadcast = true
	env := sinktest.Env()
	first, later, other := sinktest.Ordinary(), sinktest.Ordinary(), sinktest.Loss()
	later.ID = strings.Repeat("9", 64)
	ctx := sink.WithThreads(t.Context(), map[string]string{first.ID: sinktest.Summary().Group.Key, later.ID: sinktest.Summary().Group.Key})
	for _, r := range []*report.Report{first, later, other, sinktest.Summary()} {
		to, err := Kind.Open(ctx, config, env) // anew each time: the state is all that stays
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Deliver(ctx, r); err != nil {
			t.Fatal(err)
		}
		_ = to.Close()
	}
	var got []string
	for _, p := range s.posted {
		got = append(got, p.Thread)
		if p.Broadcast != (p.Thread != "") {
			t.Errorf("broadcast %v in the thread %q", p.Broadcast, p.Thread)
		}
	}
	if want := []string{"", s.posted[0].ts, "", s.posted[0].ts}; !slices.Equal(got, want) {
		t.Errorf("threads %q, want %q", got, want)
	}
}

// Where the first message was deleted, or is in another channel, the report begins a thread.
func TestThreadThatIsGone(t *testing.T) {
	s := newStandIn(t, false)
	env := sinktest.Env()
	to, err := Kind.Open(t.Context(), s.config(true), env)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	r := sinktest.Ordinary()
	key := "thread/C0123456789/" + r.ID
	env.State.Put(key, "1600000000.000001")
	if err := to.Deliver(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if ts, _ := env.State.Get(key); len(s.posted) != 1 || s.posted[0].Thread != "" || ts != s.posted[0].ts {
		t.Errorf("%d messages, remembers %q", len(s.posted), ts)
	}
	env.State.Put(key, "1600000000.000001")
	s.answer(http.StatusOK, "internal_error", nil)
	if err := to.Deliver(t.Context(), r); err == nil {
		t.Error("no error")
	}
	if ts, _ := env.State.Get(key); ts != "1600000000.000001" {
		t.Error("a failure that passes forgets the thread")
	}
}

func TestProbe(t *testing.T) {
	for _, bot := range []bool{false, true} {
		s := newStandIn(t, true)
		config := s.config(bot)
		if err := openSlack(t, config).(sink.Prober).Probe(t.Context()); err != nil {
			t.Error(err)
		}
		wrong := config
		want := "invalid_auth"
		if bot {
			wrong.Token = "xoxb-wrong"
		} else {
			wrong.URL += "x"
			want = "answered 404"
		}
		if err := openSlack(t, wrong).(sink.Prober).Probe(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
		if n := len(s.received()); n != 0 {
			t.Errorf("%d messages", n)
		}
	}
}

func TestWrongCertificate(t *testing.T) {
	for _, bot := range []bool{false, true} {
		s := newStandIn(t, true)
		config := s.config(bot)
		config.TLS = sink.TLS{}
		err := openSlack(t, config).Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("got %v", err)
		}
	}
}

// A connection that is cut after the request was read leaves open whether it was posted: one request, one
// passing error, though a connection was open before.
func TestCutAfterTheRequest(t *testing.T) {
	for _, bot := range []bool{false, true} {
		s := newStandIn(t, false)
		to := openSlack(t, s.config(bot))
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Fatal(err)
		}
		reads := 0
		s.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			reads++
			panic(http.ErrAbortHandler)
		})
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
			t.Errorf("got %v", err)
		}
		_ = to.Close()
		s.server.Close()
		if reads != 1 {
			t.Errorf("posted %d times", reads)
		}
	}
}

func TestOpenReadsTheFiles(t *testing.T) {
	config := Kind.Default()
	config.URL, config.TLS.CAFile = "http://x", "/none"
	if _, err := Kind.Open(t.Context(), config, sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), "tls.ca_file: open /none") {
		t.Errorf("got %v", err)
	}
	if _, err := Kind.Open(t.Context(), Kind.Default(), sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), "url: missing") {
		t.Errorf("got %v", err)
	}
}
