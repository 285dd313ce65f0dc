package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/filelessd/filelessd/pkg/sink"
)

const (
	// window is HTTP/2's initial flow-control window, in bytes, and the smallest that grpc-go
	// has. Its default is to grow the window with the speed of the peer, by which Falco would put
	// thousands of alerts into the connection.
	window = 65535

	// maxFrame is where grpc-go ends a call instead of handing over a message. An alert that is
	// merely too long must not get there, since the ones behind it would be lost with the call.
	maxFrame = 64 << 20

	// connectBound is how long one try to connect may take.
	connectBound = 5 * time.Second
)

// dialFunc opens a connection to Falco.
type dialFunc func(ctx context.Context) (net.Conn, error)

// endpoint splits the address into what net.Dial wants.
func (c GRPCConfig) endpoint() (network, address string, err error) {
	if rest, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		path := strings.TrimPrefix(rest, "//")
		if !filepath.IsAbs(path) {
			return "", "", fmt.Errorf("address: want unix:///path, got %q", c.Address)
		}
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" || port == "" {
		return "", "", fmt.Errorf("address: want unix:///path or host:port, got %q", c.Address)
	}
	return "tcp", c.Address, nil
}

// validateAddress says what is wrong with the address, or with tls beside it.
func (c GRPCConfig) validateAddress() error {
	network, _, err := c.endpoint()
	switch {
	case err != nil:
		return err
	case network == "unix" && c.TLS != sink.TLS{}:
		return errors.New("tls: Falco's unix socket has none; leave it out")
	case network == "tcp" && c.TLS == sink.TLS{}:
		return errors.New("tls: missing; Falco's network port wants ca_file, cert_file and key_file")
	}
	return nil
}

func (c GRPCConfig) dial(ctx context.Context) (net.Conn, error) {
	network, address, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	// TCP's own keepalive, which net.Dialer switches on, finds a dead peer. gRPC's pings must stay
	// off: Falco answers more than one in 5 minutes with GOAWAY too_many_pings.
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// credentials reads the certificates; failures of a handshake go to failed.
func (c GRPCConfig) credentials(failed func(error)) (credentials.TransportCredentials, error) {
	network, address, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	if network == "unix" {
		return insecure.NewCredentials(), nil
	}
	config, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	return tlsCredentials{credentials.NewTLS(config), failed}, nil
}

// tlsCredentials keeps the error of a handshake, of which gRPC keeps only the text.
type tlsCredentials struct {
	credentials.TransportCredentials
	failed func(error)
}

func (t tlsCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (
	net.Conn, credentials.AuthInfo, error,
) {
	conn, info, err := t.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		t.failed(err)
	}
	return conn, info, err
}

func (t tlsCredentials) Clone() credentials.TransportCredentials {
	return tlsCredentials{t.TransportCredentials.Clone(), t.failed}
}

// A falco is one gRPC channel to a Falco. While the channel lives, gRPC may replace the connection
// under it: that is how a reload of Falco passes unnoticed by one who only calls get.
type falco struct {
	channel *grpc.ClientConn
	outputs outputs.ServiceClient

	asked      int    // the connection, by number, whose version is known
	peer       string // "Falco 0.43.1 (engine 0.58.0)"
	versionErr error
	announced  bool // as connected, since the version was asked

	mu      sync.Mutex
	dials   int
	process int   // that the last connection leads to; 0 for unknown
	cause   error // why the last connection could not be made
}

func (g *GRPC) open() (*falco, error) {
	f := new(falco)
	creds, err := g.config.credentials(f.failed)
	if err != nil {
		return nil, err
	}
	// The name is what Falco sees as authority over a unix socket; with TLS it is the server's.
	f.channel, err = grpc.NewClient("passthrough:///localhost",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := g.dial(ctx)
			f.dialed(conn, err)
			return conn, err
		}),
		grpc.WithTransportCredentials(creds),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxPause,
			},
			MinConnectTimeout: connectBound,
		}),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(frameCodec{encoding.GetCodecV2(proto.Name)}),
			grpc.MaxCallRecvMsgSize(maxFrame),
		),
	)
	if err != nil {
		return nil, err
	}
	f.outputs = outputs.NewServiceClient(f.channel)
	return f, nil
}

func (f *falco) close() { _ = f.channel.Close() }

func (f *falco) dialed(conn net.Conn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cause = err
	if err == nil {
		f.dials++
		f.process = processOf(conn)
	}
}

func (f *falco) pid() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.process
}

func (f *falco) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cause = err
}

func (f *falco) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials
}

// connect returns once there is a connection, and Falco was asked for its version over it. It
// takes no alert away, so it may be cut short at any time.
func (f *falco) connect(ctx context.Context) error {
	if f.channel.GetState() == connectivity.Ready && f.connections() == f.asked {
		return nil
	}
	for {
		state := f.channel.GetState()
		if state == connectivity.Idle {
			f.channel.Connect()
		}
		if state == connectivity.Ready || state == connectivity.TransientFailure {
			break
		}
		if !f.channel.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
	// With no connection this call fails at once and brings the reason.
	f.asked = f.connections()
	f.peer, f.versionErr = f.version(ctx)
	f.announced = false
	if err := ctx.Err(); err != nil {
		return err
	}
	if status.Code(f.versionErr) == codes.Unavailable {
		return f.explained(f.versionErr)
	}
	return nil
}

// explained joins the status that gRPC made of a failed connection with the error behind it.
func (f *falco) explained(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if status.Code(err) != codes.Unavailable || f.cause == nil {
		return err
	}
	return &connectionError{err, f.cause}
}

// version asks Falco for its version.
func (f *falco) version(ctx context.Context) (peer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, versionBound)
	defer cancel()
	v, err := version.NewServiceClient(f.channel).Version(ctx, &version.Request{})
	if err != nil {
		return "Falco of unknown version", err
	}
	return describe(v), nil
}

// engineVersion is the field of falco.version.response with the version of Falco's engine as text.
// client-go does not know it: it takes field 7 for the version, as in older Falco, where Falco 0.43
// puts only the minor number.
const engineVersion = 11

func describe(v *version.Response) string {
	engine := fmt.Sprint(v.GetEngineVersion())
	w := newWire(v.ProtoReflect().GetUnknown())
	for w.next() {
		if w.num == engineVersion && w.typ == protowire.BytesType {
			engine = w.string()
		}
	}
	return printable(fmt.Sprintf("Falco %s (engine %s)", v.GetVersion(), engine))
}
