package cli

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/complete"
	"github.com/filelessd/filelessd/internal/manual"
)

//go:generate go test -run TestManualAndCompletions -update-manual .

var updateManual = flag.Bool("update-manual", false, "write the manual page and the completions")

const packaging = "../../examples/packaging"

// TestManualAndCompletions: the manual page and the completions of the packages are those of the commands.
func TestManualAndCompletions(t *testing.T) {
	parser, err := newParser(new(commands), IO{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	generated := map[string]string{"man/filelessd.1": manual.Program(parser.Model)}
	for shell, path := range map[string]string{
		"bash": "completions/filelessd.bash", "zsh": "completions/_filelessd", "fish": "completions/filelessd.fish",
	} {
		code, script, stderr := run(t, "", "completion", shell)
		if code != 0 || stderr != "" {
			t.Fatalf("completion %s: exit status %d, %s", shell, code, stderr)
		}
		generated[path] = script
	}
	for name, got := range generated {
		path := filepath.Join(packaging, name)
		if *updateManual {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is stale: run go generate ./internal/cli\n%s", path, diff)
		}
	}
	if _, err := complete.Script(parser.Model, "tcsh"); err == nil {
		t.Error("no error for a shell that there is no completion for")
	}
}
