package source

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

func TestFileSource(t *testing.T) {
	testSource(t, func(t *testing.T) harness {
		path := filepath.Join(t.TempDir(), "events.json")
		add := func(t *testing.T, lines ...string) {
			for _, line := range lines { // as Falco does: opened anew for each alert
				file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := file.WriteString(line + "\n"); err != nil {
					t.Error(err)
				}
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		add(t) // there is a file from the start
		return harness{
			open: func(t *testing.T, env Env) Source {
				return mustOpenFile(t, FileConfig{Path: path, From: "beginning"}, env)
			},
			feed:  add,
			spoil: func(t *testing.T) { add(t, "no alert") },
		}
	})
}

func mustOpenFile(t *testing.T, c FileConfig, env Env) *File {
	t.Helper()
	f, err := OpenFile(c, env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A fileBubble follows a real file in virtual time. Alerts are told apart by their rules.
type fileBubble struct {
	*File
	t      *testing.T
	config FileConfig
	env    Env
	stop   func()
	ticks  int // if set, each write is a second later than the last, for the file system

	mu       sync.Mutex
	got      []string
	fail     error // what handle returns
	rejected tally
}

func newFileBubble(t *testing.T, from string) *fileBubble {
	b := &fileBubble{t: t, config: FileConfig{Path: filepath.Join(t.TempDir(), "events.json"), From: from}}
	b.env = testEnv(t)
	b.env.Rejected = b.rejected.add
	return b
}

func (b *fileBubble) start() {
	b.t.Helper()
	b.File = mustOpenFile(b.t, b.config, b.env)
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func(f *File) {
		ended <- f.Run(ctx, func(_ context.Context, events []event.Event) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.fail != nil {
				return b.fail
			}
			for _, e := range events {
				b.got = append(b.got, e.Rule)
			}
			return nil
		})
	}(b.File)
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	b.t.Cleanup(b.stop)
	b.wait()
}

// wait lets the source find all there is to find.
func (b *fileBubble) wait() {
	time.Sleep(10 * time.Second)
	synctest.Wait()
}

// check compares what came since the last check with rules, which are divided by spaces.
func (b *fileBubble) check(want string) {
	b.t.Helper()
	b.wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(b.got, " "); got != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
	b.got = nil
}

func (b *fileBubble) setFail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// name is the path of the file, or of one next to it.
func (b *fileBubble) name(suffix string) string { return b.config.Path + suffix }

// write appends text to a file next to the one that is followed, or to itself.
func (b *fileBubble) write(suffix, text string) {
	b.t.Helper()
	file, err := os.OpenFile(b.name(suffix), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	b.must(err)
	_, err = file.WriteString(text)
	b.must(err)
	b.must(file.Close())
	b.tick(suffix)
}

// tick moves the clock of the file system on, which is slower than a test.
func (b *fileBubble) tick(suffix string) {
	b.t.Helper()
	if b.ticks > 0 {
		b.ticks++
		b.must(os.Chtimes(b.name(suffix), time.Time{}, time.Now().Add(time.Duration(b.ticks)*time.Second)))
	}
}

func (b *fileBubble) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *fileBubble) rename(from, to string) {
	b.t.Helper()
	b.must(os.Rename(b.name(from), b.name(to)))
}

// copyTruncate is logrotate's copytruncate.
func (b *fileBubble) copyTruncate(to string) {
	b.t.Helper()
	data, err := os.ReadFile(b.name(""))
	b.must(err)
	b.must(os.WriteFile(b.name(to), data, 0o600))
	b.tick(to)
	b.must(os.Truncate(b.name(""), 0))
	b.tick("")
}

// compress is logrotate's compress: gzip, which keeps the time.
func (b *fileBubble) compress(suffix string) {
	b.t.Helper()
	data, err := os.ReadFile(b.name(suffix))
	b.must(err)
	info, err := os.Stat(b.name(suffix))
	b.must(err)
	file, err := os.Create(b.name(suffix + ".gz"))
	b.must(err)
	w := gzip.NewWriter(file)
	_, err = w.Write(data)
	b.must(err)
	b.must(w.Close())
	b.must(file.Close())
	b.must(os.Chtimes(b.name(suffix+".gz"), info.ModTime(), info.ModTime()))
	b.must(os.Remove(b.name(suffix)))
}

// alerts returns lines with alerts of these rules.
func alerts(rules ...string) string {
	var b strings.Builder
	for _, rule := range rules {
		fmt.Fprintf(&b, "{\"rule\":%q}\n", rule)
	}
	return b.String()
}

// inBubble runs test in virtual time.
func inBubble(t *testing.T, from string, test func(b *fileBubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFileBubble(t, from)) })
}

func TestFileFollows(t *testing.T) {
	inBubble(t, "end", func(b *fileBubble) {
		b.write("", alerts("a", "b"))
		b.start()
		b.check("")
		b.write("", alerts("c"))
		b.check("c")
		b.write("", `{"rule":`)
		b.check("")
		b.write("", `"d"}`)
		b.check("")
		b.write("", "\n\n \r\n"+strings.ReplaceAll(alerts("e", "f"), "\n", "\r\n"))
		b.check("d e f")
		if s := b.Status(); s.State != "following" || s.Peer != b.name("") || s.LastError != "" {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestFileBegins(t *testing.T) {
	tests := []struct {
		name, from string
		test       func(b *fileBubble)
	}{
		{"at the beginning", "beginning", func(b *fileBubble) {
			b.write("", alerts("a"))
			b.start()
			b.check("a")
		}},
		{"at the end, within a line", "end", func(b *fileBubble) {
			b.write("", alerts("a")+`{"rule":`)
			b.start()
			b.write("", `"b"}`+"\n")
			b.check("b")
		}},
		{"at the end, within the only line", "end", func(b *fileBubble) {
			b.write("", `{"rule":`)
			b.start()
			b.write("", `"b"}`+"\n")
			b.check("b")
		}},
		{"at the end, within a line that is too long", "end", func(b *fileBubble) {
			b.write("", alerts("a")+strings.Repeat("x", maxAlert+lineBuffer))
			b.start()
			b.write("", "x\n"+alerts("b"))
			b.check("b")
		}},
		{"at the end, and goes on there", "end", func(b *fileBubble) {
			b.write("", alerts("a"))
			b.start()
			b.stop()
			b.write("", alerts("b"))
			b.start()
			b.check("b")
		}},
		{"with a file that comes later", "end", func(b *fileBubble) {
			b.start()
			if s := b.Status(); s.State != "waiting" || !strings.Contains(s.LastError, "no such file") {
				b.t.Errorf("status: %+v", s)
			}
			b.write("", alerts("a"))
			b.check("a")
			if s := b.Status(); s.State != "following" || s.LastError != "" {
				b.t.Errorf("status: %+v", s)
			}
		}},
		{"with a file that comes after a restart", "end", func(b *fileBubble) {
			b.start()
			b.stop()
			b.write("", alerts("a"))
			b.start()
			b.check("a")
		}},
		{"with a file that is rotated before it is seen, by a clock that is behind", "end", func(b *fileBubble) {
			b.start()
			b.write(".1", alerts("a"))
			b.must(os.Chtimes(b.name(".1"), time.Time{}, time.Now().Add(-time.Hour)))
			b.write("", alerts("b"))
			b.check("a b")
		}},
		{"the same, next to one that was there", "end", func(b *fileBubble) {
			b.write(".1", alerts("old"))
			b.must(os.Chtimes(b.name(".1"), time.Time{}, time.Now().Add(-2*time.Hour)))
			b.start()
			b.rename(".1", ".2")
			b.write(".1", alerts("a"))
			b.must(os.Chtimes(b.name(".1"), time.Time{}, time.Now().Add(-time.Hour)))
			b.write("", alerts("b"))
			b.check("a b")
		}},
		{"with a directory that comes later", "end", func(b *fileBubble) {
			b.config.Path = filepath.Join(filepath.Dir(b.config.Path), "falco", "events.json")
			b.start()
			b.must(os.Mkdir(filepath.Dir(b.config.Path), 0o700))
			b.write("", alerts("a"))
			b.check("a")
		}},
		{"with a directory in its place", "end", func(b *fileBubble) {
			b.must(os.Mkdir(b.name(""), 0o700))
			b.start()
			if s := b.Status(); s.State != "waiting" || !strings.Contains(s.LastError, "not a regular file") {
				b.t.Errorf("status: %+v", s)
			}
		}},
		{"with a pipe that nobody writes to", "end", func(b *fileBubble) {
			b.must(syscall.Mkfifo(b.name(""), 0o600))
			b.start()
			if s := b.Status(); !strings.Contains(s.LastError, "not a regular file") {
				b.t.Errorf("status: %+v", s)
			}
		}},
		{"through a symbolic link", "beginning", func(b *fileBubble) {
			b.must(os.Symlink(b.name(".real"), b.name("")))
			b.write(".real", alerts("a"))
			b.start()
			b.write(".real", alerts("b"))
			b.check("a b")
		}},
		{"where an offset that makes no sense was saved", "end", func(b *fileBubble) {
			b.write("", alerts("a"))
			b.must(b.env.Offsets.SaveOffset(b.t.Context(), b.name(""), []byte("x")))
			b.start()
			b.write("", alerts("b"))
			b.check("b")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { inBubble(t, tt.from, tt.test) })
	}
}
