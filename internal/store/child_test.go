package store_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// The test binary starts itself to have a second process. childVar tells it what to be.
const (
	childVar = "STORE_TEST_CHILD"
	dirVar   = "STORE_TEST_DIR"
)

var children = map[string]func(dir string) error{
	"appender": childAppender,
	"opener":   childOpener,
	"disk":     childDisk,
	"dier":     childDier,
}

func runChild(name string) int {
	if err := children[name](os.Getenv(dirVar)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(t *testing.T, name, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+name, dirVar+"="+dir)
	return cmd
}

// recordOf makes a record whose body follows from its ID.
func recordOf(name string) store.Record {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	return store.Record{ID: id, Body: bodyOf(id), At: time.Unix(int64(sum[0]), 0)}
}

func bodyOf(id string) []byte { return []byte(strings.Repeat(id, 1+int(id[0]%16)*6)) }

// childAppender appends and settles until it is killed. It writes "a" and an ID for each record that
// was acknowledged, "s" and a number for each settled position.
func childAppender(dir string) error {
	ctx := context.Background()
	l, err := store.Open(ctx, dir, store.DefaultConfig())
	if err != nil {
		return err
	}
	pos, _, err := l.OpenCursor(ctx, "c", store.StartOldest)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				var recs []store.Record
				for j := range 1 + (w+i)%5 {
					recs = append(recs, recordOf(fmt.Sprint(os.Getpid(), w, i, j)))
				}
				if _, err := l.Append(ctx, recs...); err != nil {
					failed <- err
				}
				for _, r := range recs {
					fmt.Println("a", r.ID)
				}
			}
		}()
	}
	go func() {
		for {
			recs, err := l.Read(ctx, pos, 10)
			if err == nil {
				pos = recs[len(recs)-1].Seq
				err = l.Settle(ctx, "c", store.Settlement{UpTo: pos, Changes: []store.Change{{Kind: "at", Key: "x", Body: fmt.Append(nil, pos)}}})
			}
			if err != nil {
				failed <- err
			}
			fmt.Println("s", pos)
		}
	}()
	return <-failed
}

// childOpener only opens the log and closes it again.
func childOpener(dir string) error {
	l, err := store.Open(context.Background(), dir, store.DefaultConfig())
	if err != nil {
		return err
	}
	return l.Close()
}

// childDisk appends while the system refuses to let files grow, which stands for a disk that is
// full or fails, and once more when it lets them.
func childDisk(dir string) error {
	ctx := context.Background()
	l, err := store.Open(ctx, dir, store.DefaultConfig())
	if err != nil {
		return err
	}
	if _, err := l.Append(ctx, recordOf("before")); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, "filelessd.db-wal"))
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: uint64(info.Size()) + 8000, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	big := recordOf("during")
	big.Body = make([]byte, 100_000)
	for range 3 {
		_, err := l.Append(ctx, big)
		if err == nil || !strings.Contains(err.Error(), dir) || l.Err() == nil {
			return fmt.Errorf("append to a disk that fails: %w; Err: %w", err, l.Err())
		}
	}
	if _, err := l.Get(ctx, big.ID); !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("what was not stored: %w", err)
	}
	if _, err := l.Get(ctx, recordOf("before").ID); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for wait := time.NewTicker(time.Millisecond); l.Err() != nil; {
		<-wait.C // it has to notice by itself
	}
	if n, err := l.Append(ctx, big, recordOf("after")); err != nil || n != 2 {
		return fmt.Errorf("append after the disk came back: %d, %w", n, err)
	}
	if err := l.Close(); err != nil {
		return err
	}
	if l, err = store.Open(ctx, dir, store.DefaultConfig()); err != nil {
		return err
	}
	recs, err := l.Read(ctx, 0, 10)
	if err != nil || len(recs) != 3 || len(recs[1].Body) != len(big.Body) {
		return fmt.Errorf("read %d records: %w", len(recs), err)
	}
	return l.Close()
}

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	if out, err := child(t, "disk", t.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, store.DefaultConfig())
	out, err := child(t, "opener", dir).CombinedOutput()
	want := fmt.Sprintf("%s is in use by another filelessd (process %d)\n", dir, os.Getpid())
	if err == nil || string(out) != want {
		t.Errorf("a second process: %v\n%swant %s", err, out, want)
	}
	if _, err := store.Open(t.Context(), dir, store.DefaultConfig()); err == nil {
		t.Error("opened twice in one process")
	}
	if _, err := l.Append(t.Context(), recordOf("x")); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, "opener", dir).CombinedOutput(); err != nil {
		t.Errorf("after the first has closed: %v\n%s", err, out)
	}
}

// acked is what a child was told is on the disk.
type acked struct {
	ids     []string
	settled uint64
}

// killAfter runs an appender and kills it once it has written some lines.
func killAfter(t *testing.T, dir string, lines int, a *acked) {
	cmd := child(t, "appender", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	in := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil { // a line that was cut does not count
			break
		}
		if kind, rest, _ := strings.Cut(strings.TrimSpace(line), " "); kind == "a" {
			a.ids = append(a.ids, rest)
		} else if _, err := fmt.Sscan(rest, &a.settled); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if n == lines {
			wg.Go(func() { _ = cmd.Process.Kill() }) // it writes on until it dies
		}
	}
	wg.Wait()
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the child: %s", stderr.String())
	}
}
