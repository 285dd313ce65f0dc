package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func openTestDir(t *testing.T, format string) (s sink.Sink, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "deep", "reports")
	s, err := Kind.Open(t.Context(), Config{Dir: dir, Output: sink.Output{Format: format}}, sinktest.Env())
	must(t, err)
	return s, dir
}

func TestDirNames(t *testing.T) {
	for format, ext := range map[string]string{
		"ecs": ".json", "html": ".html", "json": ".json", "markdown": ".md", "ocsf": ".json", "text": ".txt",
	} {
		s, dir := openTestDir(t, format)
		if got := mode(t, dir).Perm(); got != 0o750 {
			t.Errorf("the directory has mode %o", got)
		}
		if got := list(t, dir); len(got) != 0 {
			t.Errorf("Open left %v", got)
		}
		var want []string
		for _, r := range sinktest.Reports() {
			for range 2 { // the second replaces the first
				must(t, s.Deliver(t.Context(), r))
			}
			want = append(want, r.ID+ext)
			if got := mode(t, filepath.Join(dir, r.ID+ext)); got != 0o640 {
				t.Errorf("%s has mode %o", r.ID, got)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, list(t, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

func TestDirJSONEndsItsLine(t *testing.T) {
	s, dir := openTestDir(t, "json")
	r := sinktest.Ordinary()
	must(t, s.Deliver(t.Context(), r))
	line, err := report.Marshal(r)
	must(t, err)
	if got := read(t, filepath.Join(dir, r.ID+".json")); got != string(line)+"\n" {
		t.Errorf("got %s", got)
	}
}

func TestDirTakesNoHostileID(t *testing.T) {
	s, dir := openTestDir(t, "json")
	for _, id := range []string{
		"", ".", "..", "../escape", "/etc/escape", "a/b", `a\b`, ".hidden", "a.b", "a\x00b", "a\nb", "a b", "\u202ea", "\xff",
		strings.Repeat("a", 129),
	} {
		if err := s.Deliver(t.Context(), &report.Report{ID: id}); !sink.IsPermanent(err) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if got := list(t, filepath.Dir(dir)); !slices.Equal(got, []string{"reports"}) {
		t.Errorf("beside the directory: %v", got)
	}
	if got := list(t, dir); len(got) != 0 {
		t.Errorf("written: %v", got)
	}
	for _, id := range []string{"0", "test-1", "A_b", strings.Repeat("a", 128)} {
		must(t, s.Deliver(t.Context(), &report.Report{ID: id}))
	}
}

func TestDirSweepsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for name, at := range map[string]time.Time{
		".filelessd-1.tmp": old, ".filelessd-2.tmp": time.Now(), ".other-1.tmp": old, "report.json": old,
	} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte("{half"), 0o600))
		must(t, os.Chtimes(path, at, at))
	}
	_, err := Kind.Open(t.Context(), Config{Dir: dir, Output: sink.Output{Format: "json"}}, sinktest.Env())
	must(t, err)
	want := []string{".filelessd-2.tmp", ".other-1.tmp", "report.json"}
	if diff := cmp.Diff(want, list(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDirFollowsNoLink(t *testing.T) {
	s, dir := openTestDir(t, "json")
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("precious"), 0o600))
	r := sinktest.Ordinary()
	must(t, os.Symlink(victim, filepath.Join(dir, r.ID+".json")))
	must(t, s.Deliver(t.Context(), r))
	if got := read(t, victim); got != "precious" {
		t.Errorf("the link's target now has %q", got)
	}
	if !mode(t, filepath.Join(dir, r.ID+".json")).IsRegular() {
		t.Error("the link is still there")
	}
}

func TestDirCleansUpAfterAnError(t *testing.T) {
	s, dir := openTestDir(t, "json")
	r := sinktest.Ordinary()
	must(t, os.MkdirAll(filepath.Join(dir, r.ID+".json", "occupied"), 0o750))
	if err := s.Deliver(t.Context(), r); err == nil || sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{r.ID + ".json"}) {
		t.Errorf("left: %v", got)
	}
}

func TestDirOpenFindsMistakes(t *testing.T) {
	occupied := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(occupied, nil, 0o600))
	for _, dir := range []string{occupied, filepath.Join(occupied, "below"), "/proc/filelessd"} {
		_, err := Kind.Open(t.Context(), Config{Dir: dir, Output: sink.Output{Format: "json"}}, sinktest.Env())
		if err == nil || !strings.HasPrefix(err.Error(), "dir: ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if os.Geteuid() == 0 {
		return // root writes everywhere
	}
	locked := t.TempDir()
	must(t, os.Chmod(locked, 0o500))
	if _, err := Kind.Open(t.Context(), Config{Dir: locked, Output: sink.Output{Format: "json"}}, sinktest.Env()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestDirReportThatCanNotBeRenderedIsFinal(t *testing.T) {
	env := sinktest.Env()
	env.Render = func(string, *report.Report) ([]byte, error) { return nil, errors.New("no") }
	s, err := Kind.Open(context.Background(), Config{Dir: t.TempDir(), Output: sink.Output{Format: "json"}}, env)
	must(t, err)
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); !sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}
