package nats

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fake plays a NATS server with a stream. maxPayload is what it says that it takes.
func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		s := sinktest.NewServer(t, "tcp", nil, fake(t, 64<<20))
		c := configured(s.Address)
		h := s.Harness()
		h.Open = func() (sink.Sink, error) { return Kind.Open(t.Context(), c, sinktest.Env()) }
		h.Inert, h.Secret = sinktest.CheckJSON, password
		h.Lacks = map[string]string{"Throttle": "JetStream does not say for how long"}
		return h
	})
}

// TestShortened: what is larger than the server takes goes as its beginning.
func TestShortened(t *testing.T) {
	s := sinktest.NewServer(t, "tcp", nil, fake(t, 1<<20))
	to := opened(t, configured(s.Address))
	r := sinktest.Hostile()
	if err := to.Deliver(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	body := s.Received()[0]
	var got struct {
		ID, Verdict, Note string
		Shortened         bool
		Facts             []struct{ Label, Value string }
	}
	if err := json.Unmarshal(body, &got); err != nil || got.ID != r.ID || !got.Shortened || got.Verdict != "suspicious" || !strings.Contains(got.Note, "filelessd explain "+r.ID) {
		t.Errorf("%v: %.500s", err, body)
	}
	for _, f := range got.Facts {
		if report.Visible(f.Value) != f.Value || f.Label == sink.LabelCommand && len(f.Value) != longestText+len("…") {
			t.Errorf("%s: %d bytes", f.Label, len(f.Value))
		}
	}
	s2 := sinktest.NewServer(t, "tcp", nil, fake(t, 1<<10))
	if err := opened(t, configured(s2.Address)).Deliver(t.Context(), r); !sink.IsPermanent(err) {
		t.Errorf("larger than the server takes in any form: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	for data, want := range map[string]string{
		`{"stream":"S","seq":1}`:                  "",
		`{"stream":"S","seq":1,"duplicate":true}`: "",
		`{"error":{"code":503,"err_code":10047,"description":"insufficient storage resources available"}}`: "passing",
		`{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}`:           "passing",
		`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}`:     "final",
		`{}`: "passing", `hello`: "passing", ``: "passing",
	} {
		err := answer([]byte(data))
		got := ""
		if err != nil {
			got = "passing"
			if sink.IsPermanent(err) {
				got = "final"
			}
		}
		if got != want {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	s := sinktest.NewServer(t, "tcp", nil, fake(t, 1<<20))
	c := configured(s.Address)
	c.Password = "another-password"
	to := opened(t, c)
	for _, err := range []error{to.Deliver(t.Context(), sinktest.Ordinary()), to.Probe(t.Context())} {
		if err == nil || sink.IsPermanent(err) || strings.Contains(err.Error(), "another-password") || !strings.Contains(strings.ToLower(err.Error()), "authorization violation") {
			t.Error(err)
		}
	}
}

// TestSeveralServers: the second is asked where the first is down.
func TestSeveralServers(t *testing.T) {
	gone := sinktest.NewServer(t, "tcp", nil, fake(t, 1<<20))
	gone.Leave()
	s := sinktest.NewServer(t, "tcp", nil, fake(t, 1<<20))
	c := configured(s.Address)
	c.URL = sink.Secret("nats://" + gone.Address + ", nats://" + s.Address)
	if err := opened(t, c).Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
}

func TestSubject(t *testing.T) {
	parts, err := parseSubject("sec.{kind}.{severity}.{host}.{k8s.ns.name}.v-{verdict}")
	if err != nil {
		t.Fatal(err)
	}
	r := sinktest.Ordinary()
	r.Event.Hostname = "node-1.example.com"
	r.Event.SetField("k8s.ns.name", "a.b >*\r\n")
	for want, r := range map[string]*report.Report{
		"sec.alert.high.node-1%2Eexample%2Ecom.a%2Eb%20%3E%2A%0D%0A.v-suspicious": r,
		"sec.loss.high.-.-.v--": sinktest.Loss(),
	} {
		if got := subjectOf(parts, r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if token("-") == token("") || len(token(strings.Repeat("é", 100))) > longestValue || token(strings.Repeat("é", 100)) == "" {
		t.Error("tokens")
	}
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"", ".", "*", ">", "a b", "\r\nPUB x", "$SYS", "%2E", "é\xff", "-"} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		got := token(a)
		if got == "" || len(got) > longestValue || strings.ContainsFunc(got, func(r rune) bool {
			return r >= utf8.RuneSelf || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_%", r)
		}) {
			t.Errorf("%q becomes %q", a, got)
		}
		if a != b && len(a) < longestValue/3 && len(b) < longestValue/3 && got == token(b) {
			t.Errorf("%q and %q become %q", a, b, got)
		}
		r := sinktest.Ordinary()
		r.Event.Hostname, r.Technique = a, report.Technique(b)
		parts, _ := parseSubject("x.{host}.{technique}.y")
		if subject := subjectOf(parts, r); strings.Count(subject, ".") != 3 || !strings.HasSuffix(subject, ".y") {
			t.Errorf("subject %q", subject)
		}
	})
}

func TestGolden(t *testing.T) {
	s := opened(t, configured("127.0.0.1:4222"))
	for name, r := range map[string]*report.Report{"ordinary": sinktest.Ordinary(), "summary": sinktest.Summary(), "loss": sinktest.Loss()} {
		for _, most := range []int64{1 << 20, 2000} {
			m, err := s.message(t.Context(), r, most)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			fmt.Fprintf(&b, "%s\n", m.Subject)
			names := []string{}
			for key := range m.Header {
				names = append(names, key)
			}
			slices.Sort(names)
			for _, key := range names {
				fmt.Fprintf(&b, "%s: %s\n", key, m.Header.Get(key))
			}
			fmt.Fprintf(&b, "\n%s\n", m.Data)
			path := filepath.Join("testdata", name)
			if most < 1<<20 {
				path += ".shortened"
			}
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

func BenchmarkDeliver(b *testing.B) {
	server := sinktest.NewServer(b, "tcp", nil, fake(nil, 1<<20))
	to := opened(b, configured(server.Address))
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
