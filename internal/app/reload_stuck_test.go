package app

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// fifo puts in the place of a file what makes everybody wait who opens it: nobody writes.
func fifo(t *testing.T, file string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(file), syscall.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for who still waits
		if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
}

// TestStopWhileAFileDoesNotAnswer: a stop does not wait for a reload that a file holds up.
func TestStopWhileAFileDoesNotAnswer(t *testing.T) {
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A}\n")
	fifo(t, r.file)
	done := make(chan error, 1)
	go func() {
		_, err := r.app.Reload(t.Context(), "a test")
		done <- err
	}()
	r.waitFor("the reload", func() bool { return strings.Contains(stacks(), "config.Load(") })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("a configuration that could not be read is in force")
	}
	if n := r.counter("filelessd_config_reloads_total", "outcome", "rejected"); n != 0 {
		t.Errorf("a reload that a stop cut off is counted as rejected: %v", n)
	}
}

// TestReloadFilesOfSinks: what a sink reads has to be a file that ends.
func TestReloadFilesOfSinks(t *testing.T) {
	good := "sinks:\n  soc: {type: webhook, url: URL_A}\n"
	r := newReloadable(t, good)
	file := filepath.Join(t.TempDir(), "ca.pem")
	fifo(t, file)
	for _, name := range []string{file, "/dev/zero", t.TempDir()} {
		_, err := r.reload("sinks:\n  soc: {type: webhook, url: URL_B, tls: {ca_file: " + name + "}}\n")
		if err == nil || !strings.Contains(err.Error(), "sinks.soc.tls.ca_file: "+name+": not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.awaits("URL_A", r.post(1, 3)...)
}

// clinging is a sink that does not close before hold does.
type clinging struct{ hold chan struct{} }

type clingingConfig struct {
	Note string `yaml:"note"`
}

func (clingingConfig) Validate() error { return nil }

func (clinging) Deliver(context.Context, *report.Report) error { return nil }

func (c clinging) Close() error {
	<-c.hold
	return nil
}

// TestSinksThatDoNotClose: neither a reload nor a stop waits for a sink that does not close.
func TestSinksThatDoNotClose(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	kinds := sinks.Builtin()
	sink.Register(kinds, sink.Kind[clingingConfig]{
		Name: "clinging", Summary: "does not close", Default: func() clingingConfig { return clingingConfig{} },
		Open: func(context.Context, clingingConfig, sink.Env) (sink.Sink, error) { return clinging{hold}, nil },
	})
	first := "sinks:\n  a: {type: clinging, note: x}\n  b: {type: webhook, url: URL_A}\n"
	r := newReloadableOf(t, kinds, first)
	for _, sections := range []string{
		strings.Replace(first, "note: x", "note: y", 1),
		"sinks:\n  b: {type: webhook, url: URL_A}\n",
		first,
	} {
		if did := r.mustReload(sections); !slices.Equal(did.Changed, []string{"sinks.a"}) {
			t.Errorf("%+v", did)
		}
	}
	_, err := r.reload(first + "  c: {type: clinging}\n  d: {type: file, path: /proc/x/y}\n")
	if err == nil || !strings.Contains(err.Error(), "sink c: not closed within") {
		t.Error(err)
	}
	r.awaits("URL_A", r.post(1, 3)...)
	if err := r.stop(); err == nil || !strings.Contains(err.Error(), "sink a: not closed within") {
		t.Error(err)
	}
	r.stop = func() error { return nil } // the end of a test wants no error
}

// stacks are those of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// TestStopWhileAReloadWaits: systemd hears of the end of a reload before it hears that the daemon stops, and
// what is under way at the sink that was there before comes to its end.
func TestStopWhileAReloadWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	r := newReloadable(t, "sinks:\n  soc: {type: webhook, url: URL_A, concurrency: 1}\n")
	hold := make(chan struct{})
	answer := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(answer)
	r.places["URL_A"].hold = hold
	before := r.app.workers.of("soc").sink
	ids := r.post(1, 3)
	r.waitFor("one under way", func() bool { return len(r.places["URL_A"].got()) == 1 })
	r.write("drain_timeout: 60s\nsinks:\n  soc: {type: webhook, url: URL_B}\n")
	asked := make(chan error, 1)
	go func() {
		_, err := r.app.Reload(t.Context(), "a test")
		asked <- err
	}()
	r.waitFor("the new configuration in force", func() bool { return r.app.workers.of("soc").sink != before })
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if err := <-asked; err != nil { // it does not wait for the delivery any more
		t.Error(err)
	}
	answer()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	got := slices.Concat(r.places["URL_A"].got(), r.places["URL_B"].got())
	slices.Sort(got)
	slices.Sort(ids)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
	var told []string
	for buf := make([]byte, 1000); !slices.Contains(told, "STOPPING=1"); {
		n, err := systemd.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		said, more, _ := strings.Cut(string(buf[:n]), "\n")
		if !strings.HasPrefix(said, "STATUS=") {
			told = append(told, said)
		}
		// More than TimeoutStopSec= may be needed for drain_timeout.
		if said == "STOPPING=1" && more != "EXTEND_TIMEOUT_USEC=65000000" {
			t.Errorf("told at the stop: %q", more)
		}
	}
	if diff := cmp.Diff([]string{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}, told); diff != "" {
		t.Error(diff)
	}
}
