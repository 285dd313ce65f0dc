package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/pkg/sink"
)

// TestExplainGRPC has the texts that a client met with a recorded Falco, and what else may come.
// What a connection can show is in the tests of TLS, of restarts and of Probe.
func TestExplainGRPC(t *testing.T) {
	unix := GRPCConfig{Address: "unix:///run/falco/falco.sock"}
	bare := GRPCConfig{Address: "falco.example:5060", TLS: sink.TLS{CAFile: "ca.pem"}}
	full := GRPCConfig{Address: "falco.example:5060", TLS: sink.TLS{CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "c.key"}}
	unavailable := func(text string) error { return status.Error(codes.Unavailable, text) }
	dial := func(cause error) error {
		err := &net.OpError{Op: "dial", Net: "unix", Err: cause}
		return &connectionError{unavailable("connection error: desc = \"transport: Error while dialing: ...\""), err}
	}
	tests := []struct {
		name   string
		config GRPCConfig
		err    error
		want   string
	}{
		{"no socket", unix, dial(syscall.ENOENT), "no socket at /run/falco/falco.sock: Falco is not running; or its gRPC output " +
			"is off (falco.yaml: grpc.enabled: true and grpc_output.enabled: true); or it is Falco 0.44 or later, which has no " +
			"gRPC output: then use a source of type falco_http and Falco's http_output (dial unix: no such file or directory)"},
		{"no permission", unix, dial(syscall.EACCES), "no permission to connect to /run/falco/falco.sock: Falco makes its socket " +
			"with mode 0755 for root alone; run as root, or after each start of Falco give the socket a group that may write " +
			"(dial unix: permission denied)"},
		{"stale socket", unix, dial(syscall.ECONNREFUSED), "nobody listens on /run/falco/falco.sock: Falco was killed and left " +
			"its socket, or is starting (dial unix: connection refused)"},
		{"closed port", full, dial(syscall.ECONNREFUSED), "nobody listens on falco.example:5060: Falco is not running"},
		{"no such host", full, dial(&net.DNSError{Err: "no such host", Name: "falco.example"}), "the name of falco.example:5060 can not be resolved"},
		{"26", bare, unavailable("write tcp 127.0.0.1:38808->127.0.0.1:5060: write: broken pipe"), "shows no certificate: set tls.cert_file and tls.key_file"},
		{"27", full, unavailable("connection error: desc = \"error reading server preface: EOF\""), "no authority in its grpc.root_certs has signed"},
		{"31", unix, unavailable("connection error: desc = \"error reading server preface: EOF\""), "or it wants TLS"},
		{"18", unix, unavailable("connection error: desc = \"error reading server preface: read unix @->SOCKET: read: connection reset by peer\""), "Falco is starting or stopping"},
		{"18b", unix, unavailable("error reading from server: EOF"), "the connection to /run/falco/falco.sock broke: Falco stopped"},
		{"alert of a proxy", full, unavailable("error reading server preface: remote error: tls: certificate required"), "Falco's log has the reason"},
		{"20", unix, status.Error(codes.Unimplemented, ""), "/run/falco/falco.sock speaks gRPC but has no falco.outputs.service: it is not Falco, or one older than 0.24"},
		{"21", full, unavailable("Too many pings"), "too many pings"},
		{"21b", full, unavailable("closing transport due to: ... received prior goaway: code: ENHANCE_YOUR_CALM, debug data: \"too_many_pings\""), "too many pings"},
		{"refused", full, status.Error(codes.PermissionDenied, "no"), "falco.example:5060 refuses this client"},
		{"unauthenticated", full, status.Error(codes.Unauthenticated, "who"), "asks for authorization (who)"},
		{"slow", full, status.Error(codes.DeadlineExceeded, "x"), "falco.example:5060 does not answer"},
		{"slow, by context", full, context.DeadlineExceeded, "falco.example:5060 does not answer"},
		{"slow dial", full, dial(context.DeadlineExceeded), "falco.example:5060 does not answer"},
		{"no route", full, dial(syscall.EHOSTUNREACH), "falco.example:5060 can not be reached (dial unix: no route to host)"},
		{"reload", unix, errEnded, "Falco ended the stream: it reloads its configuration or stops"},
		{"hung", unix, fmt.Errorf("get: %w", errHung), "Falco hangs"},
		{"anything else", unix, status.Error(codes.ResourceExhausted, "too large"), "Falco at /run/falco/falco.sock failed with ResourceExhausted (too large)"},
		{"no status", unix, errors.New("odd"), "Falco at /run/falco/falco.sock failed with Unknown (odd)"},
	}
	for _, tt := range tests {
		got := ExplainGRPC(tt.err, tt.config)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, tt.want)
		}
		if strings.Contains(got, "\n") {
			t.Errorf("%s: more than one line: %q", tt.name, got)
		}
	}
}

// TestExplainIsPrintable: whoever answers in Falco's place does not get at the terminal.
func TestExplainIsPrintable(t *testing.T) {
	text := ExplainGRPC(status.Error(codes.Internal, "a \x1b[2J\nb \u202e"), DefaultGRPCConfig())
	if !strings.HasSuffix(text, "(a \ufffd[2J\ufffdb \ufffd)") {
		t.Errorf("%q", text)
	}
	if got := describe(&version.Response{Version: "0.43\x1b[2J"}); got != "Falco 0.43\ufffd[2J (engine 0)" {
		t.Errorf("%q", got)
	}
}
