package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/store/storetest/faultdisk"
)

// dieAtVar says before which operation on the disk a child dies, and cutDir where it leaves what a
// power cut at that moment would have left.
const (
	dieAtVar = "STORE_TEST_DIE_AT"
	cutDir   = "cut"
)

// childDier opens the log and closes it again, or is killed before an operation on the disk.
func childDier(dir string) error {
	at, err := strconv.Atoi(os.Getenv(dieAtVar))
	if err != nil {
		return err
	}
	disk, err := faultdisk.New(dir, uint64(at))
	if err != nil {
		return err
	}
	reached := make(chan bool)
	go func() { // not from within the operation, which holds the disk
		<-reached
		if err := disk.Cut(filepath.Join(dir, cutDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
	n := 0
	disk.Plan(func(op faultdisk.Op, _ string) faultdisk.Fault {
		if op == faultdisk.Read {
			return faultdisk.None
		}
		if n++; n == at {
			close(reached)
		}
		if n >= at {
			return faultdisk.EIO // nothing is done any more
		}
		return faultdisk.None
	})
	l, err := store.Open(context.Background(), dir, store.DefaultConfig())
	if err == nil {
		err = l.Close()
	}
	select {
	case <-reached:
		select {} // until it is dead
	default:
		return err
	}
}

// dieAt runs a child on dir that dies before its operation n. It reports whether it came that far.
func dieAt(t *testing.T, dir string, n int) (died bool) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(dir, cutDir), 0o700))
	cmd := child(t, "dier", dir)
	cmd.Env = append(cmd.Env, dieAtVar+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Exited() {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	return true
}

// TestMigrationInterrupted kills the migration before each of its operations on the disk, and cuts
// the power there: the next start finds all that was in the file.
func TestMigrationInterrupted(t *testing.T) {
	t.Parallel()
	n := 1
	for ; ; n++ {
		dir := schema1(t)
		if !dieAt(t, dir, n) {
			break
		}
		for _, dir := range []string{dir, filepath.Join(dir, cutDir)} {
			l := open(t, dir, store.DefaultConfig())
			isSchema1(t, l)
			must(t, l.Close())
		}
		if t.Failed() {
			t.Fatalf("before operation %d", n)
		}
	}
	if t.Logf("killed before each of %d operations", n-1); n < 10 {
		t.Error("that is too few to be a migration")
	}
}
