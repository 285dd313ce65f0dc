package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

// soon bounds every wait in these tests.
const soon = 20 * time.Second

func openLog(t *testing.T, dir string, onFull string) *store.Log {
	t.Helper()
	log, err := store.Open(t.Context(), dir, store.Config{Retention: time.Hour, MaxBytes: 16 << 20, OnFull: onFull})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// add appends reports to the log, numbered as they come.
func add(t *testing.T, log *store.Log, from, to int, like func() *report.Report) {
	t.Helper()
	for n := from; n <= to; n++ {
		r := like()
		r.ID, r.Score = idOf(n), n
		body, err := report.Marshal(r)
		if err == nil {
			_, err = log.Append(t.Context(), store.Record{ID: r.ID, Body: body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// idOf returns an ID; all begin alike.
func idOf(n int) string {
	return "00000000" + fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n)}))[:56]
}

// expanded marks what went through Expand.
const expanded = "expanded "

func backendOf(log *store.Log) ReportsBackend {
	return ReportsBackend{
		Log: log,
		Expand: func(r *report.Report) *report.Report {
			whole := *r
			whole.Title = expanded + r.Title
			return &whole
		},
		When: func(expression string) (func(*report.Report) (bool, error), error) {
			switch expression {
			case "":
				return func(*report.Report) (bool, error) { return true, nil }, nil
			case "even":
				return func(r *report.Report) (bool, error) { return r.Score%2 == 0, nil }, nil
			case "none":
				return func(*report.Report) (bool, error) { return false, nil }, nil
			case "fails":
				return func(*report.Report) (bool, error) { return false, errors.New("it failed") }, nil
			case "panics":
				return func(*report.Report) (bool, error) { panic("a mistake") }, nil
			}
			return nil, errors.New("1:1: no expression")
		},
		Logger: zerolog.Nop(),
	}
}

// served is a service that runs.
type served struct {
	*Reports
	stop func()
}

func serving(t *testing.T, c GRPCConfig, b ReportsBackend, change func(*service)) *served {
	t.Helper()
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	r, err := OpenReports(t.Context(), c, b)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r.service)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run() }()
	stopped := false
	s := &served{r, func() {
		if stopped {
			return
		}
		stopped = true
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}}
	t.Cleanup(s.stop)
	return s
}

func (s *served) client(t *testing.T, config *tls.Config) reportsv1.ReportServiceClient {
	t.Helper()
	return reportsv1.NewReportServiceClient(s.conn(t, config))
}

func (s *served) conn(t *testing.T, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	target := s.Addr().String()
	if s.Addr().Network() == "unix" {
		target = "unix:" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"pick_first":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

func stream(t *testing.T, c reportsv1.ReportServiceClient, from uint64, filter string) grpc.ServerStreamingClient[reportsv1.StreamResponse] {
	t.Helper()
	s, err := c.Stream(within(t), &reportsv1.StreamRequest{FromSequence: &from, When: filter})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said writes messages in short: where each ends, and what it holds.
func said(t *testing.T, s grpc.ServerStreamingClient[reportsv1.StreamResponse], n int) string {
	t.Helper()
	var all []string
	for range n {
		m, err := s.Recv()
		if err != nil {
			return strings.Join(append(all, status.Code(err).String()), " ")
		}
		word := fmt.Sprint(m.GetSequence())
		switch {
		case m.GetReport() != nil:
			if m.GetReport().GetId() != idOf(int(m.GetReport().GetScore())) || !strings.HasPrefix(m.GetReport().GetTitle(), expanded) {
				t.Errorf("not the whole report: %s", m.GetReport().GetTitle())
			}
			word += fmt.Sprintf(":%d", m.GetReport().GetScore())
		case m.GetGap() != nil:
			word += fmt.Sprintf(":gap%d-%d", m.GetGap().GetFirst(), m.GetGap().GetLast())
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestReportsGet(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 3, sinktest.Ordinary)
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	for _, tt := range []struct {
		id   string
		want codes.Code
		seq  uint64
	}{
		{idOf(2), codes.OK, 2},
		{idOf(2)[:20], codes.OK, 2},
		{idOf(2)[:8], codes.InvalidArgument, 0}, // all begin like that
		{idOf(9), codes.NotFound, 0},
		{"0000", codes.InvalidArgument, 0},
		{"", codes.InvalidArgument, 0},
		{strings.Repeat("%", 5000), codes.NotFound, 0},
	} {
		got, err := c.Get(within(t), &reportsv1.GetRequest{Id: tt.id})
		if status.Code(err) != tt.want || got.GetEntry().GetSequence() != tt.seq {
			t.Errorf("%.70s: %d, %v", tt.id, got.GetEntry().GetSequence(), err)
		}
		if err == nil && got.GetEntry().GetReport().GetTitle() != expanded+sinktest.Ordinary().Title {
			t.Errorf("%s", got.GetEntry().GetReport().GetTitle())
		}
	}
}

func TestReportsList(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 7, sinktest.Ordinary)
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	for _, tt := range []struct {
		q    *reportsv1.ListRequest
		want string
	}{
		{&reportsv1.ListRequest{}, "1 2 3 4 5 6 7 next 0"},
		{&reportsv1.ListRequest{PageSize: 3}, "1 2 3 next 4"},
		{&reportsv1.ListRequest{PageSize: 3, FromSequence: 4}, "4 5 6 next 7"},
		{&reportsv1.ListRequest{PageSize: 3, FromSequence: 5}, "5 6 7 next 0"},
		{&reportsv1.ListRequest{FromSequence: 8}, "next 0"},
		{&reportsv1.ListRequest{FromSequence: 1 << 62}, "next 0"},
		{&reportsv1.ListRequest{PageSize: 2, When: "even"}, "2 4 next 5"},
		{&reportsv1.ListRequest{When: "none"}, "next 0"},
		{&reportsv1.ListRequest{When: "fails", FromSequence: 6}, "6 7 next 0"},
		{&reportsv1.ListRequest{When: "gibberish"}, "InvalidArgument"},
		{&reportsv1.ListRequest{PageSize: -1}, "InvalidArgument"},
		{&reportsv1.ListRequest{When: "panics"}, "Internal"},
	} {
		p, err := c.List(within(t), tt.q)
		got := ""
		for _, e := range p.GetEntries() {
			got += fmt.Sprintf("%d ", e.GetSequence())
		}
		got += fmt.Sprintf("next %d", p.GetNextSequence())
		if err != nil {
			got = status.Code(err).String()
		} else if p.GetNewestSequence() != 7 || len(p.GetGaps()) > 0 {
			t.Errorf("%v: %v", tt.q, p)
		}
		expect(t, tt.q.String(), got, tt.want)
	}
}

// TestReportsListLong: a page of long reports stays within what a client takes.
func TestReportsListLong(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 8, sinktest.Big)
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	var got []uint64
	pages := 0
	for from := uint64(1); from > 0; pages++ {
		p, err := c.List(within(t), &reportsv1.ListRequest{FromSequence: from})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.GetEntries() {
			got = append(got, e.GetSequence())
		}
		from = p.GetNextSequence()
	}
	if fmt.Sprint(got) != "[1 2 3 4 5 6 7 8]" || pages < 2 {
		t.Errorf("%v on %d pages", got, pages)
	}
}
