package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestWithoutDaemon: what only reads says the same whether a daemon runs or not, and leaves the log as it
// is.
func TestWithoutDaemon(t *testing.T) {
	receiver := newReceiver(t)
	receiver.refuse("no")
	d := newDaemon(t, receiver.URL, "")
	if code, _, stderr := run(t, "", "deadletters", "list", "-c", d.config); code != 1 || !strings.Contains(stderr, "there is no log in") {
		t.Errorf("%d %s", code, stderr)
	}
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const n = 250 // more than a part of an export
	lines, ids := alerts(t, n)
	for _, line := range lines {
		if !d.post(client, line) {
			t.Fatal("not accepted")
		}
	}
	commands := [][]string{
		{"deadletters", "list", "-o", "json"}, {"deadletters", "show", "-o", "json", ids[0]},
		{"explain", ids[1]}, {"store", "export"}, {"store", "export", "--since", "1h"},
	}
	waitFor(t, "the dead letters", func() bool {
		return len(decode[[]app.DeadLetter](t, mustRun(t, "deadletters", "list", "-o", "json", "-c", d.config))) == n
	})
	said := map[string]string{}
	for _, args := range commands {
		said[strings.Join(args, " ")] = mustRun(t, append(args, "-c", d.config)...)
	}
	p.signal(syscall.SIGTERM)
	for _, args := range commands {
		if got := mustRun(t, append(args, "-c", d.config)...); got != said[strings.Join(args, " ")] {
			t.Errorf("%q: %d bytes, were %d with the daemon:\n%.2000s\n%.2000s", args, len(got), len(said[strings.Join(args, " ")]), got, said[strings.Join(args, " ")])
		}
	}
	exported := strings.Split(strings.TrimSpace(said["store export"]), "\n")
	if len(exported) != n || said["store export"] != said["store export --since 1h"] {
		t.Fatalf("%d exported", len(exported))
	}
	for i, line := range exported {
		if r := decode[report.Report](t, line); r.ID != ids[i] || len(r.Actions) == 0 {
			t.Fatalf("line %d is %s with %d actions, want %s", i, r.ID, len(r.Actions), ids[i])
		}
	}
	if text := mustRun(t, "store", "export", "--since", "2099-01-01", "-c", d.config); text != "" {
		t.Error(text)
	}
	if code, _, stderr := run(t, "", "deadletters", "drop", "--all", "-c", d.config); code != 1 || !strings.Contains(stderr, "no daemon runs") {
		t.Errorf("%d %s", code, stderr)
	}
	// A daemon whose socket somebody has removed keeps its log to itself.
	p = d.run()
	if err := os.Remove(filepath.Join(d.dir, "data", "control.sock")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "", "deadletters", "list", "-c", d.config); code != 1 || !strings.Contains(stderr, "in use by another filelessd") {
		t.Errorf("%d %s", code, stderr)
	}
	receiver.refuse("")
	p.signal(syscall.SIGTERM)
	if p.code() != 0 {
		t.Errorf("exit status %d", p.code())
	}
}
