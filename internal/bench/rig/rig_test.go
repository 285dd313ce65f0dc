package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
)

// TestAlerts: each alert has its length, matches, and is an alert of its own in what its shape says.
func TestAlerts(t *testing.T) {
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := match.New(base, match.DefaultConfig(), func(string, error) {})
	if err != nil {
		t.Fatal(err)
	}
	for shape, want := range map[Shape][2]int{Distinct: {1, 50}, Alike: {1, 1}, Hosts: {50, 1}} {
		ids, hosts, commands := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for n := range 50 {
			line := AppendAlert(nil, shape, n*4321)
			if len(line) < alertSize-10 || len(line) > alertSize+10 {
				t.Errorf("%s: %d bytes", shape, len(line))
			}
			if got, ok := alertNumber(line); got != n*4321 || !ok {
				t.Errorf("alert %d is taken for %d, %t", n*4321, got, ok)
			}
			e, err := event.Parse(line, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Match(&e)) == 0 {
				t.Fatalf("no match: %s", line)
			}
			command, _ := e.Field("proc.cmdline")
			ids[e.ID()], hosts[e.Hostname], commands[command] = true, true, true
		}
		if got := [2]int{len(hosts), len(commands)}; len(ids) != 50 || got != want {
			t.Errorf("%s: %d ids, hosts and commands %v, want %v", shape, len(ids), got, want)
		}
	}
}

func TestAlertNumber(t *testing.T) {
	for body, want := range map[string]int{
		`{"output_fields":{"proc.pid":"1000017"}}`:               17,
		`{"output_fields": {"proc.pid": 1000018,"proc.x":1}}`:    18,
		`{"findings":["proc.pid"],"e":{"proc.pid":"1000019"}}`:   19,
		`{"files":"\"proc.pid\":1000001","proc.pid":"1000020"}`:  20,
		`{"output_fields":{"proc.pid":"77"}}`:                    -1,
		`{"output_fields":{}}`:                                   -1,
		`{"proc.pid":`:                                           -1,
		`{"proc.pid":99999999999999999999999999999999999999999}`: -1,
	} {
		n, ok := alertNumber([]byte(body))
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%s: %d, want %d", body, n, want)
		}
	}
}

func TestParseScript(t *testing.T) {
	got, err := ParseScript("ok@5s down@10s slow=100ms@1s status=500@2m hang=3")
	want := []Fault{{For: 5 * time.Second}, {Down: true, For: 10 * time.Second}, {Slow: 100 * time.Millisecond, For: time.Second}, {Status: 500, For: 2 * time.Minute}, {Hang: 3}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, wrong := range []string{"down ok", "ok@", "ok@0s", "slow", "status=99", "hang=x", "fine", "ok=1", "down@10s,ok"} {
		if _, err := ParseScript(wrong); err == nil {
			t.Errorf("%q is no script", wrong)
		}
	}
}

// deliver posts alert n to a receiver and returns the status, 0 for none.
func deliver(ctx context.Context, r *Receiver, n int) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL(), bytes.NewReader(AppendAlert(nil, Distinct, n)))
	if err != nil {
		return -1
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

// TestReceiver: a delivery counts when it is answered well, and each fault is what it says.
func TestReceiver(t *testing.T) {
	sent := NewSent(100)
	for n := range 100 {
		sent.begin(n)
		sent.accept(n)
	}
	r, err := OpenReceiver(t.Context(), "127.0.0.1:0", sent)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	url := r.URL()
	set := func(script string) {
		t.Helper()
		faults, err := ParseScript(script)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Play(t.Context(), faults); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	set("hang=1")
	if got := deliver(short, r, 0); got != 0 {
		t.Errorf("a request that is never answered was, with %d", got)
	}
	if got := deliver(t.Context(), r, 1); got != 200 { // the one after it
		t.Errorf("status %d", got)
	}
	set("status=500")
	if got := deliver(t.Context(), r, 2); got != 500 {
		t.Errorf("status %d, want 500", got)
	}
	set("down")
	if got := deliver(t.Context(), r, 3); got != 0 {
		t.Errorf("status %d of a receiver that is down", got)
	}
	set("ok")
	if got := deliver(t.Context(), r, 4); got != 200 || r.URL() != url {
		t.Errorf("status %d of a receiver that is back at %s, was at %s", got, r.URL(), url)
	}
	set("slow=30ms")
	began := time.Now()
	if got := deliver(t.Context(), r, 4); got != 200 || time.Since(began) < 30*time.Millisecond {
		t.Errorf("status %d after %s", got, time.Since(began))
	}
	if c := r.Counts(); c.Distinct != 2 || c.Duplicates != 1 || r.Missing() != 98 {
		t.Errorf("%+v, %d missing", c, r.Missing())
	}
}

// TestTally counts summaries for what they stand for, once.
func TestTally(t *testing.T) {
	sent := NewSent(10)
	tally := NewTally(sent)
	tally.take("a", fmt.Appendf(nil, `{"id":"a","kind":"alert","event":{"output_fields":{"proc.pid":"%d"}}}`, firstPid+3))
	for range 2 {
		tally.take("s", fmt.Appendf(nil, `{"id":"s","kind":"summary","group":{"count":7},"event":{"output_fields":{"proc.pid":"%d"}}}`, firstPid+3))
	}
	tally.take("l", []byte(`{"id":"l","kind":"loss","group":null}`))
	if c := tally.Counts(); c.Distinct != 1 || c.Duplicates != 0 || c.Members != 7 || c.Other != 3 {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(map[string]int{"alert": 1, "summary": 2, "loss": 1}, tally.Kinds()); diff != "" {
		t.Error(diff)
	}
}

// TestLoad: what is refused is repeated and counted, and each alert is accepted once.
func TestLoad(t *testing.T) {
	var refuse = 5
	sent := NewSent(40)
	r, err := OpenReceiver(t.Context(), "127.0.0.1:0", sent)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		refuse--
		no := refuse >= 0
		r.mu.Unlock()
		if no {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(req.Body)
		for line := range bytes.Lines(body) {
			r.take("", line)
		}
	}))
	defer server.Close()
	Load{URL: server.URL, Posters: 3, Shape: Alike, To: 20, Rate: 2000}.Run(t.Context(), sent)
	Load{URL: server.URL, Posters: 3, Shape: Alike, From: 20, To: 40, Batch: 6}.Run(t.Context(), sent)
	if c := r.Counts(); sent.Accepted() != 40 || sent.Refused() != 5 || c.Distinct != 40 || c.Duplicates != 0 {
		t.Errorf("%d accepted, %d refused, %+v", sent.Accepted(), sent.Refused(), c)
	}
	if p99 := r.Took(0.99, time.Time{}, time.Time{}); p99 <= 0 {
		t.Errorf("p99 %s", p99)
	}
	if p99 := r.Took(0.99, time.Now(), time.Time{}); p99 != 0 {
		t.Errorf("p99 %s of what is sent from now on", p99)
	}
}

// TestSample looks at this process, which has used something.
func TestSample(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	now, peak, err := RSS(os.Getpid())
	if err != nil || now <= 1<<20 || peak < now {
		t.Errorf("RSS %d, peak %d, %v", now, peak, err)
	}
	if all, err := MachineCPU(); err != nil || all <= 0 {
		t.Errorf("the machine used %s, %v", all, err)
	}
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# TYPE go_goroutines gauge\ngo_goroutines 17\nx 1\n")
	}))
	defer metrics.Close()
	s := Sample(t.Context(), os.Getpid(), metrics.URL)
	s.Look(t.Context())
	u := s.Stop(t.Context())
	if u.Peak <= 1<<20 || u.Goroutines != 17 || u.FDs < 3 {
		t.Errorf("%+v", u)
	}
	if _, _, err := RSS(1 << 30); err == nil || !strings.Contains(err.Error(), "/proc") {
		t.Errorf("the RSS of no process: %v", err)
	}
}
