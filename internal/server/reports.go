package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

// What readers of reports can take of the program. A stream keeps the records of one read and one
// message; what it does not take stays in the log, so a slow one costs nobody else anything.
const (
	mostConnections = 64
	mostStreams     = 32 // of the service, over all connections
	mostPerConn     = 16 // calls at a time
	mostLookUps     = 4  // Get and List at a time: others wait
	mostQuestion    = 64 << 10
)

// ReportsBackend is what the report service reads.
type ReportsBackend struct {
	Log *store.Log
	// Expand returns the whole report of what the log holds of it. It must not change that.
	Expand func(*report.Report) *report.Report
	// When compiles a filter.
	When   func(expression string) (func(*report.Report) (bool, error), error)
	Logger zerolog.Logger
	// Ports is how the daemon opens its ports.
	Ports listen.Ports
}

// Reports serves the log of reports over gRPC.
type Reports struct {
	listener net.Listener
	grpc     *grpc.Server
	health   *health.Server
	service  *service
	token    string
	log      zerolog.Logger
	closing  atomic.Bool
}

// OpenReports binds the address.
func OpenReports(ctx context.Context, c GRPCConfig, b ReportsBackend) (*Reports, error) {
	config, err := b.Ports.Certificates.Config(c.Listen, c.TLS)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if path, ok := strings.CutPrefix(c.Listen, unixPrefix); ok {
		l, err = listen.Unix(ctx, path)
	} else {
		l, err = b.Ports.Sockets.Open(ctx, c.Listen) // gRPC does the handshake: it names its protocol there
	}
	if err != nil {
		return nil, err
	}
	r := &Reports{
		listener: l, health: health.NewServer(), service: newService(b), token: string(c.Token), log: b.Logger,
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(mostQuestion), grpc.MaxHeaderListSize(16 << 10), grpc.MaxConcurrentStreams(mostPerConn),
		grpc.InitialWindowSize(64 << 10), grpc.InitialConnWindowSize(64 << 10), grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: 15 * time.Minute, Time: 30 * time.Second, Timeout: 10 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(r.guardCall), grpc.StreamInterceptor(r.guardStream),
	}
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	r.grpc = grpc.NewServer(options...)
	reportsv1.RegisterReportServiceServer(r.grpc, r.service)
	grpc_health_v1.RegisterHealthServer(r.grpc, r.health)
	r.health.SetServingStatus(reportsv1.ReportService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	reflection.Register(r.grpc)
	return r, nil
}

// Addr is the address that the service listens on.
func (r *Reports) Addr() net.Addr { return r.listener.Addr() }

// Streams returns how many callers are reading the log at present.
func (r *Reports) Streams() int { return len(r.service.streams) }

// Run serves until Drain or Close.
func (r *Reports) Run() error {
	err := r.grpc.Serve(netutil.LimitListener(r.listener, mostConnections))
	if r.closing.Load() || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Drain takes no more calls, and ends the streams once they have sent what the log holds. It returns
// when all have ended.
func (r *Reports) Drain() {
	r.closing.Store(true)
	r.health.Shutdown()
	r.service.stop()
	r.grpc.GracefulStop()
}

// Close ends everything at once.
func (r *Reports) Close() error {
	r.closing.Store(true)
	r.service.stop()
	r.grpc.Stop()
	if err := r.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (r *Reports) guardCall(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() { err = r.recovered(recover(), info.FullMethod, err) }()
	if err := r.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (r *Reports) guardStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() { err = r.recovered(recover(), info.FullMethod, err) }()
	if err := r.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(service, stream)
}

// admit asks for the token, if there is one. Health stays open: what asks for it can often not be told
// a token.
func (r *Reports) admit(ctx context.Context, method string) error {
	if r.token == "" || strings.HasPrefix(method, "/"+grpc_health_v1.Health_ServiceDesc.ServiceName+"/") {
		return nil
	}
	shown := http.Header{}
	for _, value := range metadata.ValueFromIncomingContext(ctx, "authorization") {
		shown.Add("Authorization", value)
	}
	if !listen.Authorized(&http.Request{Header: shown}, r.token) {
		return status.Error(codes.Unauthenticated, "want the metadata authorization: Bearer and the token")
	}
	return nil
}

// recovered keeps a mistake in the answer to one caller from ending the daemon.
func (r *Reports) recovered(panicked any, method string, err error) error {
	if panicked == nil {
		return err
	}
	r.log.Error().Str("call", method).Str("panic", fmt.Sprint(panicked)).Str("stack", string(debug.Stack())).Msg("a call of the report service failed")
	return status.Error(codes.Internal, "the call failed; the log of the program says why")
}
