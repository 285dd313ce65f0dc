package falcosim

import (
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestOtherServices(t *testing.T) { // 20
	_, path := startUnix(t, Options{})
	conn := connect(t, path)
	_, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	wantCode(t, err, codes.Unimplemented, "")
	err = conn.Invoke(t.Context(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		&outputs.Request{}, &outputs.Response{})
	wantCode(t, err, codes.Unimplemented, "")
}

func TestPings(t *testing.T) { // 21
	inBubble(t, func(t *testing.T, _ *Server, connect func(...grpc.DialOption) *grpc.ClientConn) {
		conn := connect(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second}))
		defer conn.Close()
		stream := sub(t.Context(), t, conn)
		request(t, stream)
		began := time.Now()
		_, err := stream.Recv()
		wantCode(t, err, codes.Unavailable, "")
		if !strings.Contains(strings.ToLower(err.Error()), "too_many_pings") {
			t.Errorf("got %v, want too_many_pings", err)
		}
		if d := time.Since(began); d < 30*time.Second || d > time.Minute {
			t.Errorf("cut off after %s; Falco did it after 50s", d)
		}
	})
}

func TestInvalidUTF8(t *testing.T) { // 24, 24b
	s, path := startUnix(t, Options{})
	frames := recordedFrames(t, "bad-utf8")
	s.Push(frames...)
	stream, err := outputs.NewServiceClient(connect(t, path)).Get(t.Context(), &outputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := receive(t, stream, -1)
	wantCode(t, err, codes.Internal, "string field contains invalid UTF-8")
	wantRules(t, names, []string{"Read sensitive file untrusted"})

	s.Push(frames...)
	var raw []Frame
	lenient, err := outputs.NewServiceClient(connect(t, path)).Get(t.Context(), &outputs.Request{},
		grpc.ForceCodec(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var frame Frame
		if err := lenient.RecvMsg(&frame); err != nil {
			break
		}
		raw = append(raw, frame)
	}
	if diff := cmp.Diff(frames, raw); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// rawCodec receives messages as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return proto.Marshal(v.(proto.Message)) }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*Frame) = slices.Clone(data)
	return nil
}

func TestVersion(t *testing.T) { // 19b, 25
	_, path := startUnix(t, Options{})
	var got Frame
	err := connect(t, path).Invoke(t.Context(), "/falco.version.service/version", &version.Request{}, &got,
		grpc.ForceCodec(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(recordings + "version.grpc.hex")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(text)); hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", []byte(got), want)
	}
	old, path := startUnix(t, Options{Version: &version.Response{Version: "0.35.0", EngineVersion: 26}})
	v, err := version.NewServiceClient(connect(t, path)).Version(t.Context(), &version.Request{})
	if err != nil || v.GetEngineVersion() != 26 || old.Stats().Versions != 1 {
		t.Errorf("got %v, %v, stats %+v", v, err, old.Stats())
	}
}

func TestHugeFrame(t *testing.T) {
	s, path := startUnix(t, Options{})
	big := protowire.AppendString(protowire.AppendTag(nil, fieldOutput, protowire.BytesType), strings.Repeat("x", 3<<20))
	s.Push(big)
	stream, err := outputs.NewServiceClient(connect(t, path)).Get(t.Context(), &outputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil || len(r.GetOutput()) != 3<<20 {
		t.Errorf("got %d bytes, %v", len(r.GetOutput()), err)
	}
}
