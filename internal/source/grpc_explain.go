package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/pkg/sink"
)

// A connectionError is what gRPC says of a connection that could not be made, with the error that
// it says it of: gRPC keeps only its text.
type connectionError struct{ status, cause error }

func (e *connectionError) Error() string   { return e.cause.Error() }
func (e *connectionError) Unwrap() []error { return []error{e.status, e.cause} }

// ExplainGRPC turns err, met with a Falco at c.Address, into a sentence that says what is probably
// wrong and what to do, and then what was met exactly.
func ExplainGRPC(err error, c GRPCConfig) string {
	why := explainGRPC(err, c)
	text := status.Convert(err).Message()
	if text == "" {
		return why
	}
	return why + " (" + printable(text) + ")"
}

// printable is text without what moves a terminal's cursor: it is the other side's, and check and the
// log for people show it as it stands.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// explainGRPC is the part of ExplainGRPC that stays the same while the trouble does.
func explainGRPC(err error, c GRPCConfig) string {
	network, address, _ := c.endpoint()
	switch {
	case errors.Is(err, errEnded):
		return "Falco ended the stream: it reloads its configuration or stops"
	case errors.Is(err, errHung):
		return "Falco hangs: it neither sent an alert nor ended the call"
	}
	if why := explainTLS(err, address); why != "" {
		return why
	}
	if why := explainDial(err, network, address); why != "" {
		return why
	}
	return explainStatus(err, c, address)
}

// explainDial is about connections that could not be made.
func explainDial(err error, network, address string) string {
	var (
		dns  *net.DNSError
		slow net.Error
		dial *net.OpError
	)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no socket at " + address + ": Falco is not running; or its gRPC output is off " +
			"(falco.yaml: grpc.enabled: true and grpc_output.enabled: true); or it is Falco 0.44 or " +
			"later, which has no gRPC output: then use a source of type falco_http and Falco's http_output"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to connect to " + address + ": Falco makes its socket with mode 0755 for " +
			"root alone; run as root, or after each start of Falco give the socket a group that may write"
	case errors.Is(err, syscall.ECONNREFUSED) && network == "unix":
		return "nobody listens on " + address + ": Falco was killed and left its socket, or is starting"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens on " + address + ": Falco is not running, its gRPC output is off " +
			"(falco.yaml: grpc.enabled, grpc.bind_address, grpc_output.enabled), or it is Falco 0.44 or " +
			"later, which has no gRPC output: then use a source of type falco_http"
	case errors.As(err, &dns):
		return "the name of " + address + " can not be resolved"
	case errors.As(err, &slow) && slow.Timeout():
		return address + " does not answer"
	case errors.As(err, &dial) && dial.Op == "dial":
		return address + " can not be reached"
	}
	return ""
}

// explainTLS is about handshakes that this side ended.
func explainTLS(err error, address string) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		plain     tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "the certificate of " + address + " is not signed by an authority in tls.ca_file: that must " +
			"hold the authority of Falco's grpc.cert_chain"
	case errors.As(err, &name):
		return "the certificate of " + address + " is for another name: set tls.server_name to one that it has"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of " + address + " has expired or is not valid yet: renew Falco's grpc.cert_chain, " +
			"or set the clock right"
	case errors.As(err, &invalid):
		return "the certificate of " + address + " is not acceptable"
	case errors.As(err, &plain):
		return address + " does not speak TLS: it is not Falco's gRPC port"
	}
	return ""
}

// explainStatus is about what the other side said, or did not say.
func explainStatus(err error, c GRPCConfig, address string) string {
	code, text := status.Code(err), strings.ToLower(err.Error())
	switch code {
	case codes.Unimplemented:
		return address + " speaks gRPC but has no falco.outputs.service: it is not Falco, or one older than 0.24"
	case codes.PermissionDenied, codes.Unauthenticated:
		return address + " refuses this client: something between here and Falco asks for authorization"
	case codes.DeadlineExceeded:
		return address + " does not answer"
	case codes.Unavailable:
		switch {
		case strings.Contains(text, "too many pings") || strings.Contains(text, "too_many_pings"):
			return "Falco cut the connection because of too many pings: a proxy on the way sends keepalive pings"
		case refused(text):
			return explainRefusal(c, address)
		}
		return "the connection to " + address + " broke: Falco stopped, or the network is down"
	}
	return fmt.Sprintf("Falco at %s failed with %s", address, code)
}

// refused reports whether text is how gRPC tells that the other side closed a new connection. Under
// TLS 1.3 the handshake is over for the client before the server has looked at its certificate, so
// a refusal meets the first read or write after it.
func refused(text string) bool {
	return strings.Contains(text, "error reading server preface") ||
		strings.Contains(text, "broken pipe") || strings.Contains(text, "remote error: tls:")
}

func explainRefusal(c GRPCConfig, address string) string {
	at := address + " closed the connection without a reason, as Falco does "
	switch expired := expiry(c); {
	case c.TLS == sink.TLS{}:
		return address + " closed a new connection: Falco is starting or stopping, or this is not its gRPC " +
			"socket, or it wants TLS"
	case c.TLS.CertFile == "":
		return at + "with a client that shows no certificate: set tls.cert_file and tls.key_file"
	case !expired.IsZero():
		return at + "with an expired client certificate: tls.cert_file ended at " + expired.Format(time.RFC3339)
	}
	return at + "with a client certificate that no authority in its grpc.root_certs has signed: " +
		"Falco's log has the reason"
}

// expiry returns when the client certificate ended, if it did.
func expiry(c GRPCConfig) time.Time {
	cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil || cert.Leaf == nil || time.Now().Before(cert.Leaf.NotAfter) {
		return time.Time{}
	}
	return cert.Leaf.NotAfter.UTC()
}
