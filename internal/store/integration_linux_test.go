//go:build integration

package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// smallDisk mounts a file system of so many bytes for the test.
func smallDisk(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("size=%d,mode=0700", size))
	if err != nil {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf("FILELESSD_INTEGRATION=1 asks for a small disk: %v", err)
		}
		t.Skipf("a small tmpfs can not be mounted (who may mount can run this test): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill takes what room is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	for size := 1 << 20; size > 0; size /= 2 { // the last block too
		for err = nil; err == nil; {
			_, err = io.CopyN(f, zeros{}, int64(size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	must(t, f.Close())
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// fullDisk is a log on a small disk, and what it acknowledged.
type fullDisk struct {
	*testing.T
	log   *store.Log
	path  string
	acked []store.Record
}

// untilFull appends until the disk is full, and returns what was refused.
func (d *fullDisk) untilFull() store.Record {
	d.Helper()
	for {
		r := recordOf(fmt.Sprint("full disk", len(d.acked)))
		r.Body = bytes.Repeat(r.Body, 3)
		n, err := d.log.Append(d.Context(), r)
		if err != nil {
			if !strings.Contains(err.Error(), d.path) || !strings.Contains(err.Error(), "full") || d.log.Err() == nil {
				d.Fatalf("the error of a full disk: %v; Err: %v", err, d.log.Err())
			}
			return r
		}
		if n != 1 {
			d.Fatalf("%d records added", n)
		}
		d.acked = append(d.acked, r)
	}
}

// check reads all that was acknowledged.
func (d *fullDisk) check() {
	d.Helper()
	if d.log.LastSeq() != uint64(len(d.acked)) {
		d.Fatalf("%d records, acknowledged %d", d.log.LastSeq(), len(d.acked))
	}
	for i, r := range readAll(d.T, d.log, len(d.acked)) {
		if want := d.acked[i]; r.Seq != uint64(i)+1 || r.ID != want.ID || !bytes.Equal(r.Body, want.Body) {
			d.Fatalf("record %d is %d, %s, of %d bytes", i+1, r.Seq, r.ID, len(r.Body))
		}
	}
}

// takesAgain waits until the log has noticed that there is room, and appends what was refused.
func (d *fullDisk) takesAgain(refused store.Record) {
	d.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.log.Err() != nil {
		select {
		case <-tick.C: // it has to notice by itself
		case <-d.Context().Done():
			d.Fatal(d.log.Err())
		}
	}
	for want := 1; want >= 0; want-- {
		if n, err := d.log.Append(d.Context(), refused); err != nil || n != want {
			d.Fatalf("append once there is room: %d, %v; want %d", n, err, want)
		}
	}
	d.acked = append(d.acked, refused)
}

// TestIntegrationFullDisk: on a disk without room appends fail with an error that says so, nothing
// acknowledged is lost, not by a restart on the full disk either, and the log goes on by itself when
// there is room again.
func TestIntegrationFullDisk(t *testing.T) {
	dir := smallDisk(t, 6<<20)
	d := &fullDisk{T: t, path: filepath.Join(dir, "filelessd.db")}
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
	d.log = open(t, dir, store.DefaultConfig())
	openCursor(t, d.log, "a", 0)

	refused := d.untilFull()
	d.check()
	for range 3 {
		if _, err := d.log.Append(t.Context(), refused); err == nil {
			t.Fatal("a full disk took a record")
		}
	}
	must(t, os.Remove(ballast))
	d.takesAgain(refused)
	must(t, d.log.Settle(t.Context(), "a", store.Settlement{UpTo: d.log.LastSeq()}))
	d.check()

	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	refused = d.untilFull()
	must(t, d.log.Close())
	rest := filepath.Join(dir, "rest")
	fill(t, rest)
	l, err := store.Open(t.Context(), dir, store.DefaultConfig())
	if err == nil {
		t.Log("it opens on the full disk")
		must(t, l.Close())
	} else if t.Logf("it does not open on the full disk: %v", err); !strings.Contains(err.Error(), d.path) {
		t.Errorf("the error does not name the file")
	}
	must(t, os.Remove(rest))
	d.log = open(t, dir, store.DefaultConfig())
	d.check()
	must(t, os.Remove(ballast))
	d.takesAgain(refused)
	d.check()
	must(t, d.log.Close())
}
