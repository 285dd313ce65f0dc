package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

func TestReportsStream(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 4, sinktest.Ordinary)
	c := serving(t, GRPCConfig{}, backendOf(log), func(s *service) { s.progress = 50 * time.Millisecond }).client(t, nil)
	expect(t, "from the oldest", said(t, stream(t, c, 0, ""), 5), "0 1:1 2:2 3:3 4:4")
	expect(t, "from the third", said(t, stream(t, c, 3, ""), 3), "2 3:3 4:4")
	expect(t, "filtered", said(t, stream(t, c, 1, "even"), 3), "0 2:2 4:4")
	expect(t, "nothing passes", said(t, stream(t, c, 1, "none"), 2), "0 4")
	expect(t, "another log", said(t, stream(t, c, 6, ""), 1), "OutOfRange")
	expect(t, "no expression", said(t, stream(t, c, 1, "gibberish"), 1), "InvalidArgument")
	expect(t, "a mistake of ours", said(t, stream(t, c, 1, "panics"), 2), "0 Internal")

	now, err := c.Stream(within(t), &reportsv1.StreamRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next := stream(t, c, 5, "")
	expect(t, "from now", said(t, now, 1), "4")
	expect(t, "from the next", said(t, next, 1), "4")
	add(t, log, 5, 6, sinktest.Ordinary)
	expect(t, "from now", said(t, now, 2), "5:5 6:6")
	expect(t, "from the next", said(t, next, 2), "5:5 6:6")
}

// TestReportsResume: a reader that goes on behind its last number misses nothing and gets nothing
// twice, across an end of the program.
func TestReportsResume(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir, "refuse")
	add(t, log, 1, 5, sinktest.Ordinary)
	s := serving(t, GRPCConfig{}, backendOf(log), nil)
	first := stream(t, s.client(t, nil), 1, "")
	expect(t, "before", said(t, first, 4), "0 1:1 2:2 3:3")
	s.stop()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}

	log = openLog(t, dir, "refuse")
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	again := stream(t, c, 4, "")
	expect(t, "after", said(t, again, 3), "3 4:4 5:5")
	add(t, log, 6, 6, sinktest.Ordinary)
	expect(t, "and on", said(t, again, 1), "6:6")
}

// TestReportsGap: what the log had to drop, and what can not be read, is told.
func TestReportsGap(t *testing.T) {
	log := openLog(t, t.TempDir(), "drop_oldest")
	n := 0
	oldest := uint64(0)
	for deadline := time.Now().Add(soon); oldest < 3; {
		n++
		add(t, log, n, n, sinktest.Big)
		stats, err := log.Stats(t.Context())
		if err != nil || time.Now().After(deadline) {
			t.Fatal("nothing is dropped", err)
		}
		oldest = stats.Oldest
	}
	n++
	if _, err := log.Append(t.Context(), store.Record{ID: "no report", Body: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	n++
	add(t, log, n, n, sinktest.Ordinary)
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	stats, err := log.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := int(stats.Oldest)
	expect(t, "dropped", said(t, stream(t, c, 1, ""), 3), fmt.Sprintf("0 %d:gap1-%d %d:%d", kept-1, kept-1, kept, kept))
	expect(t, "the oldest that is kept", said(t, stream(t, c, 0, ""), 2), fmt.Sprintf("%d %d:%d", kept-1, kept, kept))
	expect(t, "unreadable", said(t, stream(t, c, uint64(n-1), ""), 3), fmt.Sprintf("%d %d:gap%d-%d %d:%d", n-2, n-1, n-1, n-1, n, n))
	p, err := c.List(within(t), &reportsv1.ListRequest{FromSequence: 1, PageSize: 1})
	if err != nil || len(p.GetGaps()) != 1 || p.GetGaps()[0].GetLast() != uint64(kept-1) {
		t.Errorf("%v %v", p.GetGaps(), err)
	}
	if _, err := c.Get(within(t), &reportsv1.GetRequest{Id: "no report"}); status.Code(err) != codes.DataLoss {
		t.Error(err)
	}
}

// TestReportsAllGone: a gap is told at once, not only when the next report comes.
func TestReportsAllGone(t *testing.T) {
	log, err := store.Open(t.Context(), t.TempDir(), store.Config{Retention: time.Millisecond, MaxBytes: 16 << 20, OnFull: "refuse"},
		store.MaintainEvery(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	add(t, log, 1, 3, sinktest.Ordinary)
	for deadline := time.Now().Add(soon); ; {
		stats, err := log.Stats(t.Context())
		if err != nil || time.Now().After(deadline) {
			t.Fatal("nothing is removed", err)
		}
		if stats.Records == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	expect(t, "all is gone", said(t, stream(t, c, 2, ""), 2), "1 3:gap2-3")
	expect(t, "the oldest", said(t, stream(t, c, 0, ""), 1), "3")
}

// TestReportsSlow: who takes nothing loses the place, and can go on.
func TestReportsSlow(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 10, sinktest.Big)
	s := serving(t, GRPCConfig{}, backendOf(log), func(s *service) { s.patience = 200 * time.Millisecond })
	slow := stream(t, s.client(t, nil), 1, "")
	if _, err := slow.Header(); err != nil { // it has begun
		t.Fatal(err)
	}
	for deadline := time.Now().Add(soon); s.Streams() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the slow one keeps its place")
		}
		time.Sleep(10 * time.Millisecond)
	}
	var last uint64
	var err error
	for err == nil {
		var m *reportsv1.StreamResponse
		if m, err = slow.Recv(); err == nil {
			last = m.GetSequence()
		}
	}
	if status.Code(err) != codes.ResourceExhausted || last >= 10 {
		t.Fatalf("after %d: %v", last, err)
	}
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	expect(t, "going on", said(t, stream(t, c, last+1, ""), 2), fmt.Sprintf("%d %d:%d", last, last+1, last+1))
}

// TestReportsBeside: a reader that takes nothing holds up no other one, not even over the same connection.
func TestReportsBeside(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 10, sinktest.Big)
	c := serving(t, GRPCConfig{}, backendOf(log), nil).client(t, nil)
	slow := stream(t, c, 1, "")
	if _, err := slow.Header(); err != nil {
		t.Fatal(err)
	}
	expect(t, "another one", said(t, stream(t, c, 9, ""), 3), "8 9:9 10:10")
	expect(t, "the slow one", said(t, slow, 3), "0 1:1 2:2")
}

func TestReportsManyStreams(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	s := serving(t, GRPCConfig{}, backendOf(log), nil)
	var c reportsv1.ReportServiceClient
	for n := range mostStreams {
		if n%mostPerConn == 0 {
			c = s.client(t, nil)
		}
		expect(t, fmt.Sprint(n), said(t, stream(t, c, 1, ""), 1), "0")
	}
	if s.Streams() != mostStreams {
		t.Errorf("%d streams", s.Streams())
	}
	c = s.client(t, nil)
	expect(t, "one too many", said(t, stream(t, c, 1, ""), 1), "ResourceExhausted")
	if _, err := c.List(within(t), &reportsv1.ListRequest{}); err != nil {
		t.Error("streams keep others from looking up:", err)
	}
	if _, err := c.List(within(t), &reportsv1.ListRequest{When: strings.Repeat("x", mostQuestion)}); status.Code(err) != codes.ResourceExhausted {
		t.Error("a question of any length is read:", err)
	}
}

// TestReportsDrain: at the end a stream sends what the log holds, and ends.
func TestReportsDrain(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir, "refuse")
	add(t, log, 1, 6, sinktest.Big)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = openLog(t, dir, "refuse") // what is read comes from the disk
	s := serving(t, GRPCConfig{}, backendOf(log), nil)
	c := s.client(t, nil)
	idle, busy := stream(t, c, 7, ""), stream(t, c, 1, "")
	expect(t, "idle", said(t, idle, 1), "6")
	expect(t, "busy", said(t, busy, 1), "0")
	drained := make(chan struct{})
	go func() { defer close(drained); s.Drain() }()
	expect(t, "idle", said(t, idle, 1), "Unavailable")
	expect(t, "busy", said(t, busy, 7), "1:1 2:2 3:3 4:4 5:5 6:6 Unavailable")
	select {
	case <-drained:
	case <-time.After(soon):
		t.Fatal("the streams have ended, Drain has not")
	}
}

// TestReportsCut: a stream that nobody reads does not hold up Close.
func TestReportsCut(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 10, sinktest.Big)
	s := serving(t, GRPCConfig{}, backendOf(log), nil)
	expect(t, "begun", said(t, stream(t, s.client(t, nil), 1, ""), 2), "0 1:1")
	drained := make(chan struct{})
	go func() { defer close(drained); s.Drain() }()
	s.stop()
	<-drained
}
