package source

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/version"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/sink"
)

func TestGRPC(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		t.Run(mode, func(t *testing.T) {
			testSource(t, func(t *testing.T) harness {
				f := startFalco(t)
				return harness{
					open: func(t *testing.T, env Env) Source { return openGRPC(t, f.config(mode), env) },
					feed: func(t *testing.T, lines ...string) {
						for _, line := range lines {
							if err := f.PushJSON([]byte(line)); err != nil {
								t.Error(err)
							}
						}
					},
					spoil: func(*testing.T) { f.Push(falcosim.Frame("\xff")) },
				}
			})
		})
	}
}

// A simFalco is a simulated Falco on a unix socket of its own.
type simFalco struct {
	*falcosim.Server
	path string
}

func startFalco(t testing.TB) *simFalco {
	t.Helper()
	f := &simFalco{falcosim.New(falcosim.Options{Threadiness: 2}), filepath.Join(t.TempDir(), "falco.sock")}
	f.start(t)
	t.Cleanup(f.Abort)
	return f
}

func (f *simFalco) start(t testing.TB) {
	t.Helper()
	if err := f.ListenUnix(f.path); err != nil {
		t.Fatal(err)
	}
}

func (f *simFalco) config(mode string) GRPCConfig {
	return GRPCConfig{Address: "unix://" + f.path, Mode: mode, Poll: time.Millisecond}
}

func openGRPC(t testing.TB, c GRPCConfig, env Env) *GRPC {
	t.Helper()
	g, err := OpenGRPC(c, env)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A taker is a handle that keeps the rules of the alerts it was given.
type taker struct {
	mu    sync.Mutex
	rules []string
	came  chan struct{} // gets one whenever alerts came
}

func newTaker() *taker { return &taker{came: make(chan struct{}, 1)} }

func (k *taker) handle(_ context.Context, events []event.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range events {
		k.rules = append(k.rules, events[i].Rule)
	}
	select {
	case k.came <- struct{}{}:
	default:
	}
	return nil
}

func (k *taker) taken() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.rules)
}

// wait returns once n alerts have come.
func (k *taker) wait(t *testing.T, n int) []string {
	t.Helper()
	late := time.After(patience)
	for {
		if rules := k.taken(); len(rules) >= n {
			return rules
		}
		select {
		case <-k.came:
		case <-late:
			t.Fatalf("%d of %d alerts came", len(k.taken()), n)
		}
	}
}

// run runs g until stop is called, or the test ends.
func run(t *testing.T, g *GRPC, handle Handle) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

// noLeak fails the test if a goroutine of its own outlives it. It must be called first.
func noLeak(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func wantRules(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("alerts (-want +got):\n%s", diff)
	}
}

func TestGRPCConfigValidate(t *testing.T) {
	full := sink.TLS{CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem"}
	tests := []struct {
		address string
		tls     sink.TLS
		want    string
	}{
		{"unix:///run/falco/falco.sock", sink.TLS{}, ""},
		{"unix:/run/falco/falco.sock", sink.TLS{}, ""},
		{"unix://run/falco.sock", sink.TLS{}, "address: want unix:///path"},
		{"/run/falco/falco.sock", sink.TLS{}, "address: want unix:///path or host:port"},
		{"falco.example", full, "address: want unix:///path or host:port"},
		{":5060", full, "address: want unix:///path or host:port"},
		{"", sink.TLS{}, "address: want unix:///path or host:port"},
		{"falco.example:5060", full, ""},
		{"[::1]:5060", sink.TLS{CAFile: "ca.pem"}, ""},
		{"falco.example:5060", sink.TLS{}, "tls: missing"},
		{"falco.example:5060", sink.TLS{CertFile: "cert.pem"}, "go together"},
		{"unix:///run/falco/falco.sock", full, "leave it out"},
	}
	for _, tt := range tests {
		c := DefaultGRPCConfig()
		c.Address, c.TLS = tt.address, tt.tls
		err := c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %+v: got %v, want %q", tt.address, tt.tls, err, tt.want)
		}
	}
	if _, err := OpenGRPC(GRPCConfig{}, testEnv(t)); err == nil {
		t.Error("an empty configuration was opened")
	}
	c := DefaultGRPCConfig()
	c.Address, c.TLS = "falco.example:5060", full
	if _, err := OpenGRPC(c, testEnv(t)); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("missing files: got %v", err)
	}
}

func TestGRPCProbe(t *testing.T) {
	noLeak(t)
	f := startFalco(t)
	if err := f.PushJSON([]byte(alertLines(0, 1)[0])); err != nil {
		t.Fatal(err)
	}
	g := openGRPC(t, f.config("get"), testEnv(t))
	if err := g.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if peer := g.Status().Peer; peer != "Falco 0.43.1 (engine 0.58.0)" {
		t.Errorf("peer %q", peer)
	}
	if got, want := f.Stats(), (falcosim.Stats{Queued: 1, Versions: 1}); got != want {
		t.Errorf("the probe did more than ask for the version: %+v", got)
	}
	f.Abort()
	if err := g.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody listens on "+f.path) {
		t.Errorf("got %v", err)
	}
}

func TestDescribeVersion(t *testing.T) {
	old := &version.Response{Version: "0.35.1", EngineVersion: 26}
	if got := describe(old); got != "Falco 0.35.1 (engine 26)" {
		t.Errorf("got %q", got)
	}
}

// TestGRPCNotStored is about a store that fails for a while: the alerts at hand are kept, none are
// taken from Falco meanwhile, and what is logged is the change.
func TestGRPCNotStored(t *testing.T) {
	for _, mode := range []string{"get", "sub"} {
		t.Run(mode, func(t *testing.T) {
			noLeak(t)
			f := startFalco(t)
			var log logText
			env := testEnv(t)
			env.Log = env.Log.Output(&log)
			g := openGRPC(t, f.config(mode), env)
			k, tries := newTaker(), 0
			failing := make(chan struct{})
			stop := run(t, g, func(ctx context.Context, events []event.Event) error {
				if tries++; tries <= 2 {
					if tries == 1 {
						close(failing)
					}
					if s := g.Status(); tries > 1 && s.LastError != "alerts can not be stored: disk full" {
						t.Errorf("last error %q", s.LastError)
					}
					return errors.New("disk full")
				}
				return k.handle(ctx, events)
			})
			f.Push(numbered(0, 1)...)
			<-failing
			before := f.Stats()
			f.Push(numbered(1, 5)...)
			wantRules(t, k.wait(t, 6), rules(0, 6))
			stop()
			if before.Sent != 1 {
				t.Errorf("%d alerts were taken while none could be stored, want 1", before.Sent)
			}
			if s := g.Status(); s.LastError != "" {
				t.Errorf("last error %q", s.LastError)
			}
			if n := log.count("alerts can not be stored"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, &log)
			}
			if log.count("alerts can be stored again") != 1 {
				t.Errorf("the recovery was not logged:\n%s", &log)
			}
		})
	}
}

// A logText is a log to look into.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logText) count(what string) int { return strings.Count(l.String(), what) }
