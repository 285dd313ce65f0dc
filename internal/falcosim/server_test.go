package falcosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// The tests talk to the server as client-go's users do. The numbers in their names are those of
// the sections of the recording that they repeat.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must come; only a test that fails waits so long.
const patience = 30 * time.Second

// startUnix starts a server on a socket of its own.
func startUnix(t *testing.T, options Options) (s *Server, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "falco.sock")
	s = New(options)
	if err := s.ListenUnix(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abort)
	return s, path
}

// connect makes a plain client.
func connect(t *testing.T, path string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("unix:"+path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// inBubble runs test in virtual time, over connections in memory.
func inBubble(t *testing.T, test func(t *testing.T, s *Server, connect func(...grpc.DialOption) *grpc.ClientConn)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		l := bufconn.Listen(1 << 20)
		if err := s.Listen(func() (net.Listener, error) { return l, nil }); err != nil {
			t.Fatal(err)
		}
		defer s.Abort()
		test(t, s, func(options ...grpc.DialOption) *grpc.ClientConn {
			conn, err := grpc.NewClient("passthrough:///falco", append(options,
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
			)...)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		})
	})
}

// numbered makes frames that rule names tell apart, each of a usual size.
func numbered(from, n int) []Frame {
	frames := make([]Frame, n)
	for i := range frames {
		a := alert{
			Rule: fmt.Sprint(from + i), Output: strings.Repeat("x", 1800), Priority: "Warning",
			Source: "syscall", Time: time.Unix(1795443600, int64(from+i)),
		}
		frames[i] = a.frame(a.Output)
	}
	return frames
}

func rules(from, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(from + i)
	}
	return names
}

// receive reads alerts until there are n, or until the stream ends with n below 0.
func receive(t *testing.T, stream interface {
	Recv() (*outputs.Response, error)
}, n int) (names []string, err error) {
	t.Helper()
	for n < 0 || len(names) < n {
		r, err := stream.Recv()
		if err != nil {
			return names, err
		}
		names = append(names, r.GetRule())
	}
	return names, nil
}

// get makes one call and returns the rules of what it brought.
func get(t *testing.T, conn *grpc.ClientConn) []string {
	t.Helper()
	stream, err := outputs.NewServiceClient(conn).Get(t.Context(), &outputs.Request{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	names, err := receive(t, stream, -1)
	if !errors.Is(err, io.EOF) {
		t.Fatalf("get ended with %v, want status OK", err)
	}
	return names
}

func sub(ctx context.Context, t *testing.T, conn *grpc.ClientConn) outputs.Service_SubClient {
	t.Helper()
	stream, err := outputs.NewServiceClient(conn).Sub(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func request(t *testing.T, stream outputs.Service_SubClient) {
	t.Helper()
	if err := stream.Send(&outputs.Request{}); err != nil {
		t.Fatal(err)
	}
}

// answered makes sure that the server has read a request of stream.
func answered(t *testing.T, s *Server, stream outputs.Service_SubClient) {
	t.Helper()
	s.Push(numbered(0, 1)...)
	request(t, stream)
	if _, err := receive(t, stream, 1); err != nil {
		t.Fatal(err)
	}
}

func wantRules(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("alerts (-want +got):\n%s", diff)
	}
}

func wantCode(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		t.Fatalf("got %v, want %s with %q", err, code, text)
	}
}
