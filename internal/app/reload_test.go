package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/internal/testca"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// reloadable is a daemon in this process that has its configuration from a file.
type reloadable struct {
	*fixture
	file    string
	hangup  chan os.Signal
	places  map[string]*place
	environ map[string]string
}

// place is a receiver of posts.
type place struct {
	url  string
	hold chan struct{} // answers wait until it closes; nil for at once
	mu   sync.Mutex
	ids  []string
}

func newPlace(t *testing.T) *place {
	p := new(place)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var got struct{ ID string }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		p.ids = append(p.ids, got.ID)
		hold := p.hold
		p.mu.Unlock()
		if hold != nil {
			<-hold
		}
	}))
	t.Cleanup(web.Close)
	p.url = web.URL
	return p
}

func (p *place) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ids)
}

// newReloadable starts a daemon with these sections of a configuration. In them URL_A and URL_B are
// receivers.
func newReloadable(t *testing.T, sections string) *reloadable {
	t.Helper()
	return newReloadableOf(t, sinks.Builtin(), sections)
}

// newReloadableOf is newReloadable with other kinds of sinks.
func newReloadableOf(t *testing.T, kinds *sink.Registry, sections string) *reloadable {
	t.Helper()
	dir := t.TempDir()
	r := &reloadable{
		fixture: &fixture{t: t, logs: new(lockedBuffer), reports: map[string]report.Report{}},
		file:    filepath.Join(dir, "config.yaml"), hangup: make(chan os.Signal),
		places: map[string]*place{"URL_A": newPlace(t), "URL_B": newPlace(t)},
	}
	head := fmt.Sprintf("data_dir: %s\nhttp: {listen: ''}\ngrouping: {enabled: false}\nsources:\n  hook: {type: falco_http, listen: '127.0.0.1:0'}\n", filepath.Join(dir, "data"))
	r.environ = map[string]string{"HEAD": head}
	r.write(sections)
	env := testEnv(t)
	env.Sinks = kinds
	load := func() (*config.Config, error) { return config.Load(r.file, env) }
	conf, err := load()
	if err != nil {
		t.Fatal(err)
	}
	r.app, err = New(t.Context(), Options{
		Config: conf, Version: "test", Stdout: io.Discard, Log: zerolog.New(r.logs), Load: load, Hangup: r.hangup,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.run()
	return r
}

func (r *reloadable) write(sections string) {
	r.t.Helper()
	text := r.environ["HEAD"] + sections
	for name, p := range r.places {
		text = strings.ReplaceAll(text, name, p.url)
	}
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// post sends alerts, each of which makes a report, and returns their IDs.
func (r *reloadable) post(from, to int) (ids []string) {
	r.t.Helper()
	var body bytes.Buffer
	for n := from; n <= to; n++ {
		body.WriteString(shortMatch(n) + "\n")
	}
	before := r.app.store.LastSeq()
	resp, err := http.Post("http://"+r.address("hook"), "application/json", &body) //nolint:noctx // of this test
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.t.Fatal(resp.Status)
	}
	records, _, err := r.app.store.ReadNow(r.t.Context(), before, to-from+1)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, record := range records {
		ids = append(ids, record.ID)
	}
	return ids
}

func (r *reloadable) reload(sections string) (Reloaded, error) {
	r.t.Helper()
	r.write(sections)
	return r.app.Reload(r.t.Context(), "a test")
}

func (r *reloadable) mustReload(sections string) Reloaded {
	r.t.Helper()
	did, err := r.reload(sections)
	if err != nil {
		r.t.Fatal(err)
	}
	return did
}

// awaits waits until the place has these, in whatever order, and nothing else.
func (r *reloadable) awaits(name string, ids ...string) {
	r.t.Helper()
	slices.Sort(ids)
	var got []string
	r.waitFor(name, func() bool {
		got = r.places[name].got()
		return len(got) >= len(ids)
	})
	slices.Sort(got)
	if diff := cmp.Diff(ids, got); diff != "" {
		r.t.Errorf("%s: %s", name, diff)
	}
}

// metrics counts the series that say something of a sink.
func (r *reloadable) seriesOf(sink string) (n int) {
	r.t.Helper()
	families, err := r.app.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "sink" && l.GetValue() == sink {
					n++
				}
			}
		}
	}
	return n
}

func TestReloadChangesSinks(t *testing.T) {
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A}\n")
	first := r.post(1, 3)
	r.awaits("URL_A", first...)

	did := r.mustReload("sinks:\n  soc: {type: webhook, url: URL_B}\n")
	if diff := cmp.Diff([]string{"sinks.soc"}, did.Changed); diff != "" || did.Outcome != "applied" || did.Hash == "" || did.File != r.file {
		t.Errorf("%+v %s", did, diff)
	}
	second := r.post(4, 6)
	r.awaits("URL_B", second...)

	// One more, one that goes, and another policy for one that stays.
	did = r.mustReload("sinks:\n  more: {type: webhook, url: URL_A}\n  soc: {type: webhook, url: URL_B, when: 'score > 100'}\n")
	if diff := cmp.Diff([]string{"sinks.more", "sinks.soc"}, did.Changed); diff != "" {
		t.Error(diff)
	}
	third := r.post(7, 9)
	r.awaits("URL_A", append(first, third...)...)
	r.awaits("URL_B", second...)
	did = r.mustReload("sinks:\n  more: {type: webhook, url: URL_A}\n")
	if diff := cmp.Diff([]string{"sinks.soc"}, did.Changed); diff != "" {
		t.Error(diff)
	}
	if n := r.seriesOf("soc"); n > 0 || r.seriesOf("more") == 0 {
		t.Errorf("%d series of a sink that is no more, %d of the other", n, r.seriesOf("more"))
	}
	if did := r.mustReload("sinks:\n  # said otherwise\n  more:\n    type: webhook\n    url: URL_A\n"); did.Outcome != "unchanged" || len(did.Changed) > 0 {
		t.Errorf("%+v", did)
	}
	fourth := r.post(10, 12)
	// A sink that comes back goes on where it was.
	r.mustReload("sinks:\n  soc: {type: webhook, url: URL_B}\n")
	r.awaits("URL_B", slices.Concat(second, fourth)...)
	r.awaits("URL_A", slices.Concat(first, third, fourth)...)
	for outcome, want := range map[string]float64{"applied": 4, "unchanged": 1, "rejected": 0} {
		if got := r.counter("filelessd_config_reloads_total", "outcome", outcome); got != want {
			t.Errorf("%v %s, want %v", got, outcome, want)
		}
	}
}

// TestReloadUnderWay: what is under way when its sink is replaced or removed comes to its end, once.
func TestReloadUnderWay(t *testing.T) {
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A, concurrency: 2}\n")
	hold := make(chan struct{})
	answer := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(answer)
	r.places["URL_A"].hold = hold
	before := r.app.workers.of("soc").sink
	ids := r.post(1, 6)
	r.waitFor("two under way", func() bool { return len(r.places["URL_A"].got()) == 2 })
	r.write("sinks:\n  soc: {type: webhook, url: URL_B}\n")
	done := make(chan error, 1)
	go func() {
		_, err := r.app.Reload(t.Context(), "a test")
		done <- err
	}()
	r.waitFor("the new configuration in force", func() bool { return r.app.workers.of("soc").sink != before })
	if got := r.places["URL_B"].got(); len(got) > 0 {
		t.Errorf("%d came to the new place while the old one was busy", len(got))
	}
	answer()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.waitFor("the rest", func() bool { return len(r.places["URL_B"].got()) == 4 })
	got := slices.Concat(r.places["URL_A"].got(), r.places["URL_B"].got())
	slices.Sort(got)
	slices.Sort(ids)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
}

// TestReloadRejected: one mistake, wherever it is, and nothing of a configuration is taken over.
func TestReloadRejected(t *testing.T) {
	good := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, good)
	before := r.app.reloads.status()
	for name, c := range map[string]struct{ sections, want string }{
		"no YAML":     {"sinks: [", "config.yaml:6"},
		"unknown key": {"sinks:\n  soc: {type: webhook, url: URL_B, secert: x}\n", "unknown key"},
		"no sinks":    {"", "there are no sinks"},
		"expression":  {"sinks:\n  soc: {type: webhook, url: URL_B, when: 'severty > low'}\n", "severty"},
		"rule":        {"match: {rules: [{id: x, technique: memfd_exec, when: 'nope', reason: r}]}\n" + good, "nope"},
		"opens not":   {"sinks:\n  a: {type: file, path: DIR/reports.jsonl}\n  soc: {type: webhook, url: URL_B, tls: {ca_file: /does/not/exist}}\n", "/does/not/exist"},
	} {
		_, err := r.reload(strings.ReplaceAll(c.sections, "DIR", t.TempDir()))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got := r.counter("filelessd_config_last_reload_successful"); got != 0 {
			t.Errorf("%s: successful: %v", name, got)
		}
		after := r.app.reloads.status()
		if after.Hash != before.Hash || after.Outcome != "rejected" || !strings.Contains(after.Error, c.want) {
			t.Errorf("%s: %+v", name, after)
		}
	}
	r.awaits("URL_A", r.post(1, 3)...)
	if got := r.places["URL_B"].got(); len(got) > 0 || len(r.app.workers.all()) != 1 {
		t.Errorf("a part of a rejected configuration is in force: %d posts", len(got))
	}
	if got := r.counter("filelessd_config_info", "hash", before.Hash); got != 1 {
		t.Errorf("the hash of the last good one: %v", got)
	}
	if did := r.mustReload(good); did.Outcome != "unchanged" || r.counter("filelessd_config_last_reload_successful") != 1 {
		t.Errorf("%+v", did)
	}
	if s := r.app.reloads.status(); s.Error != "" || s.Outcome != "unchanged" {
		t.Errorf("%+v", s)
	}
}

type talkativeConfig struct {
	Token sink.Secret `yaml:"token"`
}

func (talkativeConfig) Validate() error { return nil }

// TestReloadShowsNoSecret: what a sink says of why it does not open goes to many places.
func TestReloadShowsNoSecret(t *testing.T) {
	kinds := sinks.Builtin()
	sink.Register(kinds, sink.Kind[talkativeConfig]{
		Name: "talkative", Summary: "says too much", Default: func() talkativeConfig { return talkativeConfig{} },
		Open: func(_ context.Context, c talkativeConfig, _ sink.Env) (sink.Sink, error) {
			return nil, fmt.Errorf("this is no token: %s", string(c.Token))
		},
	})
	good := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadableOf(t, kinds, good)
	_, err := r.reload(good + "  x: {type: talkative, token: hush-hush}\n")
	if err == nil || !strings.Contains(err.Error(), "sink x: this is no token") || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
	if status := fmt.Sprintf("%+v", r.app.reloads.status()); strings.Contains(status, "hush") || strings.Contains(r.logs.String(), "hush") {
		t.Error(status, r.logs)
	}
}

// TestReloadRules: alerts are judged by the new rules, those of the log by the old ones.
func TestReloadRules(t *testing.T) {
	sinks := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, sinks)
	send := func(rule string) int {
		body := fmt.Sprintf(`{"rule":%q,"time":"2026-11-01T00:00:00Z","output_fields":{"evt.type":"open"}}`, rule)
		resp, err := http.Post("http://"+r.address("hook"), "application/json", strings.NewReader(body)) //nolint:noctx // of this test
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return int(r.app.store.LastSeq())
	}
	if n := send("Odd loader"); n != 0 {
		t.Fatalf("%d reports without a rule for it", n)
	}
	did := r.mustReload("match: {rules: [{id: odd, technique: memfd_exec, when: 'rule == \"Odd loader\"', reason: odd}]}\n" + sinks)
	if diff := cmp.Diff([]string{"match"}, did.Changed); diff != "" {
		t.Error(diff)
	}
	if n := send("Odd loader"); n != 1 {
		t.Errorf("%d reports by the new rule", n)
	}
}

// TestReloadCertificates: a listener shows what its files hold since the last reload, and goes on with what it
// had if they are broken.
func TestReloadCertificates(t *testing.T) {
	ca := testca.New(t, t.TempDir(), "ca")
	ca.Issue(t, "server")
	sections := fmt.Sprintf("grpc: {listen: '127.0.0.1:0', tls: {cert_file: %s, key_file: %s}}\n", ca.File("server.pem"), ca.File("server.key")) +
		"sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, sections)
	served := func() []byte {
		t.Helper()
		conn, err := tls.Dial("tcp", r.app.reports.Addr().String(), &tls.Config{RootCAs: ca.Pool(), NextProtos: []string{"h2"}}) //nolint:noctx // of this test
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("the protocol is %q", got)
		}
		return conn.ConnectionState().PeerCertificates[0].Raw
	}
	first := served()
	if did := r.mustReload(sections); did.Outcome != "unchanged" {
		t.Errorf("%+v", did)
	}
	renewed := ca.Issue(t, "server").Certificate[0]
	if got := served(); !bytes.Equal(got, first) {
		t.Error("a certificate came into force without a reload")
	}
	if diff := cmp.Diff([]string{"certificate of 127.0.0.1:0"}, r.mustReload(sections).Changed); diff != "" {
		t.Error(diff)
	}
	if got := served(); !bytes.Equal(got, renewed) {
		t.Error("the renewed certificate is not in force")
	}
	write(t, ca.File("server.pem"), "half a certifi")
	if _, err := r.reload(sections); err == nil || !strings.Contains(err.Error(), ca.File("server.pem")) {
		t.Errorf("a broken certificate: %v", err)
	}
	if got := served(); !bytes.Equal(got, renewed) {
		t.Error("the last good certificate is not in force")
	}
}

// TestReloadOfAnotherListener: a listener that is another now, or none, needs a restart. That its files are gone
// is no mistake of the configuration.
func TestReloadOfAnotherListener(t *testing.T) {
	ca := testca.New(t, t.TempDir(), "ca")
	ca.Issue(t, "server")
	sink := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	sections := fmt.Sprintf("grpc: {listen: '127.0.0.1:0', tls: {cert_file: %s, key_file: %s}}\n", ca.File("server.pem"), ca.File("server.key"))
	r := newReloadable(t, sections+sink)
	for _, name := range []string{"server.pem", "server.key"} {
		if err := os.Rename(ca.File(name), ca.File("moved-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.reload(sections + sink); err == nil {
		t.Error("a certificate that is gone is no mistake")
	}
	moved := strings.ReplaceAll(sections, ca.File("server"), ca.File("moved-server"))
	for _, other := range []string{moved + strings.Replace(sink, "URL_A", "URL_B", 1), sink} {
		did, err := r.reload(other)
		if err != nil || !slices.Equal(did.Restart, []string{"grpc"}) || !slices.Equal(did.Changed, []string{"sinks.soc"}) {
			t.Errorf("with %q: %+v %v", other, did, err)
		}
	}
}

// TestReloadNeedsRestart: what a running daemon keeps is named, until it is what it was.
func TestReloadNeedsRestart(t *testing.T) {
	sections := "drain_timeout: 5s\nsinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, sections)
	head := r.environ["HEAD"]
	r.environ["HEAD"] = strings.Replace(head, "sources:\n", "log: {level: debug}\nsources:\n  file: {type: file, path: /tmp/x}\n", 1)
	did := r.mustReload(strings.Replace(sections, "5s", "7s", 1))
	if diff := cmp.Diff([]string{"log", "sources.file"}, did.Restart); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"drain_timeout"}, did.Changed); diff != "" || r.app.reloads.inForce.Load().DrainTimeout != 7*time.Second {
		t.Error(diff)
	}
	if s := r.app.reloads.status(); len(s.Restart) != 2 {
		t.Errorf("%+v", s)
	}
	r.environ["HEAD"] = head
	if did := r.mustReload(sections); len(did.Restart) > 0 {
		t.Errorf("%+v", did)
	}
}

// TestReloadKeepsTheRoomOfDeadLetters: store.max_bytes needs a restart, and so does what follows from it.
// Less room for dead letters would lose some.
func TestReloadKeepsTheRoomOfDeadLetters(t *testing.T) {
	sections := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, sections)
	before := r.app.workers.of("soc").DeadBytes
	did := r.mustReload("store: {max_bytes: 64MiB}\n" + strings.Replace(sections, "}", ", concurrency: 2}", 1))
	if diff := cmp.Diff([]string{"store"}, did.Restart); diff != "" {
		t.Error(diff)
	}
	if err := r.stop(); err != nil { // the worker's state is the test's now
		t.Fatal(err)
	}
	if w := r.app.workers.of("soc"); w.Policy.Concurrency != 2 || w.DeadBytes != before {
		t.Errorf("concurrency %d, %d bytes for dead letters, %d before", w.Policy.Concurrency, w.DeadBytes, before)
	}
}

func TestHangup(t *testing.T) {
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A}\n")
	r.write("sinks:\n  soc: {type: webhook, url: URL_B}\n")
	r.hangup <- os.Interrupt
	r.waitFor("a reload", func() bool { return r.app.reloads.status().Outcome == "applied" })
	r.awaits("URL_B", r.post(1, 3)...)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.app.Reload(t.Context(), "a test"); err == nil {
		t.Error("a daemon that has stopped reloads")
	}
}
