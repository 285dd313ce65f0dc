package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/server"
)

// TestStatusIsAHealthCheck: its exit status says whether the daemon takes alerts, in both formats.
func TestStatusIsAHealthCheck(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	answer := app.Status{Version: "v1", Began: time.Now()}
	control, err := server.OpenControl(t.Context(), filepath.Join(dir, server.ControlName), "v1", map[string]server.Call{
		app.CommandStatus: server.Answer(func(context.Context, app.Nothing) (app.Status, error) { return answer, nil }),
	}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- control.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		ready bool
		says  string
		code  int
	}{{true, "ready", 0}, {false, "NOT READY\n  the store is full", 1}} {
		answer.Ready = c.ready
		if !c.ready {
			answer.Problems = []string{"the store is full"}
		}
		code, stdout, stderr := run(t, "", "status", "--data-dir", dir)
		if code != c.code || !strings.Contains(stdout, c.says) || stderr != "" {
			t.Errorf("ready %t: exit status %d\n%s%s", c.ready, code, stdout, stderr)
		}
		if code, stdout, _ := run(t, "", "status", "--data-dir", dir, "-o", "json"); code != c.code || !strings.HasPrefix(stdout, "{") {
			t.Errorf("ready %t as JSON: exit status %d\n%s", c.ready, code, stdout)
		}
	}
	if code, _, stderr := run(t, "", "status", "--data-dir", filepath.Join(dir, "none")); code != 1 || !strings.Contains(stderr, "no daemon") {
		t.Errorf("without a daemon: exit status %d, %s", code, stderr)
	}
}
