package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordings are what a real Falco 0.43.1 wrote.
const recordings = "../../examples/alerts/"

// fixture is a daemon in this process with a webhook.
type fixture struct {
	t    *testing.T
	app  *App
	stop func() error
	logs *lockedBuffer

	mu      sync.Mutex
	reports map[string]report.Report
	bodies  []string // as they came
	posts   int
	refuses bool // answer 500
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newFixture starts a daemon with these sources, as YAML.
func newFixture(t *testing.T, sources string) *fixture {
	t.Helper()
	return newFixtureIn(t, t.TempDir(), sources)
}

func newFixtureIn(t *testing.T, dataDir, sources string) *fixture {
	t.Helper()
	f := &fixture{t: t, logs: new(lockedBuffer), reports: map[string]report.Report{}}
	web := httptest.NewServer(http.HandlerFunc(f.receive))
	t.Cleanup(web.Close)
	text := fmt.Sprintf("data_dir: %s\nhttp: {listen: ''}\ngrouping: {enabled: false}\nsources:\n%s\nsinks:\n  soc: {type: webhook, url: %s}\n", dataDir, sources, web.URL)
	f.app = newApp(t, text, zerolog.New(f.logs))
	f.run()
	return f
}

// run runs the daemon until the test ends, or f.stop is called.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.app.Run(ctx) }()
	f.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	f.t.Cleanup(func() {
		if err := f.stop(); err != nil {
			f.t.Error(err)
		}
		if f.t.Failed() {
			f.t.Log(f.logs.String())
		}
	})
}

// newApp builds a daemon from the text of a configuration.
func newApp(t *testing.T, text string, log zerolog.Logger) *App {
	t.Helper()
	conf, err := config.Parse("test.yaml", []byte(text), testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: conf, Version: "test", Stdout: io.Discard, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// testEnv is what configurations of tests are read with.
func testEnv(t *testing.T) config.Env {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	env := config.Env{Sinks: sinks.Builtin(), Lookup: os.LookupEnv, Now: time.Now()}
	for _, tech := range base.Techniques {
		env.Techniques = append(env.Techniques, string(tech.ID))
	}
	return env
}

func (f *fixture) receive(w http.ResponseWriter, req *http.Request) {
	var r report.Report
	body, err := io.ReadAll(req.Body)
	if err = errors.Join(err, json.Unmarshal(body, &r)); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	f.posts++
	f.bodies = append(f.bodies, string(body))
	f.reports[r.ID] = r
}

func (f *fixture) raw() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.bodies)
}

func (f *fixture) received() map[string]report.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]report.Report{}
	for id, r := range f.reports {
		all[id] = r
	}
	return all
}

func (f *fixture) waitFor(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			f.t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// counter reads a metric: its name, then pairs of label and value.
func (f *fixture) counter(name string, labels ...string) float64 {
	f.t.Helper()
	families, err := f.app.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			match := true
			for i := 0; i < len(labels); i += 2 {
				has := false
				for _, l := range m.GetLabel() {
					has = has || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				match = match && has
			}
			if match {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	f.t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func recordedLines(t *testing.T, name string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(recordings + name + ".file-output.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(data), []byte("\n"))
}

func recordedFrames(t *testing.T, name string) []falcosim.Frame {
	t.Helper()
	file, err := os.Open(recordings + name + ".grpc.frames")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	frames, err := falcosim.ReadFrames(file)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// TestOneAlertOnThreeRoads: what a real Falco sent over gRPC, and wrote as JSON, comes over gRPC,
// HTTP and a file, and makes one report each.
func TestOneAlertOnThreeRoads(t *testing.T) {
	dir := t.TempDir()
	falco := falcosim.New(falcosim.Options{})
	socket, path := filepath.Join(dir, "falco.sock"), filepath.Join(dir, "events.json")
	if err := falco.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	defer falco.Abort()
	f := newFixture(t, fmt.Sprintf(`
  grpc: {type: falco_grpc, address: "unix://%s", poll: 5ms}
  http: {type: falco_http, listen: "127.0.0.1:0"}
  file: {type: file, path: %q, from: beginning}
`, socket, path))

	recordingNames := []string{"stable-rules", "enriched", "containers", "sub", "internal-drop", "internal-metrics", "mtls"}
	want := map[string]bool{}
	alerts, matching, frames := 0, 0, 0
	hook := falcosim.HTTPOutput{URL: "http://" + f.address("http") + "/falco"}
	defer hook.Close()
	file := falcosim.FileOutput{Path: path}
	for _, name := range recordingNames {
		recorded := recordedFrames(t, name)
		frames += len(recorded)
		falco.Push(recorded...)
		for _, line := range recordedLines(t, name) {
			alerts++
			e, err := event.Parse(line, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if hits := f.app.intake.rules.Load().set.Match(&e); len(hits) > 0 {
				matching++
				want[e.ID()] = true
			}
			if err := hook.Send(t.Context(), line); err != nil {
				t.Fatal(err)
			}
			if err := file.Write(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.waitFor("all roads", func() bool {
		return f.counter("filelessd_alerts_received_total", "source", "grpc") == float64(frames) &&
			f.counter("filelessd_alerts_received_total", "source", "http") == float64(alerts) &&
			f.counter("filelessd_alerts_received_total", "source", "file") == float64(alerts)
	})
	f.waitFor("all reports", func() bool { return len(f.received()) >= len(want) })
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	got := f.received()
	for id := range want {
		if _, ok := got[id]; !ok {
			t.Errorf("%s is missing", id)
		}
	}
	if len(got) != len(want) || f.posts != len(want) {
		t.Errorf("%d reports in %d posts, want %d", len(got), f.posts, len(want))
	}
	duplicates := 0.
	for _, name := range []string{"grpc", "http", "file"} {
		duplicates += f.counter("filelessd_alerts_duplicate_total", "source", name)
	}
	if want := float64(3*matching - len(want)); duplicates != want {
		t.Errorf("%v repeats, want %v", duplicates, want)
	}
}

// address is where a source of type falco_http listens.
func (f *fixture) address(name string) string {
	f.t.Helper()
	for _, s := range f.app.sources {
		if h, ok := s.Source.(*source.HTTP); ok && s.name == name {
			return h.Addr().String()
		}
	}
	f.t.Fatalf("no source %s", name)
	return ""
}

// TestBytesThatAreNotUTF8: a program that puts such bytes into its name costs neither its own alert
// nor those beside it. Recorded with json_output: false; with true, Falco 0.43 exits.
func TestBytesThatAreNotUTF8(t *testing.T) {
	falco := falcosim.New(falcosim.Options{})
	socket := filepath.Join(t.TempDir(), "falco.sock")
	if err := falco.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	defer falco.Abort()
	f := newFixture(t, fmt.Sprintf("  grpc: {type: falco_grpc, address: %q, poll: 5ms}", "unix://"+socket))
	frames := recordedFrames(t, "bad-utf8")
	falco.Push(frames...)
	f.waitFor("five alerts", func() bool { return f.counter("filelessd_alerts_received_total", "source", "grpc") == 5 })
	f.waitFor("two reports", func() bool { return len(f.received()) == 2 })
	marked := 0
	for _, r := range f.received() {
		body, err := report.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		exe, _ := r.Event.Field("proc.exepath")
		if !strings.Contains(exe, "\xff\xfe") {
			continue
		}
		marked++
		if !strings.Contains(string(body), `"invalid_utf8":{"output":"`) || !strings.Contains(string(body), `"output_fields.proc.exepath":"`) {
			t.Errorf("not marked: %s", body)
		}
		if !slices.ContainsFunc(r.Findings, func(x report.Finding) bool {
			return x.ID == "invalid_utf8" && slices.Contains(x.Evidence, "proc.exepath")
		}) {
			t.Errorf("no finding says so: %+v", r.Findings)
		}
	}
	if marked != 1 {
		t.Errorf("%d reports have the bytes, want 1", marked)
	}
}

// TestFileOffsetIsInTheStore: what Falco wrote to its file while the daemon was down is analysed when
// it comes back, and nothing twice.
func TestFileOffsetIsInTheStore(t *testing.T) {
	path, data := filepath.Join(t.TempDir(), "events.json"), t.TempDir()
	out := falcosim.FileOutput{Path: path}
	lines := recordedLines(t, "stable-rules")
	for _, part := range [][][]byte{lines[:5], lines[5:12]} {
		for _, line := range part {
			if err := out.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		f := newFixtureIn(t, data, fmt.Sprintf("  file: {type: file, path: %q, from: beginning}", path))
		f.waitFor("the reports", func() bool { return len(f.received()) == len(part) })
		if err := f.stop(); err != nil {
			t.Fatal(err)
		}
		if got := f.counter("filelessd_alerts_received_total", "source", "file"); got != float64(len(part)) {
			t.Errorf("%v alerts read, want %d", got, len(part))
		}
	}
}

// TestPanicCostsOneAlert: a mistake in our own analysis must not cost the alerts beside it.
func TestPanicCostsOneAlert(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	lines := recordedLines(t, "mtls")
	e, err := event.Parse(lines[0], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	broken := *f.app.intake
	broken.rules = new(atomic.Pointer[rules])
	broken.rules.Store(&rules{set: f.app.intake.rules.Load().set})
	if err := broken.handle(t.Context(), f.app.metrics.ofSource("hook"), []event.Event{e, e}); err != nil {
		t.Fatal(err)
	}
	if got := f.counter("filelessd_lost_total", "reason", "panic"); got != 2 || !strings.Contains(f.logs.String(), e.ID()) {
		t.Errorf("%v lost; log: %s", got, f.logs)
	}
}
