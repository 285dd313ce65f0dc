package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever the file holds, it is a configuration that passes Validate again, or an
// *Error with places inside the file and no secret.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/contract.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal + "http: {token: !x 'a', listen: \"\\x41\"}\n? a\n: &b |2-\n  c\n<<: *b\n"))
	f.Add([]byte("\"\t\\%")) // a place behind the end of its line
	f.Add([]byte("#\r\n'"))  // a place behind the last line
	const hidden = "Zq9-Zq9-Zq9-Zq9"
	env := testEnv(map[string]string{"SOC_SECRET": hidden, "SECRET": hidden, "WORD": "json", "X": "1"})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("c", data, env)
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Fatalf("accepted, but: %v", err)
			}
			_ = AppendOutput(c.Needs())
			return
		}
		wrong, ok := errors.AsType[*Error](err)
		if !ok || len(wrong.Problems) == 0 {
			t.Fatalf("a %T: %v", err, err)
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, p := range wrong.Problems {
			if p.Message == "" || p.Pos.Line < 0 || p.Pos.Line > lines || (p.Pos.Line > 0) != (p.Pos.Column > 0) {
				t.Fatalf("not a useful problem: %+v", p)
			}
		}
		if strings.Contains(err.Error(), hidden) && !strings.Contains(string(data), hidden) {
			t.Fatalf("shows a secret: %v", err)
		}
	})
}
