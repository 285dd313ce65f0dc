//go:build integration

package cli

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testca"
)

// The integration tests run the daemon with the programs that stand beside it in real life: sqlite3,
// systemd, logrotate, nginx, curl. `make integration` runs them.

// outputOf runs a program to its end, which must be a good one, and returns what it said on both.
func outputOf(t *testing.T, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := runProgram(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %q: exit status %d\n%s%s", filepath.Base(name), args, code, stdout, stderr)
	}
	return stdout, stderr
}

// runProgram runs a program to its end.
func runProgram(t *testing.T, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, "", err.Error() // it did not start
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// postAll posts all alerts, one after another.
func (d *testDaemon) postAll(lines [][]byte) {
	d.t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i, line := range lines {
		if !d.post(client, line) {
			d.t.Fatalf("alert %d was not accepted", i)
		}
	}
}

// complains returns what the program logged as a warning or worse.
func (p *process) complains() string {
	p.t.Helper()
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if !strings.Contains(line, `"level":"info"`) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// certificates are PEM files of an authority and of a server at 127.0.0.1 and localhost.
type certificates struct{ ca, cert, key string }

func newCertificates(t *testing.T) certificates {
	t.Helper()
	a := testca.New(t, t.TempDir(), "ca")
	a.Issue(t, "server")
	return certificates{ca: a.File("ca.pem"), cert: a.File("server.pem"), key: a.File("server.key")}
}
