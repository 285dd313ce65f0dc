package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// run calls the program in this process.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, IO{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		LookupEnv: func(string) (string, bool) { return "", false },
	}, sinks.Builtin())
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string // on stderr, or stdout for help
	}{
		{nil, 2, "expected one of"},
		{[]string{"--help"}, 0, "analyze"},
		{[]string{"run", "--help"}, 0, "Run the daemon"},
		{[]string{"nonsense"}, 2, "unexpected argument nonsense"},
		{[]string{"run", "-x"}, 2, "unknown flag -x"},
		{[]string{"analyze", "-o", "pdf"}, 2, `unknown format "pdf"; known are cef, ecs, html, json, markdown, ocsf, text`},
		{[]string{"analyze", "--all", "-o", "text"}, 2, "--all needs -o json"},
		{[]string{"analyze", "/nonexistent/x"}, 1, "/nonexistent/x"},
		{[]string{"analyze", "-c", "/nonexistent/x"}, 2, "/nonexistent/x"},
		{[]string{"check", "-c", "/nonexistent/x"}, 2, "/nonexistent/x"},
		{[]string{"run", "-c", "/nonexistent/x"}, 2, "/nonexistent/x"},
		{[]string{"simulate", "--events", "/nonexistent/x"}, 1, "/nonexistent/x"},
	} {
		code, stdout, stderr := run(t, "", c.args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%q: exit status %d, %s%s; want %d and %q", c.args, code, stdout, stderr, c.code, c.says)
		}
		if code != 0 && (stdout != "" || !strings.HasPrefix(stderr, "filelessd: ") && !strings.Contains(stderr, "alerts")) {
			t.Errorf("%q: stdout %q, stderr %q", c.args, stdout, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := run(t, "", "version", "-o", "json")
	v := decode[map[string]string](t, stdout)
	if code != 0 || v["version"] == "" || v["commit"] == "" || !strings.HasPrefix(v["go"], "go1") {
		t.Errorf("%d %s", code, stdout)
	}
	if code, stdout, _ := run(t, "", "version"); code != 0 || !strings.HasPrefix(stdout, "filelessd ") {
		t.Errorf("%d %s", code, stdout)
	}
}

const (
	hitLine  = `{"hostname":"h","output_fields":{"evt.type":"execve","proc.exepath":"memfd:a","proc.cmdline":"a\u202eb"},"rule":"r","time":"2026-11-23T12:00:00Z"}`
	missLine = `{"hostname":"h","output_fields":{"evt.type":"openat"},"rule":"a \u001b[2J rule","time":"2026-11-23T12:00:00Z"}`
)

func TestAnalyze(t *testing.T) {
	input := strings.Join([]string{hitLine, "", "  ", missLine, "text", `{"priority":"x"}`, `[]`, hitLine}, "\n") // no newline at the end
	code, stdout, stderr := run(t, input, "analyze", "-o", "json", "--all")
	if code != 3 || stderr != "3 alerts, 2 show fileless execution, 3 lines malformed\n" {
		t.Errorf("exit status %d, %s", code, stderr)
	}
	e, err := event.Parse([]byte(missLine), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines:\n%s", len(lines), stdout)
	}
	for i, want := range []map[string]any{
		1: {"matched": false, "file": "-", "line": 4., "id": e.ID(), "rule": "a \x1b[2J rule"},
		2: {"matched": false, "file": "-", "line": 5., "error": "not a JSON object (invalid character 'e' in literal true (expecting 'r')); Falco writes JSON only with json_output: true"},
		3: {"matched": false, "file": "-", "line": 6., "error": "no rule: not a Falco alert"},
		4: {"matched": false, "file": "-", "line": 7., "error": "want a JSON object, got an array"},
	} {
		if want == nil {
			continue
		}
		if diff := cmp.Diff(want, decode[map[string]any](t, lines[i])); diff != "" {
			t.Errorf("line %d: %s", i+1, diff)
		}
	}
	// The second of two that are the same stands again: repeats are not folded.
	for _, line := range []string{lines[0], lines[5]} {
		r := decode[report.Report](t, line)
		if !strings.HasPrefix(line, `{"matched":true,"id":"`) || r.Technique != "memfd_exec" || strings.Contains(line, "\u202e") {
			t.Errorf("%s", line)
		}
	}
}

func TestAnalyzeFormats(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `{"id":"`},
		{[]string{"-o", "json"}, `{"id":"`},
		{[]string{"-o", "markdown"}, "# Alert Analysis Report"},
		{[]string{"-o", "text"}, "Alert Analysis Report"},
	} {
		code, stdout, _ := run(t, hitLine+"\n"+missLine+"\n", append([]string{"analyze"}, c.args...)...)
		if code != 0 || !strings.HasPrefix(stdout, c.want) {
			t.Errorf("%v: %d %.80s", c.args, code, stdout)
		}
	}
}

func TestAnalyzeFiles(t *testing.T) {
	dir := t.TempDir()
	plain, zipped := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "b.jsonl.gz")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprintln(w, missLine)
	fmt.Fprintln(w, hitLine)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(" ", maxLine) + hitLine
	for path, data := range map[string]string{plain: hitLine + "\n" + long + "\n" + hitLine + "\n", zipped: z.String()} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, _ := run(t, missLine, "analyze", "--all", plain, zipped, "-")
	var got []string
	for line := range strings.SplitSeq(strings.TrimSpace(stdout), "\n") {
		v := decode[struct {
			Matched bool
			File    string
			Line    int
			Error   string
		}](t, line)
		got = append(got, fmt.Sprint(v.Matched, " ", filepath.Base(v.File), ":", v.Line, " ", v.Error))
	}
	want := []string{
		"true .:0 ", "false a.jsonl:2 longer than 1048576 bytes", "true .:0 ",
		"false b.jsonl.gz:1 ", "true .:0 ", "false -:1 ",
	}
	if diff := cmp.Diff(want, got); diff != "" || code != 3 {
		t.Errorf("exit status %d %s", code, diff)
	}
	// What is wrong with one file costs the others nothing.
	code, stdout, stderr := run(t, "", "analyze", filepath.Join(dir, "none"), zipped)
	if code != 1 || strings.Count(stdout, "\n") != 1 || !strings.Contains(stderr, "none: no such file") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}

// TestAnalyzeReadsOnlyMatch: a configuration whose secrets are elsewhere is good enough.
func TestAnalyzeReadsOnlyMatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := "match:\n  rules:\n    - {id: own, technique: fd_exec, when: 'rule startsWith \"a \"'}\nsinks: {soc: {type: webhook, url: '${MISSING}'}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, missLine, "analyze", "-c", path)
	if code != 0 || !strings.Contains(stdout, `"technique":"fd_exec"`) {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const base = "sources: {hook: {type: falco_http}}\nsinks: {console: {type: stdout}}\n"
	code, stdout, stderr := run(t, "", "check", "-c", write(base))
	if code != 0 || stdout != "valid: 1 sources, 1 sinks\n" || stderr != "" {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	code, _, stderr = run(t, "", "check", "-c", write(base+"stoer: {}\n"))
	if code != 2 || !strings.Contains(stderr, "config.yaml:3:1: stoer: unknown key") {
		t.Errorf("%d %s", code, stderr)
	}
	code, _, stderr = run(t, "", "check", "-c", write("sources: {hook: {type: falco_http}}\n"))
	if code != 2 || !strings.Contains(stderr, "sinks") {
		t.Errorf("%d %s", code, stderr)
	}
	allow := "match:\n  allow:\n    - {id: a, image_digest: 'sha256:" + strings.Repeat("0", 64) +
		"', parent_path: /usr/bin/job, args: --once, owner: me, reason: job, expires: 2099-01-01T00:00:00Z}\n"
	code, stdout, _ = run(t, "", "check", "-c", write(base+allow))
	if code != 0 || !strings.Contains(stdout, "match.allow[0] reads container.image.digest, proc.pexepath, proc.args") ||
		!strings.Contains(stdout, "append_output:") {
		t.Errorf("%d %s", code, stdout)
	}
	missing := "sources: {falco: {type: falco_grpc, address: 'unix:///nonexistent/falco.sock'}}\nsinks: {console: {type: stdout}}\n"
	code, stdout, _ = run(t, "", "check", "--connect", "-c", write(missing))
	if code != 2 || !strings.Contains(stdout, "falco_http") || !strings.Contains(stdout, "sink console: can be opened") {
		t.Errorf("%d %s", code, stdout)
	}
}

// TestStartsOrSaysWhy: what keeps the daemon from taking alerts ends it at the start.
func TestStartsOrSaysWhy(t *testing.T) {
	receiver := newReceiver(t)
	first := newDaemon(t, receiver.URL, "")
	p := first.run()
	second := newDaemon(t, receiver.URL, "")
	change := func(old, with string) string {
		t.Helper()
		data, err := os.ReadFile(second.config)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(second.dir, "other.yaml")
		if err := os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(with)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	notADirectory := filepath.Join(second.dir, "file")
	if err := os.WriteFile(notADirectory, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, with string
		code            int
		says            []string
	}{
		{"the port of a source is taken", second.hook, first.hook, 1, []string{"source hook", first.hook, "in use"}},
		{"the port of the server is taken", second.http, first.http, 1, []string{"http", first.http, "in use"}},
		{"another daemon has the data_dir", filepath.Join(second.dir, "data"), filepath.Join(first.dir, "data"), 1, []string{filepath.Join(first.dir, "data"), "another filelessd"}},
		{"data_dir is no directory", filepath.Join(second.dir, "data"), notADirectory, 1, []string{notADirectory}},
		{"a key is misspelt", "data_dir", "date_dir", 2, []string{"other.yaml:2:1", "date_dir"}},
		{"a port that does not exist", second.hook, "127.0.0.1:99999", 2, []string{"sources.hook.listen", "99999"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := run(t, "", "run", "-c", change(c.old, c.with))
			if code != c.code {
				t.Errorf("exit status %d, want %d: %s", code, c.code, stderr)
			}
			for _, says := range c.says {
				if !strings.Contains(stderr, says) {
					t.Errorf("does not say %q: %s", says, stderr)
				}
			}
		})
	}
	p.signal(os.Interrupt)
	if p.code() != 0 {
		t.Errorf("the first daemon ended with %d", p.code())
	}
}

func TestDemo(t *testing.T) {
	code, stdout, stderr := run(t, "", "demo", "--once")
	if code != 0 || !strings.Contains(stderr, "10 alerts came over gRPC") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
	if n := strings.Count(stdout, "Alert Analysis Report: "); n != 5 {
		t.Errorf("%d reports, want 5:\n%s", n, stdout)
	}
	for _, verdict := range []string{"test, high", "benign-likely", "malicious-likely"} {
		if !strings.Contains(stdout, verdict) {
			t.Errorf("no %s among the reports", verdict)
		}
	}
}

func TestDemoEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	code := Main(ctx, []string{"demo"}, IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv}, sinks.Builtin())
	if code != 0 {
		t.Errorf("exit status %d: %s", code, out.String())
	}
}

// TestSimulateCount plays a file as if it happened now, as often as needed.
func TestSimulateCount(t *testing.T) {
	receiver := newReceiver(t)
	socket := filepath.Join(t.TempDir(), "falco.sock")
	d := newDaemon(t, receiver.URL, "  falco: {type: falco_grpc, address: 'unix://"+socket+"', poll: 20ms}")
	p := d.run()
	lines, _ := alerts(t, 3)
	s := start(t, "simulate", "--socket", socket, "--events", writeLines(t, lines), "--count", "100")
	waitFor(t, "100 reports", func() bool { n, _ := receiver.got(); return n == 100 })
	s.signal(os.Interrupt)
	if diff := cmp.Diff(map[string]int{"sent": 100, "queued": 0}, decode[map[string]int](t, s.stdout.String())); diff != "" {
		t.Error(diff)
	}
	if got := d.metric(`filelessd_alerts_matched_total{technique="memfd_exec"}`); got != "100" {
		t.Errorf("%s matched", got)
	}
	p.signal(os.Interrupt)
}

// TestMetricsExist: every metric that is promised is there from the start.
func TestMetricsExist(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	for _, name := range []string{
		`filelessd_alerts_received_total{source="hook"}`, `filelessd_alerts_matched_total{technique="fd_script"}`,
		`filelessd_alerts_rejected_total{reason="malformed",source="hook"}`, `filelessd_alerts_duplicate_total{source="hook"}`,
		`filelessd_deliveries_total{outcome="delivered",sink="soc"}`, `filelessd_sink_backlog{sink="soc"}`,
		`filelessd_dead_letters{sink="soc"}`, `filelessd_lost_total{reason="store_full"}`,
		`filelessd_durable_seconds_count`, `filelessd_delivered_seconds_count{sink="soc"}`,
	} {
		if got := d.metric(name); got != "0" {
			t.Errorf("%s is %q", name, got)
		}
	}
	_, body := d.get("/statusz")
	status := decode[struct {
		Sources map[string]struct{ State string }
		Sinks   map[string]struct{ Backlog int }
	}](t, body)
	if status.Sources["hook"].State != "listening" || !slices.Contains([]int{0}, status.Sinks["soc"].Backlog) {
		t.Errorf("status %s", body)
	}
	p.signal(os.Interrupt)
}
