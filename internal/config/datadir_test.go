package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadDataDir: nothing else of the file has to be right, but what is asked for.
func TestLoadDataDir(t *testing.T) {
	for _, c := range []struct{ text, dir, says string }{
		{"data_dir: /srv/f\nsinks: {soc: {type: webhook, url: '${NOT_SET}'}}\nsources: {x: 5}\n", "/srv/f", ""},
		{"log: {level: info}\n", Default().DataDir, ""},
		{"data_dir: [1]\n", "", "data_dir"},
		{"data_dir: ''\n", "", "data_dir: empty"},
		{"data_dir: '${NOT_SET}'\n", "", "NOT_SET"},
		{"data_dir: [\n", "", "config.yaml:"},
	} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		dir, err := LoadDataDir(file, Env{})
		if dir != c.dir || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %q, %v", c.text, dir, err)
		}
	}
}
