package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// machine is where a line was measured.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"` // of the bench
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(data), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		m.CPU = strings.TrimLeft(line, "\t :")
	}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(data))
	}
	return m
}

// reference is what the machine was like meanwhile: numbers of a shared one mean little without.
type reference struct {
	// FsyncMs is the median of 20 times that writing 4 KB and syncing took, before the run.
	FsyncMs float64 `json:"fsync_ms"`
	// OtherCPUs is how many processors were used by neither the program nor the bench.
	OtherCPUs float64 `json:"other_cpus"`
	// BenchCPUs is how many the generator and the receivers used.
	BenchCPUs float64 `json:"bench_cpus"`
}

// fsync measures a sync in dir.
func fsync(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for range 20 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// clock measures what the processors did in a span of time.
type clock struct {
	began         time.Time
	machine, self time.Duration
}

func startClock() clock {
	all, _ := rig.MachineCPU() // without it, the share of others shows as 0
	return clock{time.Now(), all, ownCPU()}
}

// fill writes down what was used besides the program's own time.
func (c clock) fill(r *reference, program time.Duration) {
	took := time.Since(c.began).Seconds()
	all, _ := rig.MachineCPU()
	own := ownCPU() - c.self
	r.BenchCPUs = round(own.Seconds() / took)
	r.OtherCPUs = round(max(0, (all-c.machine-own-program).Seconds()/took))
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// dirSize is how much the files in dir take.
func dirSize(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file that went meanwhile takes nothing
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
