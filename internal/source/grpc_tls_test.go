package source

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/internal/testca"
	"github.com/filelessd/filelessd/pkg/sink"
)

func TestGRPCMutualTLS(t *testing.T) {
	noLeak(t)
	ours, foreign := testca.New(t, t.TempDir(), "ca"), testca.New(t, t.TempDir(), "ca")
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	falco := falcosim.New(falcosim.Options{})
	if err := falco.ListenTLS("127.0.0.1:0", ours.IssueFor(t, "falco", later, "localhost"), ours.Pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(falco.Abort)
	ours.IssueFor(t, "client", later)
	ours.IssueFor(t, "expired", earlier)
	foreign.IssueFor(t, "client", later)

	stale := falcosim.New(falcosim.Options{})
	if err := stale.ListenTLS("127.0.0.1:0", ours.IssueFor(t, "stale", earlier, "localhost"), ours.Pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stale.Abort)
	plain := falcosim.New(falcosim.Options{})
	if err := plain.Listen(func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Abort)

	good := sink.TLS{
		CAFile: ours.File("ca.pem"), CertFile: ours.File("client.pem"), KeyFile: ours.File("client.key"),
		ServerName: "localhost",
	}
	with := func(change func(*sink.TLS)) sink.TLS {
		c := good
		change(&c)
		return c
	}
	tests := []struct {
		name    string
		server  *falcosim.Server
		tls     sink.TLS
		says    string
		details string
	}{
		{name: "good", server: falco, tls: good},
		{
			name: "no client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = "", "" }),
			says: "shows no certificate: set tls.cert_file and tls.key_file",
		},
		{
			name: "foreign client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = foreign.File("client.pem"), foreign.File("client.key") }),
			says: "no authority in its grpc.root_certs has signed: Falco's log has the reason",
		},
		{
			name: "expired client certificate", server: falco,
			tls:  with(func(c *sink.TLS) { c.CertFile, c.KeyFile = ours.File("expired.pem"), ours.File("expired.key") }),
			says: "tls.cert_file ended at " + earlier.UTC().Format(time.RFC3339),
		},
		{
			name: "wrong authority", server: falco,
			tls:     with(func(c *sink.TLS) { c.CAFile = foreign.File("ca.pem") }),
			says:    "not signed by an authority in tls.ca_file",
			details: "certificate signed by unknown authority",
		},
		{
			name: "wrong server name", server: falco,
			tls:     with(func(c *sink.TLS) { c.ServerName = "falco.example" }),
			says:    "set tls.server_name",
			details: "certificate is valid for localhost, not falco.example",
		},
		{
			name: "server name from the address", server: falco,
			tls:  with(func(c *sink.TLS) { c.ServerName = "" }),
			says: "the certificate of ADDRESS is for another name: set tls.server_name", details: "127.0.0.1",
		},
		{
			name: "expired server certificate", server: stale, tls: good,
			says: "has expired or is not valid yet", details: "expired",
		},
		{
			name: "server without TLS", server: plain, tls: good,
			says: "does not speak TLS", details: "first record does not look like a TLS handshake",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := tt.server.Addr().String()
			c := GRPCConfig{Address: address, Mode: "get", Poll: time.Millisecond, TLS: tt.tls}
			err := openGRPC(t, c, testEnv(t)).Probe(t.Context())
			if tt.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			says := strings.ReplaceAll(tt.says, "ADDRESS", address)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), tt.details) {
				t.Errorf("got  %v\nwant %q, %q", err, says, tt.details)
			}
		})
	}

	// Alerts come over it too, in both modes.
	for _, mode := range []string{"get", "sub"} {
		k := newTaker()
		c := GRPCConfig{Address: falco.Addr().String(), Mode: mode, Poll: time.Millisecond, TLS: good}
		stop := run(t, openGRPC(t, c, testEnv(t)), k.handle)
		falco.Push(numbered(0, 500)...)
		wantRules(t, k.wait(t, 500), rules(0, 500))
		stop()
	}
}

// TestGRPCPlainAgainstTLS has a client without TLS meet a server with it.
func TestGRPCPlainAgainstTLS(t *testing.T) {
	a := testca.New(t, t.TempDir(), "ca")
	falco := falcosim.New(falcosim.Options{})
	if err := falco.ListenTLS("127.0.0.1:0", a.IssueFor(t, "falco", time.Now().Add(time.Hour), "localhost"), a.Pool()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(falco.Abort)
	g := openGRPC(t, DefaultGRPCConfig(), testEnv(t))
	g.dial = func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", falco.Addr().String())
	}
	err := g.Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "or it wants TLS") {
		t.Errorf("got %v", err)
	}
}
