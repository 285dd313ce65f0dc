package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Each kind is in the list, and its example is a configuration that check has nothing against.
func TestSinkExamples(t *testing.T) {
	list := decode[[]sinkKind](t, mustRun(t, "sinks", "-o", "json"))
	text := mustRun(t, "sinks")
	if len(list) != len(sinks.Builtin().Kinds()) {
		t.Errorf("%d kinds in the list", len(list))
	}
	for _, kind := range list {
		t.Run(kind.Name, func(t *testing.T) {
			if !strings.Contains(text, kind.Name+" ") || !strings.Contains(text, kind.Summary) {
				t.Errorf("not in the list: %s", text)
			}
			example := mustRun(t, "sinks", "example", kind.Name)
			path := filepath.Join(t.TempDir(), "example.yaml")
			if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stdout, stderr := run(t, "", "check", "-c", path); code != 0 {
				t.Errorf("check: %d\n%s%s\n%s", code, stdout, stderr, example)
			}
		})
	}
	if code, _, stderr := run(t, "", "sinks", "example", "carrier-pigeon"); code != 2 || !strings.Contains(stderr, "webhook") {
		t.Errorf("an unknown kind: %d %s", code, stderr)
	}
}

// A kind that another program has added has an example too, though its comments are not known.
func TestExampleOfForeignKind(t *testing.T) {
	registry := new(sink.Registry)
	sink.Register(registry, sink.Kind[foreign]{
		Name: "pigeon", Summary: "sends a pigeon", Default: func() foreign { return foreign{Wings: 2} },
		Open: func(context.Context, foreign, sink.Env) (sink.Sink, error) { return nil, nil },
	})
	var out bytes.Buffer
	code := Main(t.Context(), []string{"sinks", "example", "pigeon"}, IO{Stdout: &out, Stderr: &out}, registry)
	for _, line := range []string{"    type: pigeon\n", "    url: https://pigeon.example # an example", "    wings: 2\n", "    to: [dovecote] # an example"} {
		if code != 0 || !strings.Contains(out.String(), line) {
			t.Errorf("%d, no %q in\n%s", code, line, out.String())
		}
	}
}

type foreign struct {
	URL   string   `yaml:"url" example:"https://pigeon.example"`
	To    []string `yaml:"to" example:"dovecote"`
	Wings int      `yaml:"wings"`
}

func (foreign) Validate() error { return nil }

// testConfig writes a configuration with a webhook named soc.
func testConfig(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("sources: {f: {type: falco_http}}\nsinks:\n  soc:\n    type: webhook\n    url: %s/hook-0123456789\n"+
		"    headers: {Authorization: Bearer s3cret-s3cret}\n    when: severity >= critical\n  out: {type: stdout, format: text}\n", url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTestSink(t *testing.T) {
	var posted report.Report
	status := http.StatusOK
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&posted); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("hello " + r.Header.Get("Authorization") + " at " + r.URL.Path + " " + hostile))
	}))
	defer web.Close()
	path := testConfig(t, web.URL)

	said := mustRun(t, "test-sink", "soc", "-c", path)
	if posted.Kind != report.KindTest || posted.Severity != report.Info || !strings.Contains(said, "report: "+posted.ID) ||
		!strings.Contains(said, "was delivered in ") || !strings.Contains(said, `answer: 200 OK: "hello [redacted] at [redacted]`) {
		t.Errorf("%+v\n%s", posted, said)
	}
	first := posted.ID
	tried := decode[app.Tried](t, mustRun(t, "test-sink", "soc", "-c", path, "-o", "json"))
	if !tried.Delivered || tried.Report != posted.ID || posted.ID == first || tried.Seconds <= 0 || len(tried.Answers) != 1 {
		t.Errorf("%+v", tried)
	}

	status = http.StatusBadRequest
	code, stdout, stderr := run(t, "", "test-sink", "soc", "-c", path)
	if code != 1 || stderr != "" || !strings.Contains(stdout, "NOT delivered") || !strings.Contains(stdout, "answered 400 Bad Request") ||
		!strings.Contains(stdout, "dead letters") {
		t.Errorf("refused: %d\n%s%s", code, stdout, stderr)
	}
	inert(t, stdout)
	code, asJSON, _ := run(t, "", "test-sink", "soc", "-c", path, "-o", "json")
	if tried := decode[app.Tried](t, asJSON); code != 1 || tried.Delivered || !tried.Permanent || !strings.Contains(tried.Error, "400") {
		t.Errorf("refused: %d %+v", code, tried)
	}
	web.Close()
	code, down, _ := run(t, "", "test-sink", "soc", "-c", path)
	if code != 1 || !strings.Contains(down, "refused") || !strings.Contains(down, "would try again") {
		t.Errorf("down: %d\n%s", code, down)
	}
	for _, text := range []string{said, stdout, asJSON, down} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "hook-0123") {
			t.Errorf("a secret is in\n%s", text)
		}
	}
}

func TestTestSinkUsage(t *testing.T) {
	path := testConfig(t, "https://soc.example")
	if text := mustRun(t, "test-sink", "out", "-c", path); !strings.Contains(text, "test of the sink out") || !strings.Contains(text, "sink out (stdout): the test report was delivered") {
		t.Error(text)
	}
	// The report goes elsewhere, so that the answer is all that a program reads.
	code, stdout, stderr := run(t, "", "test-sink", "out", "-c", path, "-o", "json")
	if tried := decode[app.Tried](t, stdout); code != 0 || !tried.Delivered || !strings.Contains(stderr, "test of the sink out") {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	for _, args := range [][]string{{"nobody", "-c", path}, {"soc", "-c", "/nonexistent/x"}, {}} {
		if code, _, stderr := run(t, "", append([]string{"test-sink"}, args...)...); code != 2 || stderr == "" {
			t.Errorf("%q: %d %s", args, code, stderr)
		}
	}
}

// TestTestSinkBesideDaemon: the daemon that has the same sink goes on as if nothing was.
func TestTestSinkBesideDaemon(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	tried := decode[app.Tried](t, mustRun(t, "test-sink", "soc", "-c", d.config, "-o", "json"))
	if !tried.Delivered {
		t.Fatalf("%+v", tried)
	}
	lines, ids := alerts(t, 1)
	if !d.post(http.DefaultClient, lines[0]) {
		t.Fatal("the daemon takes nothing")
	}
	waitFor(t, "the alert", func() bool { return len(receiver.missing(append(ids, tried.Report))) == 0 })
	p.signal(os.Interrupt)
	<-p.ended
	if p.code() != 0 {
		t.Error(p.logged())
	}
}
