package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/pkg/event"
)

func BenchmarkFile(b *testing.B) {
	alert := readLines(b, recordings+"http-json.file-output.jsonl")[0] + "\n"
	path := filepath.Join(b.TempDir(), "events.json")
	if err := os.WriteFile(path, []byte(strings.Repeat(alert, b.N)), 0o600); err != nil {
		b.Fatal(err)
	}
	env := testEnv(b)
	env.Log = zerolog.Nop()
	f, err := OpenFile(FileConfig{Path: path, From: "beginning"}, env)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	n := 0
	b.SetBytes(int64(len(alert)))
	b.ReportAllocs()
	b.ResetTimer()
	err = f.Run(ctx, func(_ context.Context, events []event.Event) error {
		if n += len(events); n == b.N {
			cancel()
		}
		return nil
	})
	if err != nil || n != b.N {
		b.Fatal(n, err)
	}
}

// A look at a file to which nothing was added.
func BenchmarkFileIdle(b *testing.B) {
	path := filepath.Join(b.TempDir(), "events.json")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	w := &walker{path: path, fromEnd: true, log: zerolog.Nop()}
	defer w.close()
	b.ReportAllocs()
	for b.Loop() {
		if c, err := w.next(); c.size != 0 || err != nil {
			b.Fatal(c, err)
		}
	}
}
