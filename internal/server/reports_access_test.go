package server

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/testca"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

func TestReportsToken(t *testing.T) {
	log := openLog(t, t.TempDir(), "refuse")
	s := serving(t, GRPCConfig{Token: "hush-hush"}, backendOf(log), nil)
	c := s.client(t, nil)
	for shown, want := range map[string]codes.Code{
		"": codes.Unauthenticated, "Bearer hush": codes.Unauthenticated, "hush-hush": codes.Unauthenticated, "Bearer hush-hush": codes.OK,
	} {
		ctx := within(t)
		if shown != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", shown)
		}
		_, err := c.List(ctx, &reportsv1.ListRequest{})
		if status.Code(err) != want || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", shown, err)
		}
		one, err := c.Stream(ctx, &reportsv1.StreamRequest{})
		if err == nil {
			_, err = one.Recv()
		}
		if status.Code(err) != want {
			t.Errorf("stream, %q: %v", shown, err)
		}
	}
	health := grpc_health_v1.NewHealthClient(s.conn(t, nil))
	answer, err := health.Check(within(t), &grpc_health_v1.HealthCheckRequest{Service: "filelessd.reports.v1.ReportService"})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Error(answer, err)
	}
}

func TestReportsUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := GRPCConfig{Listen: "unix://" + filepath.Join(dir, "reports.sock")}
	b := backendOf(openLog(t, t.TempDir(), "refuse"))
	s := serving(t, c, b, nil)
	if _, err := s.client(t, nil).List(within(t), &reportsv1.ListRequest{}); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "reports.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if _, err := OpenReports(t.Context(), c, b); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("the same socket again: %v", err)
	}
	s.stop()
	serving(t, c, b, nil)
}

// TestReportsFit: whatever an alert holds, its report has room in a message.
func TestReportsFit(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.SetField("proc.cmdline", strings.Repeat("\xff", 1<<20))
	r.Event.SetField("proc.cwd", strings.Repeat("é", 1<<20))
	m := Message(r)
	fit(m)
	if n := proto.Size(m); n > mostMessage || n < mostMessage/4 {
		t.Errorf("%d bytes", n)
	}
	last := m.GetUnknowns()[len(m.GetUnknowns())-1]
	if last.GetId() != "cut" || last.GetField() != "proc.cmdline" || len(m.GetEvent().GetInvalidUtf8()["output_fields.proc.cmdline"]) != 1<<20 {
		t.Error(last)
	}
	if _, err := proto.Marshal(m); err != nil {
		t.Error(err)
	}
}

// TestReportsMutual: only certificates of the authority that was named are let in.
func TestReportsMutual(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := testca.New(t, dir, "ours"), testca.New(t, dir, "theirs")
	ours.Issue(t, "server")
	c := GRPCConfig{TLS: listen.TLS{
		CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key"), ClientCAFile: filepath.Join(dir, "ours.pem"),
	}}
	log := openLog(t, t.TempDir(), "refuse")
	add(t, log, 1, 1, sinktest.Ordinary)
	s := serving(t, c, backendOf(log), nil)
	for _, tt := range []struct {
		name   string
		config *tls.Config
		ok     bool
	}{
		{"good", &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{ours.Issue(t, "client")}}, true},
		{"another authority's", &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{theirs.Issue(t, "stranger")}}, false},
		{"none", &tls.Config{RootCAs: ours.Pool()}, false},
		{"the server's is another authority's", &tls.Config{RootCAs: theirs.Pool(), Certificates: []tls.Certificate{ours.Issue(t, "client")}}, false},
		{"no TLS", nil, false},
	} {
		if tt.config != nil {
			tt.config.ServerName = "localhost"
		}
		client := s.client(t, tt.config)
		_, err := client.Get(within(t), &reportsv1.GetRequest{Id: idOf(1)})
		if (err == nil) != tt.ok || err != nil && status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestGRPCConfig(t *testing.T) {
	mutual := listen.TLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
	alone := listen.TLS{CertFile: "c", KeyFile: "k"}
	for _, tt := range []struct {
		c    GRPCConfig
		want string // in the error; empty for none
	}{
		{GRPCConfig{}, ""},
		{GRPCConfig{Listen: "127.0.0.1:2805"}, ""},
		{GRPCConfig{Listen: "unix:///run/filelessd/reports.sock"}, ""},
		{GRPCConfig{Listen: "0.0.0.0:2805", TLS: mutual}, ""},
		{GRPCConfig{Listen: "0.0.0.0:2805", TLS: alone, Token: "t"}, ""},
		{GRPCConfig{Listen: "0.0.0.0:2805"}, "listen: beyond loopback"},
		{GRPCConfig{Listen: "0.0.0.0:2805", TLS: alone}, "listen: beyond loopback"},
		{GRPCConfig{Listen: "0.0.0.0:2805", Token: "t"}, "listen: beyond loopback"},
		{GRPCConfig{Listen: "2805"}, "listen: want host:port"},
		{GRPCConfig{Listen: "unix://reports.sock"}, "absolute"},
		{GRPCConfig{TLS: listen.TLS{KeyFile: "k"}}, "tls:"},
	} {
		err := tt.c.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}
