package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func openTestLines(t *testing.T, d *disk, path string, rotate Rotate) *lines {
	t.Helper()
	l, err := openLines(Config{Path: path, Output: sink.Output{Format: "json"}, Rotate: rotate}, sinktest.Env(), d.openAt)
	must(t, err)
	t.Cleanup(func() {
		must(t, l.Close())
		if d.open != 0 {
			t.Errorf("%d files are still open", d.open)
		}
	})
	return l
}

func tempPath(t *testing.T) string { return filepath.Join(t.TempDir(), "reports.jsonl") }

func small(id string) *report.Report { return &report.Report{ID: id} }

// ids returns what the lines of a file are about; "?" is a line that is no report.
func ids(t *testing.T, path string) []string {
	t.Helper()
	var got []string
	for line := range strings.Lines(read(t, path)) {
		var r report.Report
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &r) != nil {
			r.ID = "?"
		}
		got = append(got, r.ID)
	}
	return got
}

func wantIDs(t *testing.T, path string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, ids(t, path)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(path), diff)
	}
}

func TestLinesAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "reports.jsonl")
	for _, id := range []string{"a", "b"} { // b after a restart
		l := openTestLines(t, newDisk(), path, Rotate{})
		must(t, l.Deliver(t.Context(), small(id)))
		must(t, l.Close())
	}
	wantIDs(t, path, "a", "b")
	if got := mode(t, path); got != 0o640 {
		t.Errorf("the file has mode %o", got)
	}
	if got := mode(t, filepath.Dir(path)).Perm(); got != 0o750 {
		t.Errorf("the directory has mode %o", got)
	}
}

func TestLinesRepairWhatACrashCut(t *testing.T) {
	whole, err := report.Marshal(small("a"))
	must(t, err)
	for cut := 0; cut < len(whole); cut += 13 {
		path := tempPath(t)
		must(t, os.WriteFile(path, append(slices.Clip(whole), append([]byte("\n"), whole[:cut]...)...), 0o600))
		l := openTestLines(t, newDisk(), path, Rotate{})
		must(t, l.Deliver(t.Context(), small("b")))
		must(t, l.Deliver(t.Context(), small("c")))
		must(t, l.Close())
		want := []string{"a", "?", "b", "c"}
		if cut == 0 {
			want = []string{"a", "b", "c"}
		}
		wantIDs(t, path, want...)
	}
}

func TestLinesRepairWhatAnErrorCut(t *testing.T) {
	path, d := tempPath(t), newDisk()
	l := openTestLines(t, d, path, Rotate{})
	must(t, l.Deliver(t.Context(), small("a")))

	d.set(syscall.ENOSPC, nil)
	if err := l.Deliver(t.Context(), small("b")); !errors.Is(err, syscall.ENOSPC) || sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	d.set(nil, syscall.EIO)
	if err := l.Deliver(t.Context(), small("c")); !errors.Is(err, syscall.EIO) || sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	d.set(nil, nil)
	must(t, l.Deliver(t.Context(), small("b")))
	must(t, l.Deliver(t.Context(), small("c")))
	// b was cut; c was written whole, but nobody could know that it would last.
	wantIDs(t, path, "a", "?", "c", "b", "c")
}

func TestLinesNoticeOthers(t *testing.T) {
	path := tempPath(t)
	l := openTestLines(t, newDisk(), path, Rotate{})
	must(t, l.Deliver(t.Context(), small("a")))

	must(t, os.Rename(path, path+"-20260301")) // logrotate
	must(t, l.Deliver(t.Context(), small("b")))
	wantIDs(t, path+"-20260301", "a")
	wantIDs(t, path, "b")

	must(t, os.Rename(path, path+"-20260302")) // logrotate with create
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, l.Deliver(t.Context(), small("c")))
	wantIDs(t, path+"-20260302", "b")
	wantIDs(t, path, "c")

	must(t, os.Remove(path))
	must(t, l.Deliver(t.Context(), small("d")))
	wantIDs(t, path, "d")

	must(t, os.Truncate(path, 0)) // logrotate with copytruncate
	must(t, l.Deliver(t.Context(), small("e")))
	wantIDs(t, path, "e")
}

func TestLinesRotate(t *testing.T) {
	path := tempPath(t)
	line, err := report.Marshal(small("0"))
	must(t, err)
	two := Size(2*len(line) + 3) // two lines and the newline that a torn one would need
	l := openTestLines(t, newDisk(), path, Rotate{MaxBytes: two, Keep: 3})
	for i := range 9 {
		must(t, l.Deliver(t.Context(), small(fmt.Sprint(i))))
	}
	wantIDs(t, path, "8")
	wantIDs(t, path+".1", "6", "7")
	wantIDs(t, path+".2", "4", "5")
	wantIDs(t, path+".3", "2", "3")
	if got := list(t, filepath.Dir(path)); len(got) != 4 {
		t.Errorf("files: %v", got)
	}

	must(t, os.Remove(path+".1")) // as after a crash in the middle of a rotation
	must(t, l.Deliver(t.Context(), small("9")))
	must(t, l.Deliver(t.Context(), small("a")))
	wantIDs(t, path, "a")
	wantIDs(t, path+".1", "8", "9")
	wantIDs(t, path+".3", "4", "5")
}

func TestLinesRotateKeepsOne(t *testing.T) {
	path := tempPath(t)
	l := openTestLines(t, newDisk(), path, Rotate{MaxBytes: 1, Keep: 1})
	for _, id := range []string{"a", "b", "c"} { // each larger than the limit, and a file of its own
		must(t, l.Deliver(t.Context(), small(id)))
	}
	wantIDs(t, path, "c")
	wantIDs(t, path+".1", "b")
	if got := list(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("files: %v", got)
	}
}

func TestLinesWaitForARotationThatFails(t *testing.T) {
	path := tempPath(t)
	l := openTestLines(t, newDisk(), path, Rotate{MaxBytes: 1, Keep: 1})
	must(t, l.Deliver(t.Context(), small("a")))
	must(t, os.MkdirAll(filepath.Join(path+".1", "occupied"), 0o750))
	if err := l.Deliver(t.Context(), small("b")); err == nil || sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	must(t, os.RemoveAll(path+".1"))
	must(t, l.Deliver(t.Context(), small("b")))
	wantIDs(t, path+".1", "a")
	wantIDs(t, path, "b")
}

func TestLinesRotateUnderConcurrency(t *testing.T) {
	path := tempPath(t)
	l := openTestLines(t, newDisk(), path, Rotate{MaxBytes: 8 << 10, Keep: 1000})
	var group sync.WaitGroup
	var want []string
	for i := range 64 {
		id := fmt.Sprintf("%03d", i)
		want = append(want, id)
		group.Go(func() {
			if err := l.Deliver(t.Context(), small(id)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var got []string
	files := list(t, filepath.Dir(path))
	for _, name := range files {
		got = append(got, ids(t, filepath.Join(filepath.Dir(path), name))...)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("over all files (-want +got):\n%s", diff)
	}
	if len(files) < 2 {
		t.Errorf("never rotated: %v", files)
	}
}

func TestLinesShareASync(t *testing.T) {
	path := tempPath(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openTestLines(t, d, path, Rotate{})
		_, release := d.hold()
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				if err := l.Deliver(t.Context(), small(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // the first is being synced; the others wait
		}
		release()
		group.Wait()
		if d.syncs != 2 {
			t.Errorf("%d syncs for 1 and 9 lines", d.syncs)
		}
	})
	wantIDs(t, path, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
}

func TestLinesHeldUp(t *testing.T) {
	path := tempPath(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openTestLines(t, d, path, Rotate{})
		_, release := d.hold()
		for _, want := range []string{path + ": the write is held up: ", path + ": an earlier write is held up: "} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := l.Deliver(ctx, small("a"))
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		closed := make(chan struct{})
		go func() { defer close(closed); _ = l.Close() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait for the write")
		default:
		}
		release()
		<-closed
		if err := l.Deliver(t.Context(), small("b")); err == nil || sink.IsPermanent(err) {
			t.Errorf("after Close: %v", err)
		}
	})
	wantIDs(t, path, "a")
}

func TestLinesOpenFindsMistakes(t *testing.T) {
	dir := t.TempDir()
	occupied, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	must(t, os.WriteFile(occupied, nil, 0o600))
	must(t, syscall.Mkfifo(fifo, 0o600))
	for path, want := range map[string]string{
		dir: "is a directory", filepath.Join(occupied, "below"): "not a directory", fifo: "not a regular file",
		"/dev/null": "not a regular file",
	} {
		_, err := Kind.Open(t.Context(), Config{Path: path, Output: sink.Output{Format: "json"}}, sinktest.Env())
		if err == nil || !strings.HasPrefix(err.Error(), "path: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

// TestTemplateLines: a template of several lines makes one line of the file.
func TestTemplateLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reports.log")
	c := Config{Path: path, Output: sink.Output{Format: sink.FormatTemplate, Template: "{{.Kind}}\n{{.ID}}\n"}, Rotate: Kind.Default().Rotate}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(t.Context(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*report.Report{sinktest.Loss(), sinktest.Hostile()} {
		if err := s.Deliver(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, path), "loss "+sinktest.Loss().ID+"\nalert "+sinktest.Hostile().ID+"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLinesLooksAgainBeforeItsFirst: between Open and the first delivery another sink can still write to the
// file, which this one takes the place of.
func TestLinesLooksAgainBeforeItsFirst(t *testing.T) {
	path := tempPath(t)
	l := openTestLines(t, &disk{}, path, Rotate{Keep: 1})
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString(`{"id":"cut sho`)
	must(t, errors.Join(err, f.Close()))
	must(t, l.Deliver(t.Context(), small("whole")))
	wantIDs(t, path, "?", "whole")
}
