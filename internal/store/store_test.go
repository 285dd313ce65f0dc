package store_test

import (
	"cmp"
	"database/sql"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		os.Exit(runChild(name))
	}
	goleak.VerifyTestMain(m)
}

func TestLog(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, dir string) storetest.Engine { return open(t, dir, store.DefaultConfig()) })
}

// open opens a log that the test closes at its end, if not before.
func open(t testing.TB, dir string, c store.Config, opts ...store.Option) *store.Log {
	t.Helper()
	l, err := store.Open(t.Context(), dir, c, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// execSQL does to a file what an operator with sqlite3 could do.
func execSQL(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var seedOfRun = flag.Uint64("seed", 0, "what a long run that failed began with")

// random is the same in every short run, so that it fails for all or for none.
func random(t *testing.T) *rand.Rand {
	seed := uint64(1)
	if soak {
		seed = cmp.Or(*seedOfRun, rand.Uint64())
		t.Logf("seed %d", seed)
	}
	return rand.New(rand.NewPCG(seed, 0))
}

// rounds is n, or many more in a long run.
func rounds(n int) int { return either(n, 50*n) }

// either is the first in a short run, and the second in a long one.
func either(short, long int) int {
	if soak {
		return long
	}
	return short
}
