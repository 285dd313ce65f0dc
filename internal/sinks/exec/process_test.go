package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// At the end of its time the program is killed with its children.
func TestTimeOutKillsTheGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	to := openExec(t, Config{Command: append(sh(`sleep 600 & echo $! $$ >"$0"; wait`), pids)})
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- to.Deliver(ctx, sinktest.Ordinary()) }()
	both := waitForPids(t, pids, 2)
	cancel(context.DeadlineExceeded)
	err := <-done
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "run /bin/sh: killed: context deadline exceeded" {
		t.Errorf("got %v", err)
	}
	waitUntilGone(t, both)
}

// What the program leaves running is ended as well, and nobody waits for it though it holds the pipes.
func TestNothingIsLeftBehind(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	to := openExec(t, Config{Command: append(sh(`sleep 600 & echo $! >"$0"`), pids)})
	if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
		t.Error(err)
	}
	waitUntilGone(t, waitForPids(t, pids, 1))
}

func waitForPids(t *testing.T, path string, n int) []int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		text, _ := os.ReadFile(path)
		if fields := strings.Fields(string(text)); len(fields) == n && strings.HasSuffix(string(text), "\n") {
			var pids []int
			for _, field := range fields {
				pid, err := strconv.Atoi(field)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
			return pids
		}
	}
	t.Fatal("the program did not start")
	return nil
}

// waitUntilGone waits until the processes ended; one that nobody has waited for yet counts as that.
func waitUntilGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		gone := false
		for deadline := time.Now().Add(30 * time.Second); !gone && time.Now().Before(deadline); {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			gone = errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && bytes.Contains(stat, []byte(") Z "))
		}
		if !gone {
			t.Errorf("process %d still runs", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A program that never stops to write is read, so that it can go on, and not kept.
func TestOutputIsCapped(t *testing.T) {
	to := openExec(t, Config{Command: sh("head -c 20000000 /dev/zero | tr '\\0' x; exit 1")})
	err := to.Deliver(t.Context(), sinktest.Ordinary())
	if want := "run /bin/sh: exit status 1: \"" + strings.Repeat("x", 300) + "…\""; err == nil || err.Error() != want {
		t.Errorf("got %.400v", err)
	}
	var b beginning
	for range 3 {
		if n, err := b.Write(make([]byte, 3000)); n != 3000 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if b.Len() != maxSaid {
		t.Errorf("kept %d bytes", b.Len())
	}
}
