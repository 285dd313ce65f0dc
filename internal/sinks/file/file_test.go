package file

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // takes nothing off the modes that the tests look for
	goleak.VerifyTestMain(m)
}

// disk opens files that a test can break or hold up.
type disk struct {
	mu      sync.Mutex
	write   error // of the next writes, which take half
	sync    error // of the next syncs
	syncs   int
	open    int // files
	held    chan struct{}
	arrived chan struct{}
}

func newDisk() *disk { return &disk{arrived: make(chan struct{}, 1)} }

func (d *disk) openAt(path string) (appendFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	return &diskFile{f, d}, nil
}

func (d *disk) set(write, sync error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write, d.sync = write, sync
}

func (d *disk) hold() (<-chan struct{}, func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make(chan struct{})
	d.held = held
	return d.arrived, sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held = nil
		close(held)
	})
}

type diskFile struct {
	*os.File
	disk *disk
}

func (f *diskFile) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.write != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, f.disk.write
	}
	return f.File.Write(p)
}

func (f *diskFile) Sync() error {
	f.disk.mu.Lock()
	f.disk.syncs++
	held, err := f.disk.held, f.disk.sync
	f.disk.mu.Unlock()
	if held != nil {
		select {
		case f.disk.arrived <- struct{}{}:
		default:
		}
		<-held
	}
	if err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *diskFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.open--
	return f.File.Close()
}

func TestLinesConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		d := newDisk()
		parent := filepath.Join(t.TempDir(), "reports")
		path := filepath.Join(parent, "reports.jsonl")
		return sinktest.Harness{
			Open: func() (sink.Sink, error) {
				return openLines(Config{Path: path, Output: sink.Output{Format: "json"}, Rotate: Kind.Default().Rotate}, sinktest.Env(), d.openAt)
			},
			Received: func() (all [][]byte) {
				for line := range strings.Lines(read(t, path)) {
					all = append(all, []byte(line))
				}
				return all
			},
			Inert:  sinktest.CheckJSON,
			Accept: func() { d.set(nil, nil) },
			Fail:   func() { d.set(syscall.ENOSPC, nil) },
			Leave:  func() { must(t, os.RemoveAll(parent)) },
			Hold:   d.hold,
			Lacks: map[string]string{
				"Reject":   "a file takes any bytes",
				"Throttle": "a file does not ask for a pause",
				"Secret":   "nothing in the configuration is one",
				"Probe":    "opening the sink has tried it",
			},
		}
	})
}

func TestDirConformance(t *testing.T) {
	for format, inert := range map[string]func(r *report.Report, received []byte) error{
		"cef": sinktest.CheckText, "ecs": sinktest.CheckText, "ocsf": sinktest.CheckText, "html": sinktest.CheckText, "json": sinktest.CheckJSON, "markdown": sinktest.CheckText, "text": sinktest.CheckText,
	} {
		t.Run(format, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				dir := filepath.Join(t.TempDir(), "reports")
				away := dir + ".away"
				return sinktest.Harness{
					Open: func() (sink.Sink, error) {
						return Kind.Open(context.Background(), Config{Dir: dir, Output: sink.Output{Format: format}}, sinktest.Env())
					},
					Received: func() (all [][]byte) {
						for _, name := range list(t, dir) {
							all = append(all, []byte(read(t, filepath.Join(dir, name))))
						}
						return all
					},
					Inert: inert,
					Accept: func() {
						must(t, os.Remove(dir))
						must(t, os.Rename(away, dir))
					},
					Fail: func() { // the volume is not mounted
						must(t, os.Rename(dir, away))
						must(t, os.WriteFile(dir, nil, 0o600))
					},
					Leave: func() { must(t, os.RemoveAll(dir)) },
					Lacks: map[string]string{
						"Reject":   "a file takes any bytes",
						"Throttle": "a file does not ask for a pause",
						"Hold":     "the kernel's file calls can not be cut short",
						"Secret":   "nothing in the configuration is one",
						"Probe":    "opening the sink has tried it",
					},
				}
			})
		})
	}
}

func TestConfig(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"dir", "dir: /reports", ""},
		{"dir with a format", "{dir: /reports, format: markdown}", ""},
		{"path", "path: /reports.jsonl", ""},
		{"path with rotation", "{path: /reports.jsonl, rotate: {max_bytes: 1GiB, keep: 3}}", ""},
		{"bytes as a number", "{path: /reports.jsonl, rotate: {max_bytes: 65536}}", ""},
		{"rotation by others", "{path: /reports.jsonl, rotate: {max_bytes: 0}}", ""},
		{"neither", "format: json", "dir: want exactly one of dir and path"},
		{"both", "{dir: /a, path: /b}", "dir: want exactly one of dir and path"},
		{"unknown format", "{dir: /a, format: xml}", `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template`},
		{"lines of text", "{path: /a, format: text}", "format: text goes with dir; the lines at path are json, ecs, ocsf, cef or template"},
		{"small", "{path: /a, rotate: {max_bytes: 1KiB}}", "rotate.max_bytes: want 0 or at least 64KiB, got 1KiB"},
		{"keeps none", "{path: /a, rotate: {keep: 0}}", "rotate.keep: want 1 to 1000, got 0"},
		{
			"all at once", "{format: xml, rotate: {max_bytes: 1, keep: 1001}}",
			"dir: want exactly one of dir and path\n" + `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text, template` +
				"\nrotate.max_bytes: want 0 or at least 64KiB, got 1\nrotate.keep: want 1 to 1000, got 1001",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := decode(tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			if err := config.Validate(); err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	for _, wrong := range []string{"pth: /a", "rotate: {max_size: 1}", "rotate: {max_bytes: many}"} {
		if _, err := decode(wrong); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
	if config, err := decode("rotate: {keep: 3}"); err != nil || config.(Config).Rotate != (Rotate{MaxBytes: 100 << 20, Keep: 3}) {
		t.Errorf("one key of a section forgets the defaults of the others: %+v, %v", config, err)
	}
}

func decode(text string) (sink.Config, error) {
	var r sink.Registry
	sink.Register(&r, Kind)
	kind, _ := r.Kind("file")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestSize(t *testing.T) {
	tests := map[string]Size{
		"0": 0, "1": 1, "1b": 1, "65536": 65536, "64KiB": 65536, "64 kib": 65536, "100MiB": 100 << 20,
		"1.5GiB": 3 << 29, "2GB": 2e9, "3mb": 3e6, "4kB": 4000,
	}
	for text, want := range tests {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
		var again Size
		shown, err := got.MarshalText()
		if err != nil {
			t.Error(err)
		}
		if err := again.UnmarshalText(shown); err != nil || again != got {
			t.Errorf("%s is written as %s and read as %d, %v", text, shown, again, err)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1TiB", "1e99", "NaN", "Inf", "1 2", "1KKiB", "0x10"} {
		var got Size
		if err := got.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
	for size, want := range map[Size]string{0: "0", 1: "1", 1024: "1KiB", 100 << 20: "100MiB", 1 << 40: "1024GiB", 1025: "1025"} {
		if got := size.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	return info.Mode()
}
