package falcosim

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/status"
)

// Options are the settings of a Server. The zero value is Falco's default.
type Options struct {
	// Threadiness is grpc.threadiness; 0 is the number of CPUs. Ten times as many sub streams are
	// served at once.
	Threadiness int
	// Version is what the version service answers; nil is what Falco 0.43.1 does.
	Version *version.Response
}

// A Server is the gRPC server of a Falco. It has one queue, which alerts are pushed to and clients
// pop from.
type Server struct {
	options Options
	queue   queue
	slots   chan struct{} // one for each sub that is served
	counts  counts

	life   sync.Mutex // held while the server starts, reloads or stops
	listen func() (net.Listener, error)
	creds  credentials.TransportCredentials

	mu   sync.Mutex
	addr net.Addr
	run  *run // nil while stopped
}

type counts struct{ gets, subs, versions atomic.Int64 }

// Stats are what a Server has done.
type Stats struct {
	Queued int // alerts in the queue
	Sent   int // alerts popped and handed to a call, whether the client read them or not

	Gets, Subs, Versions int // calls that were begun
}

// New makes a server that does not listen yet. Alerts can be pushed at any time.
func New(options Options) *Server {
	if options.Threadiness == 0 {
		options.Threadiness = runtime.NumCPU()
	}
	if options.Version == nil {
		options.Version = recordedVersion()
	}
	return &Server{options: options, slots: make(chan struct{}, 10*options.Threadiness)}
}

// Push puts alerts into the queue.
func (s *Server) Push(frames ...Frame) { s.queue.push(frames) }

// PushJSON puts alerts in Falco's JSON form into the queue, all or none, as a Falco with
// json_output: true does.
func (s *Server) PushJSON(lines ...[]byte) error {
	frames := make([]Frame, 0, len(lines))
	for _, line := range lines {
		frame, err := JSONFrame(line)
		if err != nil {
			return err
		}
		frames = append(frames, frame)
	}
	s.Push(frames...)
	return nil
}

// Stats says what the server has done.
func (s *Server) Stats() Stats {
	queued, popped := s.queue.counts()
	return Stats{
		Queued: queued, Sent: popped, Gets: int(s.counts.gets.Load()),
		Subs: int(s.counts.subs.Load()), Versions: int(s.counts.versions.Load()),
	}
}

// A run is the server between a start and the next reload or stop.
type run struct {
	server   *Server
	grpc     *grpc.Server
	listener net.Listener
	stopping chan struct{} // closed when a reload or stop begins
	served   chan struct{} // closed when Serve has returned
	err      error         // what it returned
}

func (s *Server) start(listener net.Listener) *run {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(frameCodec{encoding.GetCodecV2(proto.Name)}),
		grpc.WaitForHandlers(true),
	}
	if s.creds != nil {
		options = append(options, grpc.Creds(s.creds))
	}
	r := &run{
		server: s, grpc: grpc.NewServer(options...), listener: listener,
		stopping: make(chan struct{}), served: make(chan struct{}),
	}
	outputs.RegisterServiceServer(r.grpc, outputsService{run: r})
	version.RegisterServiceServer(r.grpc, versionService{server: s})
	go func() {
		defer close(r.served)
		r.err = r.grpc.Serve(listener)
	}()
	return r
}

type outputsService struct {
	outputs.UnimplementedServiceServer
	run *run
}

// Get sends what is queued and ends; it never waits.
func (o outputsService) Get(_ *outputs.Request, stream outputs.Service_GetServer) error {
	o.run.server.counts.gets.Add(1)
	return o.run.server.drain(stream)
}

// Sub says nothing until it has read a request. Then it sends what is queued and waits for the
// next. After a half-close it waits for ever. At a reload or stop it ends with OK, but only at the
// next request.
func (o outputsService) Sub(stream outputs.Service_SubServer) error {
	r, ctx := o.run, stream.Context()
	r.server.counts.subs.Add(1)
	select {
	case r.server.slots <- struct{}{}:
		defer func() { <-r.server.slots }()
	case <-r.stopping:
		return status.Error(codes.Unavailable, "the server stops")
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			<-ctx.Done()
			return status.FromContextError(ctx.Err()).Err()
		}
		if err != nil {
			return err
		}
		select {
		case <-r.stopping:
			return nil
		default:
		}
		if err := r.server.drain(stream); err != nil {
			return err
		}
	}
}

// drain sends until the queue is empty. What it pops when a write fails is gone, as with Falco.
func (s *Server) drain(stream grpc.ServerStream) error {
	for {
		frame, ok := s.queue.pop()
		if !ok {
			return nil
		}
		if err := stream.SendMsg(frame); err != nil {
			return err
		}
	}
}

type versionService struct {
	version.UnimplementedServiceServer
	server *Server
}

func (v versionService) Version(context.Context, *version.Request) (*version.Response, error) {
	v.server.counts.versions.Add(1)
	return v.server.options.Version, nil
}
