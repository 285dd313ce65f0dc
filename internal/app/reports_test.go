package app

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

func reportClient(t *testing.T, f *fixture) reportsv1.ReportServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+f.app.reports.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return reportsv1.NewReportServiceClient(conn)
}

func postAlert(t *testing.T, f *fixture, alert []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.address("hook"), strings.NewReader(string(alert)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}

// TestReportService: who reads over gRPC gets what a webhook gets, is told when the daemon stops, and
// goes on behind its last number after the next start.
func TestReportService(t *testing.T) {
	dir := t.TempDir()
	source := "  hook: {type: falco_http, listen: '127.0.0.1:0'}\ngrpc: {listen: 'unix://" + filepath.Join(dir, "reports.sock") + "'}"
	f := newFixtureIn(t, dir, source)
	alerts := recordedLines(t, "mtls")
	postAlert(t, f, alerts[0])
	f.waitFor("the webhook's report", func() bool { return len(f.raw()) == 1 })

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := reportClient(t, f).Stream(ctx, &reportsv1.StreamRequest{FromSequence: proto.Uint64(1), When: `kind == "alert" && severity >= info`})
	if err != nil {
		t.Fatal(err)
	}
	var got *reportsv1.StreamResponse
	for got.GetReport() == nil {
		if got, err = stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	var want reportsv1.Report
	if err := protojson.Unmarshal([]byte(f.raw()[0]), &want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&want, got.GetReport()) || len(want.GetActions()) == 0 || want.GetExplanations()[0].GetStatement() == "" {
		t.Errorf("the webhook got\n%v\nthe stream\n%v", &want, got.GetReport())
	}
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	if _, err = stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("at the end: %v", err)
	}

	f = newFixtureIn(t, dir, source)
	client := reportClient(t, f)
	stream, err = client.Stream(ctx, &reportsv1.StreamRequest{FromSequence: proto.Uint64(got.GetSequence() + 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // that it has begun
		t.Fatal(err)
	}
	page, err := client.List(ctx, &reportsv1.ListRequest{})
	if err != nil || len(page.GetEntries()) == 0 || page.GetEntries()[0].GetReport().GetId() != want.GetId() {
		t.Errorf("%v, %v", page, err)
	}
	if _, err := client.List(ctx, &reportsv1.ListRequest{When: "severity > urgent"}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "severity compares") {
		t.Error(err)
	}
}
