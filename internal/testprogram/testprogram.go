// Package testprogram finds the real programs that integration tests run against.
package testprogram

import (
	"os"
	"os/exec"
	"testing"
)

// Find returns the path of a program, which is in a package of Debian. Without it the test is
// skipped; but where FILELESSD_INTEGRATION is 1, as in `make integration`, it fails, so that a run
// which was to show something does not pass by leaving it out.
func Find(t testing.TB, name, pkg string) string {
	t.Helper()
	// Daemons are in directories that a user's PATH often lacks.
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	const text = "there is no %s (apt-get install %s)"
	if os.Getenv("FILELESSD_INTEGRATION") == "1" {
		t.Fatalf("FILELESSD_INTEGRATION=1, but "+text, name, pkg)
	}
	t.Skipf(text, name, pkg)
	return ""
}
