package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
	"github.com/filelessd/filelessd/pkg/daemon"
)

// asProgram makes the test binary filelessd itself, so that a test can start and kill it.
const asProgram = "FILELESSD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := daemon.Signals()
	defer stop()
	os.Exit(daemon.Main(ctx, os.Args[1:], daemon.OS(), daemon.Builtin()))
}

func testBench() *bench {
	return &bench{binary: os.Args[0], env: []string{asProgram + "=1", "GORACE=atexit_sleep_ms=0"}, patience: 30 * time.Second}
}

// TestRow is a small row from end to end: the daemon is killed in the middle, its webhook fails for a
// time, a second one does not, and nothing is lost.
func TestRow(t *testing.T) {
	s := scenario{
		name: "small", n: 200, posters: 4, rate: 400, shape: rig.Distinct, clean: 100 * time.Millisecond,
		script: "ok@100ms status=500@200ms ok", kill: syscall.SIGKILL, killAt: 100,
	}
	r, err := testBench().run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	var read result
	if err := json.Unmarshal(line, &read); err != nil || bytes.ContainsRune(line, '\n') {
		t.Fatal(err, string(line))
	}
	if read.Accepted != 200 || len(read.Sinks) != 2 || read.PeakMB <= 0 || read.CPUMicros <= 0 || read.ReadyMs <= 0 || read.StoreMB <= 0 {
		t.Errorf("%s", line)
	}
	for _, k := range read.Sinks {
		if k.Distinct != 200 || k.Lost != 0 || k.Duplicates > mostDuplicates || k.P99 < k.P50 || k.P50 <= 0 {
			t.Errorf("%+v", k)
		}
	}
	if len(read.Bounds) != 6 {
		t.Errorf("%+v", read.Bounds)
	}
}

// TestReloadRow: a configuration that is read again and again while alerts come costs none of them. How
// fast it is, the bench says.
func TestReloadRow(t *testing.T) {
	s := scenario{name: "reload", n: 400, posters: 4, rate: 200, shape: rig.Distinct, clean: 500 * time.Millisecond, reloads: 10}
	r, err := testBench().run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if d := r.Reloads; d.Applied != 6 || d.Rejected != 4 || d.PerS <= 0 || d.CleanPerS <= 0 {
		t.Errorf("%+v", d)
	}
	if k := r.Sinks[0]; k.Distinct != 400 || k.Lost != 0 || k.Duplicates != 0 {
		t.Errorf("%+v", k)
	}
}

func TestBacklogRow(t *testing.T) {
	r, err := testBench().run(t.Context(), scenario{name: "backlog", n: 200, posters: 2, shape: rig.Distinct, backlog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if r.Accepted != 200 || r.Sinks[0].Distinct != 200 || r.Sinks[0].PerSecond <= 0 || r.DrainThousand <= 0 || r.ReadyMs <= 0 {
		t.Errorf("%+v", r)
	}
}

// TestForeign: -url measures any receiver of http_output, and sees what one loses.
func TestForeign(t *testing.T) {
	receive, err := rig.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var posts atomic.Int64
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if posts.Add(1)%4 == 0 {
			return // taken, and forgotten
		}
		body, _ := io.ReadAll(req.Body)
		onward, err := http.NewRequestWithContext(req.Context(), http.MethodPost, "http://"+receive+"/", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := http.DefaultClient.Do(onward)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		w.WriteHeader(http.StatusOK)
	}))
	defer relay.Close()
	var out, progress bytes.Buffer
	args := []string{"-url", relay.URL + "/", "-receive", receive, "-patience", "300ms", "-n", "100", "-posters", "1", "-shape", "alike"}
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Accepted != 100 || r.Sinks[0].Lost != 25 || r.Sinks[0].Distinct != 75 || !strings.Contains(progress.String(), "MISSED lost by tested: 25") {
		t.Errorf("%s\n%s", out.Bytes(), progress.String())
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-shape", "round"}, {"-posters", "0"}, {"-kill", "HUP"}, {"-script", "bad"}, {"-run", "nothing like it"}, {"-run", "("},
	} {
		if err := run(t.Context(), append(args, "-binary", "/nonexistent"), io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

// TestTable: every row has a name of its own and a script that is one.
func TestTable(t *testing.T) {
	for _, quick := range []bool{true, false} {
		seen := map[string]bool{}
		for _, s := range table(quick, true, 1000) {
			if _, err := rig.ParseScript(s.script); err != nil || seen[s.name] || s.n < 100 || !s.shape.Valid() {
				t.Errorf("%+v: %v", s, err)
			}
			seen[s.name] = true
		}
	}
}
