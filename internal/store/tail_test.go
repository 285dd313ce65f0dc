package store

import (
	"errors"
	"testing"
	"testing/synctest"
)

func numbered(first, last uint64, size int, value any) (recs []Record) {
	for seq := first; seq <= last; seq++ {
		recs = append(recs, Record{Seq: seq, Body: make([]byte, size), Value: value})
	}
	return recs
}

func TestTail(t *testing.T) {
	tl := &tail{floor: 10}
	check := func(after uint64, limit int, first, n, floor uint64) {
		t.Helper()
		recs, wake, f, err := tl.read(after, limit)
		if err != nil || uint64(len(recs)) != n || n > 0 && recs[0].Seq != first || f != floor {
			t.Fatalf("read behind %d: %d records, floor %d, %v; want %d from %d, floor %d",
				after, len(recs), f, err, n, first, floor)
		}
		if wait := n == 0 && floor == 0; wait != (wake != nil) {
			t.Fatalf("read behind %d: waits: %v", after, !wait)
		}
	}
	check(9, 5, 0, 0, 10) // the disk has it
	check(10, 5, 0, 0, 0) // nobody has it yet
	tl.push(numbered(11, 20, 100, nil))
	check(10, 5, 11, 5, 0)
	check(18, 5, 19, 2, 0)
	check(9, 5, 0, 0, 10)
	tl.drop(15)
	check(14, 5, 0, 0, 15)
	check(15, 5, 16, 5, 0)
	tl.drop(12)
	check(15, 5, 16, 5, 0)
	tl.drop(30)
	check(29, 5, 0, 0, 30)
	check(30, 5, 0, 0, 0)
	if tl.bytes != 0 {
		t.Fatalf("%d bytes in an empty tail", tl.bytes)
	}
}

func TestTailIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		size  int
		value any
		want  int
	}{
		"bodies":         {4096, nil, tailBytes / (4096 + recordOverhead)},
		"with values":    {4096, 1, tailBytes / (2*4096 + recordOverhead)},
		"without a body": {0, nil, tailBytes / recordOverhead},
		"too large":      {tailBytes, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tl := &tail{}
			for seq := uint64(1); seq <= 20_000; seq += 100 {
				tl.push(numbered(seq, seq+99, test.size, test.value)[:100])
				if test.size == tailBytes {
					break
				}
			}
			if len(tl.recs) != test.want {
				t.Errorf("%d records, want %d", len(tl.recs), test.want)
			}
			newest := tl.floor + uint64(len(tl.recs))
			recs, _, _, err := tl.read(tl.floor, 10_000)
			if err != nil || len(recs) > 0 && (recs[0].Seq != tl.floor+1 || newest%100 != 0) {
				t.Errorf("%d records from %d, floor %d, %v", len(recs), recs[0].Seq, tl.floor, err)
			}
		})
	}
}

// TestTailWakesAll: one push wakes every reader, and no reader that has something to read waits.
func TestTailWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := &tail{}
		woken := make(chan int, 100)
		for range cap(woken) {
			go func() {
				_, wake, _, _ := tl.read(0, 1)
				<-wake
				recs, _, _, _ := tl.read(0, 1)
				woken <- len(recs)
			}()
		}
		synctest.Wait()
		tl.push(numbered(1, 3, 1, nil))
		synctest.Wait()
		if len(woken) != cap(woken) {
			t.Fatalf("%d of %d readers woke up", len(woken), cap(woken))
		}
		for range cap(woken) {
			if n := <-woken; n != 1 {
				t.Fatalf("%d records", n)
			}
		}
		_, wake, _, _ := tl.read(3, 1)
		tl.close()
		<-wake
		if _, _, _, err := tl.read(0, 1); !errors.Is(err, ErrClosed) {
			t.Fatalf("read after close: %v", err)
		}
	})
}
