package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/store/storetest/faultdisk"
)

// faulty is a log on a disk that fails, and what it acknowledged.
type faulty struct {
	*testing.T
	disk *faultdisk.Disk
	log  *store.Log

	mu      sync.Mutex
	acked   []string
	failed  int
	settled uint64
}

// TestFaults: whatever the disk does (no room, errors, short writes, failed syncs, and a power cut at
// any time), what was acknowledged is on it, and the log goes on by itself when the disk does.
func TestFaults(t *testing.T) {
	t.Parallel()
	r := random(t)
	total, failed := 0, 0
	for range rounds(5) {
		f := newFaulty(t, r.Uint64())
		f.run(r.Uint64(), 400)
		total += len(f.acked)
		failed += f.failed
	}
	t.Logf("%d records were acknowledged, %d appends failed", total, failed)
	if total < 100 || failed < 10 {
		t.Errorf("%d records were acknowledged and %d appends failed: too few to tell anything", total, failed)
	}
}

// TestFailedSyncLeavesNoDamage: of a transaction whose sync failed, the write-ahead log keeps what the next
// one, which is shorter, does not overwrite. Nobody was told of it.
func TestFailedSyncLeavesNoDamage(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) { // of it anything can be on the disk
		f := newFaulty(t, seed)
		put := func(recs ...store.Record) error {
			_, err := f.log.Append(t.Context(), recs...)
			for _, r := range recs {
				f.note(r.ID, err)
			}
			return err
		}
		var long []store.Record
		for i := range 20 {
			long = append(long, recordOf(fmt.Sprint("long", i)))
		}
		must(t, put(recordOf("before")))
		f.disk.Plan(func(op faultdisk.Op, _ string) faultdisk.Fault {
			if op == faultdisk.Sync {
				return faultdisk.EIO
			}
			return faultdisk.None
		})
		if put(long...) == nil {
			t.Fatal("acknowledged without a sync")
		}
		f.disk.Plan(nil)
		must(t, put(recordOf("after")))
		f.cut()
		must(t, f.log.Close())
	}
}

func newFaulty(t *testing.T, seed uint64) *faulty {
	dir := t.TempDir()
	must(t, open(t, dir, store.DefaultConfig()).Close()) // how a new file is created is another test
	disk, err := faultdisk.New(dir, seed)
	must(t, err)
	t.Cleanup(disk.Remove)
	c := store.DefaultConfig()
	c.MaxBytes = 64 << 20 // so that the write-ahead log is merged often
	f := &faulty{T: t, disk: disk, log: open(t, dir, c)}
	openCursor(t, f.log, "c", 0)
	return f
}

// run appends and settles while the disk fails now and then, and cuts the power three times.
func (f *faulty) run(seed uint64, ops int) {
	r := rand.New(rand.NewPCG(seed, 2))
	cuts := map[int]bool{r.IntN(ops): true, r.IntN(ops): true, r.IntN(ops): true}
	f.disk.Plan(failNowAndThen(r))
	ctx, cancel := context.WithCancel(f.Context())
	var working sync.WaitGroup
	for w := range 3 {
		working.Go(func() { f.append(ctx, fmt.Sprint(seed, w)) })
	}
	working.Go(func() { f.settle(ctx) })
	for n := range ops {
		one := recordOf(fmt.Sprint(seed, "main", n))
		_, err := f.log.Append(ctx, one)
		f.note(one.ID, err)
		if cuts[n] {
			f.cut()
		}
	}
	cancel()
	working.Wait()
	f.disk.Plan(nil)
	waitFor(f.T, func() bool { return f.log.Err() == nil }) // by itself
	last := recordOf(fmt.Sprint(seed, "last"))
	_, err := f.log.Append(f.Context(), last)
	f.note(last.ID, err)
	must(f.T, err)
	f.verify(f.log, f.acked, f.settled)
	must(f.T, f.log.Close())
	f.cut()
}

// failNowAndThen has spells of faults of one kind, a few operations long.
func failNowAndThen(r *rand.Rand) func(faultdisk.Op, string) faultdisk.Fault {
	left, kind := 0, faultdisk.None
	return func(op faultdisk.Op, _ string) faultdisk.Fault {
		if left == 0 {
			left, kind = 1+r.IntN(60), faultdisk.None
			if r.IntN(4) == 0 {
				left, kind = 1+r.IntN(8), faultdisk.Fault(1+r.IntN(3))
			}
		}
		left--
		if op == faultdisk.Read && kind != faultdisk.EIO || op == faultdisk.Sync && r.IntN(2) == 0 {
			return faultdisk.None
		}
		return kind
	}
}

func (f *faulty) append(ctx context.Context, name string) {
	for i := 0; ctx.Err() == nil; i++ {
		r := recordOf(fmt.Sprint(name, i))
		_, err := f.log.Append(ctx, r)
		f.note(r.ID, err)
	}
}

func (f *faulty) note(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.acked = append(f.acked, id)
	case !errors.Is(err, context.Canceled):
		f.failed++
	}
}

func (f *faulty) settle(ctx context.Context) {
	for ctx.Err() == nil {
		pos := f.log.LastSeq()
		s := store.Settlement{UpTo: pos, Changes: []store.Change{{Kind: "at", Key: "x", Body: fmt.Append(nil, pos)}}}
		if f.log.Settle(ctx, "c", s) == nil {
			f.mu.Lock()
			f.settled = pos
			f.mu.Unlock()
		}
	}
}

// cut looks at what a power cut would leave now: what was acknowledged before it has to be there.
func (f *faulty) cut() {
	f.Helper()
	f.mu.Lock()
	acked, settled := f.acked[:len(f.acked):len(f.acked)], f.settled
	f.mu.Unlock()
	dir := f.TempDir()
	must(f.T, f.disk.Cut(dir))
	good, err := faultdisk.New(dir, 0) // only because it is fast
	must(f.T, err)
	defer good.Remove()
	l, err := store.Open(f.Context(), dir, store.DefaultConfig(), store.OnDamage(func(seq uint64, err error) {
		f.Errorf("record %d: %v", seq, err)
	}))
	must(f.T, err)
	f.verify(l, acked, settled)
	must(f.T, l.Close())
}

func (f *faulty) verify(l *store.Log, acked []string, settled uint64) {
	f.Helper()
	stored := map[string]bool{}
	for after := uint64(0); after < l.LastSeq(); {
		recs, err := l.Read(f.Context(), after, 1000)
		must(f.T, err)
		for _, r := range recs {
			if r.Seq != after+1 || stored[r.ID] || !bytes.Equal(r.Body, bodyOf(r.ID)) {
				f.Fatalf("record %d, %s, behind %d: %d bytes", r.Seq, r.ID, after, len(r.Body))
			}
			after, stored[r.ID] = r.Seq, true
		}
	}
	for i, id := range acked {
		if !stored[id] {
			f.Fatalf("record %s, the %d. of %d, was acknowledged and is gone", id, i, len(acked))
		}
	}
	pos, state, err := l.OpenCursor(f.Context(), "c", store.StartOldest)
	if err != nil || pos < settled || pos > 0 && (len(state) != 1 || string(state[0].Body) != fmt.Sprint(pos)) {
		f.Fatalf("cursor at %d with %+v, %v; settled %d of %d", pos, state, err, settled, l.LastSeq())
	}
}
