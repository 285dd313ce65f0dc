package falcosim

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

func TestReload(t *testing.T) { // 14, 15
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	stream := sub(t.Context(), t, conn)
	answered(t, s, stream)
	reloaded := make(chan error, 1)
	go func() { reloaded <- s.Reload() }()
	waitFor(t, conn, connectivity.Idle) // GOAWAY
	select {
	case err := <-reloaded:
		t.Fatalf("the reload did not wait for the silent stream: %v", err)
	default:
	}
	request(t, stream)
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("the stream ended with %v, want OK", err)
	}
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	s.Push(numbered(0, 5)...)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	wantRules(t, get(t, conn), rules(0, 5))
}

func waitFor(t *testing.T, conn *grpc.ClientConn, want connectivity.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for state := conn.GetState(); state != want; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			t.Fatalf("the connection is %s, want %s", state, want)
		}
	}
}

func TestGetThroughReload(t *testing.T) { // 16
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	reloaded := make(chan error, 1)
	get(t, conn)
	go func() { reloaded <- s.Reload() }()
	for {
		select {
		case err := <-reloaded:
			if err != nil {
				t.Fatal(err)
			}
			s.Push(numbered(0, 1)...)
			wantRules(t, get(t, conn), rules(0, 1))
			return
		default:
			// While the socket is away a call fails; the recorded client never hit that moment.
			stream, err := outputs.NewServiceClient(conn).Get(t.Context(), &outputs.Request{})
			if err == nil {
				_, err = stream.Recv()
			}
			if !errors.Is(err, io.EOF) && status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		}
	}
}

func TestStop(t *testing.T) { // 17
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	get(t, conn)
	s.Push(numbered(0, 5)...)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if n := s.Stats().Queued; n != 0 {
		t.Errorf("%d alerts survived the stop", n)
	}
	_, err := version.NewServiceClient(conn).Version(t.Context(), &version.Request{})
	wantCode(t, err, codes.Unavailable, "connect: no such file or directory")
	if err := s.Stop(); err == nil {
		t.Error("stopped twice")
	}
}

func TestSilentSubBlocksStop(t *testing.T) { // 17b
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	stream := sub(ctx, t, conn)
	answered(t, s, stream)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	waitFor(t, conn, connectivity.Idle)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a stream open: %v", err)
	default:
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}

func TestAbort(t *testing.T) { // 18
	defer syscall.Umask(syscall.Umask(0o022)) // of the recorded Falco
	s, path := startUnix(t, Options{})
	stream := sub(t.Context(), t, connect(t, path))
	answered(t, s, stream)
	s.Push(numbered(1, 5)...)
	s.Abort()
	_, err := receive(t, stream, -1)
	wantCode(t, err, codes.Unavailable, "error reading from server")
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatalf("the socket is gone: %v", err)
	}
	if got := info.Mode().String(); got != "Srwxr-xr-x" {
		t.Errorf("mode %s", got)
	}
	if err := s.ListenUnix(path); err != nil {
		t.Fatalf("start over a stale socket: %v", err)
	}
	wantRules(t, get(t, connect(t, path)), nil)
}

func TestAbortWhileStopping(t *testing.T) {
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	stream := sub(t.Context(), t, conn)
	answered(t, s, stream)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	waitFor(t, conn, connectivity.Idle)
	s.Abort()
	if err := <-stopped; err == nil {
		t.Error("the aborted stop says all is well")
	}
}
