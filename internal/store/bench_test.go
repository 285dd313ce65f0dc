package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// report4k is a record as they come: a hash for an ID and a body of 4 KB that does not compress.
func report4k(n uint64) store.Record {
	id := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
	body := make([]byte, 4096)
	r := rand.NewChaCha8(id)
	_, _ = r.Read(body)
	return store.Record{ID: hex.EncodeToString(id[:]), At: time.Unix(0, int64(n)), Body: body}
}

func reports(first, n int) []store.Record {
	recs := make([]store.Record, n)
	for i := range recs {
		recs[i] = report4k(uint64(first + i))
	}
	return recs
}

// measureCPU reports the processor time of the whole process for each of b.N records.
func measureCPU(b *testing.B, perOp int) (stop func()) {
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := cpu()
	return func() {
		n := float64(b.N * perOp)
		b.ReportMetric(float64(cpu()-start)/n, "cpu-ns/rec")
		b.ReportMetric(n/b.Elapsed().Seconds(), "rec/s")
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-a-sync", size), func(b *testing.B) {
			l := open(b, b.TempDir(), store.DefaultConfig())
			recs := reports(0, size)
			n := 0
			stop := measureCPU(b, size)
			for b.Loop() {
				for i := range recs {
					n++
					recs[i].ID, recs[i].At = id(n), time.Unix(0, int64(n))
				}
				if _, err := l.Append(b.Context(), recs...); err != nil {
					b.Fatal(err)
				}
			}
			stop()
		})
	}
}

func id(n int) string {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return hex.EncodeToString(sum[:])
}

// BenchmarkAppendParallel is the same with 16 who append one record at a time, and four cursors
// that follow.
func BenchmarkAppendParallel(b *testing.B) {
	l := open(b, b.TempDir(), store.DefaultConfig())
	body := report4k(0).Body
	var n atomic.Int64
	b.SetParallelism(8) // times GOMAXPROCS
	stop := measureCPU(b, 1)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if _, err := l.Append(b.Context(), store.Record{ID: id(int(i)), At: time.Unix(0, i), Body: body}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	stop()
}

func BenchmarkReadTail(b *testing.B) {
	l := open(b, b.TempDir(), store.DefaultConfig())
	if _, err := l.Append(b.Context(), reports(0, 512)...); err != nil {
		b.Fatal(err)
	}
	benchmarkRead(b, l, 0)
}

func BenchmarkReadDisk(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir, store.DefaultConfig())
	for i := range 16 {
		if _, err := l.Append(b.Context(), reports(i*512, 512)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	benchmarkRead(b, open(b, dir, store.DefaultConfig()), 0)
}

// benchmarkRead reads 64 records an operation, from after to the end and again.
func benchmarkRead(b *testing.B, l *store.Log, after uint64) {
	stop := measureCPU(b, 64)
	next := after
	b.ReportAllocs()
	for b.Loop() {
		recs, err := l.Read(b.Context(), next, 64)
		if err != nil {
			b.Fatal(err)
		}
		if next = recs[len(recs)-1].Seq; next == l.LastSeq() {
			next = after
		}
	}
	stop()
}

// BenchmarkAppendFilled appends to a log that holds 200,000 records already, where an index that
// is not in the order of the appends no longer fits in the cache.
func BenchmarkAppendFilled(b *testing.B) {
	l := open(b, b.TempDir(), store.DefaultConfig())
	recs := reports(0, 64)
	n := 0
	add := func() {
		for i := range recs {
			n++
			recs[i].ID, recs[i].At = id(n), time.Unix(0, int64(n))
		}
		if _, err := l.Append(b.Context(), recs...); err != nil {
			b.Fatal(err)
		}
	}
	for n < 200_000 {
		add()
	}
	stop := measureCPU(b, len(recs))
	for b.Loop() {
		add()
	}
	stop()
}

// BenchmarkSettle has four cursors follow 16 who append, and settle what they read as a worker does:
// without and with the outcome of each record.
func BenchmarkSettle(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("outcomes=%v", with), func(b *testing.B) {
			l := open(b, b.TempDir(), store.DefaultConfig())
			ctx, cancel := context.WithCancel(b.Context())
			var following sync.WaitGroup
			for c := range 4 {
				name := fmt.Sprint("sink", c)
				if _, _, err := l.OpenCursor(ctx, name, store.StartOldest); err != nil {
					b.Fatal(err)
				}
				following.Go(func() { follow(ctx, b, l, name, with) })
			}
			body := report4k(0).Body
			var n atomic.Int64
			b.SetParallelism(8) // times GOMAXPROCS
			stop := measureCPU(b, 1)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					if _, err := l.Append(ctx, store.Record{ID: id(int(i)), At: time.Unix(0, i), Body: body}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			stop()
			cancel()
			following.Wait()
		})
	}
}

func follow(ctx context.Context, b *testing.B, l *store.Log, name string, with bool) {
	for pos := uint64(0); ; {
		recs, err := l.Read(ctx, pos, 256)
		if err == nil {
			pos = recs[len(recs)-1].Seq
			s := store.Settlement{UpTo: pos}
			for i, r := range recs {
				if with {
					at := r.Time.Add(time.Duration(i) * 317 * time.Microsecond)
					s.Outcomes = append(s.Outcomes, store.Outcome{Seq: r.Seq, At: at, Attempts: 1, Result: "delivered", Detail: "200 OK"})
				}
			}
			err = l.Settle(ctx, name, s)
		}
		if err != nil {
			if ctx.Err() == nil {
				b.Error(err)
			}
			return
		}
	}
}
