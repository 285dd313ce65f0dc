package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestProblems reads each testdata/problems/*.yaml and compares what a user is told with the .txt
// beside it.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	env := testEnv(map[string]string{
		"SECRET": "hunter2-and-more", "WORD": "hunter2", "SHORT": "hu", "EMPTY": "",
		"EXPRESSION": `severity >= high && hunter2`,
	})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("config.yaml", data, env)
			if err == nil {
				t.Fatal("no problem")
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "hunter") || strings.Contains(got, "-and-more") {
				t.Errorf("shows a secret:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
